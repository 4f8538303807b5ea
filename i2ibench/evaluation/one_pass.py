"""Scoring predictions: overall, by group, and per pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from i2ibench.data.pairs import PairedDataset
from i2ibench.evaluation.begin_pass import OnePassOptions as OnePassOptions
from i2ibench.evaluation.begin_pass import begin_pass
from i2ibench.evaluation.protocol import Protocol
from i2ibench.evaluation.scores import Evaluation
from i2ibench.provenance import stopwatch

if TYPE_CHECKING:
    from typing_extensions import Unpack


def evaluate(
    dataset: PairedDataset,
    predictions: Mapping[str, Path],
    *,
    protocol: Protocol,
    **options: Unpack[OnePassOptions],
) -> Evaluation:
    """Score ``predictions`` of a data set under a protocol.

    Args:
        dataset: the pairs; only targets are read.
        predictions: image file by pair id, see ``find_predictions``.
        protocol: prepares targets and names the metrics with their settings.
        **options: those of ``evaluate_together``, which also says what is raised.
    """
    [found] = evaluate_together(dataset, [(predictions, protocol)], **options)
    return found


def evaluate_together(
    dataset: PairedDataset,
    predictions: Sequence[tuple[Mapping[str, Path], Protocol]],
    **options: Unpack[OnePassOptions],
) -> list[Evaluation]:
    """Score predictions of several models, or under several protocols, against the same targets.

    Each target is decoded once, and what metrics find in it (activations of LPIPS, features of
    Inception, stain) is found once; each value is the one that ``evaluate`` gives.

    Args:
        dataset: the pairs; only targets are read.
        predictions: image file by pair id, see ``find_predictions``, each with the protocol that
            scores them; all protocols prepare images alike.
        **options: see ``OnePassOptions``.

    Raises:
        DataError: empty data set, missing or unreadable images, wrong sizes, a metric that fails
            or is NaN, always with the pair's id.
        MissingError: a metric of ``metrics`` lacks its weights.
        UsageError: an unknown metric, setting or device, or protocols that prepare images
            differently.
    """
    with stopwatch() as watch:
        begun = begin_pass(dataset, predictions, **options)
        evaluations = begun.evaluations(begun.accumulated(dataset))
    return [replace(each, seconds=watch.seconds / len(predictions)) for each in evaluations]
