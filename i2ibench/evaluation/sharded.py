"""Scoring the shards of one evaluation apart, on as many machines, and merging their parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from i2ibench.data.pairs import PairedDataset
from i2ibench.evaluation.begin_pass import OnePassOptions, begin_pass
from i2ibench.evaluation.part_files import write_part
from i2ibench.evaluation.protocol import Protocol
from i2ibench.evaluation.scores import Evaluation
from i2ibench.evaluation.shards import (
    Shard,
    check_parts,
    heads_in,
    images_of,
    merged_parts,
)
from i2ibench.provenance import stopwatch

if TYPE_CHECKING:
    from typing_extensions import Unpack


def write_shard(
    dataset: PairedDataset,
    predictions: Sequence[tuple[Mapping[str, Path], Protocol]],
    shard: Shard,
    path: Path,
    **options: Unpack[OnePassOptions],
) -> None:
    """Score one shard of the pairs and write what was found; see ``evaluate_parts``.

    Args:
        dataset, predictions, **options: those of ``evaluate_together``, the same for all shards.
        shard: which of the pairs.
        path: of the file to be.
    """
    with stopwatch() as watch:
        begun = begin_pass(dataset, predictions, **options)
        own = shard.pairs_of(dataset)
        accumulations = begun.accumulated(own)
        question, images = begun.question(), images_of(own, begun.files)
    write_part(
        path,
        accumulations,
        begun.chosen,
        shard=shard,
        question=question,
        images=images,
        seconds=watch.seconds,
    )


def evaluate_parts(
    dataset: PairedDataset,
    predictions: Sequence[tuple[Mapping[str, Path], Protocol]],
    folder: Path,
    **options: Unpack[OnePassOptions],
) -> list[Evaluation]:
    """Return the evaluations of ``evaluate_together`` from the parts of all shards in a folder.

    Values of pair metrics are the same bits, those of set metrics the same to rounding; the seconds
    are those of all shards together.

    Args:
        dataset, predictions, **options: those with which the shards were scored.
        folder: holds the parts, and no others.

    Raises:
        DataError: also a part that is missing, damaged, doubled or of something else.
    """
    with stopwatch() as watch:
        heads = heads_in(folder)
        begun = begin_pass(dataset, predictions, **options)
        begun.load_networks()
        check_parts(folder, heads, begun.question(), dataset, begun.files)
        evaluations = begun.evaluations(merged_parts(heads, begun.chosen))
    seconds = (watch.seconds + sum(head.seconds for head in heads)) / len(predictions)
    return [replace(each, seconds=seconds) for each in evaluations]
