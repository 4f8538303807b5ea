"""The page of a comparison: what differs, by how much, on which levels, and on which pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from i2ibench.comparison.common_pairs import aligned
from i2ibench.comparison.compare import Comparison, Extreme
from i2ibench.data.dataset import Dataset
from i2ibench.data.pairs import PairedDataset
from i2ibench.data.preparation import Preparation
from i2ibench.errors import DataError, UsageError
from i2ibench.escaping import visible
from i2ibench.evaluation.predictions import find_predictions
from i2ibench.evaluation.protocol import DEFAULT_MAIN, load_protocol
from i2ibench.metrics.presentation import column_title, summary, table_order, trap
from i2ibench.results.cells import NumberCell
from i2ibench.results.evaluation_intervals import KEYS
from i2ibench.results.record import Result
from i2ibench.results.record_files import read_result, result_file
from i2ibench.results.scored_method import ScoredMethod
from i2ibench.web.comparison_sections import OPEN, differences_of, means_table, standing
from i2ibench.web.explorer import SCRIPTS, Explorer, ShownMethod, explorer
from i2ibench.web.licence import licence_of
from i2ibench.web.page import render_page, write_page

MOST_METHODS = 6
# Of the pairs that differ most in a metric, over all two methods.
_EXTREMES = 6


def write_comparison_page(
    folder: Path,
    methods: Sequence[ScoredMethod],
    comparison: Comparison,
    dataset: Dataset | None,
    *,
    with_pictures: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write ``index.html`` and ``assets/`` into ``folder``, and return the page.

    Args:
        folder: of the page.
        methods: two to six, as they were compared.
        comparison: of them.
        dataset: with the images; None for a page of scores alone.
        with_pictures: without them thumbnails are blurred beyond recognition.
        progress: called with the pairs drawn and all pairs.

    Raises:
        UsageError: more methods than can be told apart on one page.
    """
    if len(methods) > MOST_METHODS:
        raise UsageError(
            f"a page shows 2 to {MOST_METHODS} methods beside each other, not {len(methods)}; "
            "give fewer"
        )
    methods = aligned(methods)
    record = _record(methods[0])
    main = () if record is None else record.protocol.main or DEFAULT_MAIN
    metrics = sorted(comparison.signatures, key=lambda name: table_order(name, main))
    pairs, shown_methods = _shown(methods, metrics, dataset)
    shown = explorer(
        folder,
        pairs,
        shown_methods,
        metrics,
        preparation=_preparation(record),
        stain=any(name.startswith("dab-") for name in metrics),
        with_pictures=with_pictures,
        progress=progress,
    )
    page = render_page(
        "comparison_page.html.j2",
        title=" against ".join(comparison.labels)
        if len(methods) == 2
        else f"{len(methods)} methods on the same pairs",
        sections=[
            ("verdict", "Verdict"),
            ("methods", "Methods"),
            ("differences", "Differences"),
            ("extremes", "Pairs that differ most"),
            ("pairs", "Explorer"),
            ("definitions", "Definitions"),
        ],
        comparison=comparison,
        dataset=methods[0].identity.get("the data set", ""),
        licence=licence_of(methods[0].identity.get("the data set", "")),
        pairs=len(methods[0].scores),
        standings=[standing(comparison, name) for name in _deciding(record, metrics)],
        means=means_table(comparison, metrics),
        differences=[
            differences_of(comparison, name, index, shown.groups)
            for index, name in enumerate(metrics)
        ],
        extremes=_extremes(comparison, metrics, shown),
        explorer=shown,
        scripts=SCRIPTS,
        definitions=[
            (column_title(n, comparison.better.get(n)), summary(n), trap(n), s)
            for n, s in ((name, comparison.signatures[name]) for name in metrics)
        ],
    )
    return write_page(folder, page, SCRIPTS)


def methods_without_images(methods: Sequence[ScoredMethod]) -> list[str]:
    """Return the labels of methods without predictions beside their scores: no page shows them."""
    return [each.label for each in methods if not _predictions(each).is_dir()]


def _predictions(method: ScoredMethod) -> Path:
    return method.path.parent / "predictions"


def _shown(
    methods: Sequence[ScoredMethod], metrics: Sequence[str], dataset: Dataset | None
) -> tuple[PairedDataset | None, list[ShownMethod]]:
    """Return the pairs, and the methods with their mean scores over seeds, with images if any."""
    split = methods[0].identity.get("the split", "test")
    pairs = None if dataset is None else dataset.split(split)
    folders = [_predictions(method) for method in methods]
    if pairs is not None and not {str(i) for i in methods[0].scores["id"]} <= {p.id for p in pairs}:
        raise DataError(
            f"{pairs.root}: does not hold the pairs that are compared; give another --dataset"
        )
    if pairs is None or methods_without_images(methods):
        return None, [ShownMethod(each.label, _scores(each, metrics), {}) for each in methods]
    return pairs, [
        ShownMethod(each.label, _scores(each, metrics), find_predictions(folder, pairs))
        for each, folder in zip(methods, folders, strict=True)
    ]


def _scores(method: ScoredMethod, metrics: Sequence[str]) -> pd.DataFrame:
    scores: pd.DataFrame = method.scores[list(KEYS)].copy()
    for name in metrics:
        scores[name] = method.seed_scores(name).mean(0)
    return scores


def _record(method: ScoredMethod) -> Result | None:
    """Return the record that a method was read from; None of a table of scores."""
    path = result_file(method.path)
    return read_result(path) if path.suffix == ".json" else None


def _preparation(record: Result | None) -> Preparation:
    """Return how the protocol prepares images; as they are where nothing says otherwise."""
    try:
        return Preparation() if record is None else load_protocol(record.protocol.id).preparation
    except UsageError:  # a protocol of somebody else
        return Preparation()


def _deciding(record: Result | None, metrics: Sequence[str]) -> list[str]:
    """Return the metrics that decide by the protocol; else the first ones."""
    ends = None if record is None else record.protocol.endpoints
    named = [] if ends is None else [name for name in ends.primary if name in metrics]
    return named or list(metrics[:OPEN])


def _extremes(
    comparison: Comparison, metrics: Sequence[str], shown: Explorer
) -> list[dict[str, Any]]:
    found = []
    for metric in metrics:
        listed = [each for each in comparison.extremes if each.metric == metric]
        # A pair stands once, with the two methods that differ most on it.
        listed.sort(key=lambda each: abs(each.scores[0] - each.scores[1]))
        listed = list({each.pair: each for each in listed}.values())
        listed.sort(key=lambda each: -abs(each.scores[0] - each.scores[1]))
        if listed:
            found.append(
                {
                    "title": column_title(metric, comparison.better.get(metric)),
                    "pairs": [_extreme(each, comparison, shown) for each in listed[:_EXTREMES]],
                }
            )
    return found


def _extreme(found: Extreme, comparison: Comparison, shown: Explorer) -> dict[str, Any]:
    first, second = (comparison.labels.index(label) for label in (found.first, found.second))
    return {
        # As the explorer names it, whose scripts look for it.
        "id": visible(found.pair),
        "metric": found.metric,
        "of": f"{first}-{second}",
        "picture": shown.thumbnail(found.pair),
        "scores": [
            (label, NumberCell(score, found.metric).text)
            for label, score in zip((found.first, found.second), found.scores, strict=True)
        ],
    }
