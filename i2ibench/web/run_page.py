"""The page of one run: where it stands, its scores, every pair, its training, its origin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from i2ibench.data.pairs import PairedDataset
from i2ibench.data.preparation import Preparation
from i2ibench.leaderboard.board import Board
from i2ibench.results.record import Result
from i2ibench.web import run_sections as sections
from i2ibench.web.explorer import SCRIPTS, ShownMethod, explorer
from i2ibench.web.licence import licence_of
from i2ibench.web.page import render_page, write_page
from i2ibench.web.verdict import verdict_of


def write_run_page(
    folder: Path,
    result: Result,
    dataset: PairedDataset | None,
    predictions: Mapping[str, Path],
    pair_scores: pd.DataFrame,
    *,
    preparation: Preparation | None = None,
    training: Path | None = None,
    board: Board | None = None,
    with_pictures: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write ``index.html`` and ``assets/`` into ``folder``, and return the page.

    Args:
        folder: of the page; what did not change in it is not written again.
        result: the run's record.
        dataset: the scored pairs; None where the images are not at hand.
        predictions: image files by pair id.
        pair_scores: scores per pair, as in ``scores.csv``.
        preparation: of the images by the protocol.
        training: the run folder, which may hold ``training.csv``, ``validation.csv`` and previews.
        board: that holds the result; None where it is on none.
        with_pictures: without them the page shows thumbnails blurred beyond recognition.
        progress: called with the pairs drawn and all pairs.
    """
    scores = pair_scores.reset_index(drop=True)
    shown = explorer(
        folder,
        dataset,
        [ShownMethod(result.model.name, scores, predictions)],
        sections.pair_metrics(result, scores),
        preparation=preparation,
        stain=has_stain(result),
        with_pictures=with_pictures,
        progress=progress,
    )
    charts = sections.distributions(result, scores)
    extremes = sections.extremes(result, scores, shown)
    curves, previews = [], []
    if training is not None:
        curves = sections.curves(training / "training.csv")
        curves += sections.curves(training / "validation.csv", "validation")
        previews = sections.previews(training / "previews", folder, with_pictures=with_pictures)
    missing = sections.missing(result)
    named = [
        ("verdict", "Verdict", True),
        ("scores", "Scores", True),
        ("distributions", "Every pair", bool(charts)),
        ("extremes", "Worst and best", bool(extremes)),
        ("pairs", "Explorer", True),
        ("training", "Training", bool(curves or previews)),
        ("cost", "Cost", True),
        ("definitions", "Definitions", True),
        ("missing", "Not measured", bool(missing)),
        ("origin", "Origin", True),
    ]
    page = render_page(
        "run_page.html.j2",
        title=f"{result.model.name} on {result.dataset.name}",
        sections=[(anchor, name) for anchor, name, there in named if there],
        result=result,
        verdict=None if board is None else verdict_of(board, result),
        headline=sections.headline(result),
        table=sections.score_table(result),
        charts=charts,
        extremes=extremes,
        explorer=shown,
        scripts=SCRIPTS,
        licence=licence_of(result.dataset.name),
        curves=curves,
        previews=previews,
        cost=sections.cost(result),
        definitions=sections.definitions(result),
        missing=missing,
        origin=sections.provenance_facts(result),
        record=sections.record_parts(result),
    )
    return write_page(folder, page, SCRIPTS)


def has_stain(result: Result) -> bool:
    """Whether the result was scored by DAB, so that DAB is worth showing."""
    return any(name.startswith("dab-") for name in result.metrics)
