"""One run as a single HTML file: scores, charts, best and worst pairs, definitions, origin."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from i2ibench.data.images import read_image, read_pair
from i2ibench.data.pairs import ImagePair, PairedDataset
from i2ibench.errors import DataError
from i2ibench.evaluation.protocol import DEFAULT_MAIN
from i2ibench.files import json_text, write_text
from i2ibench.metrics.presentation import column_title, metric_title, table_order
from i2ibench.results.cells import NumberCell, record_cell
from i2ibench.results.evaluation_intervals import metric_columns
from i2ibench.results.record import MetricRecord, Result
from i2ibench.web.charts import line_chart, strip_chart
from i2ibench.web.curves import read_curves
from i2ibench.web.pictures import fit

_TILE = 192
_EXTREMES = 3


@dataclass(frozen=True, slots=True)
class _Picture:
    """A pair on the page: its caption and three images as data addresses."""

    caption: str
    images: tuple[str, str, str]


def write_page(
    path: Path,
    result: Result,
    dataset: PairedDataset,
    predictions: Mapping[str, Path],
    pair_scores: pd.DataFrame,
    history: Path | None = None,
) -> Path:
    """Write one self-contained HTML file about a run, without scripts or outside addresses.

    Args:
        path: of the HTML file.
        result: the run's record.
        dataset: the scored pairs.
        predictions: image files by pair id.
        pair_scores: scores per pair, as in ``scores.csv``.
        history: ``training.csv``; None or absent where nothing was trained.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("i2ibench.web", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("run_page.html.j2").render(
        result=result,
        title=f"{result.model.name} on {result.dataset.name}",
        table=_score_table(result),
        strips=[Markup(chart) for chart in _strips(result, pair_scores)],  # noqa: S704
        curves=[Markup(chart) for chart in _curves(history)],  # noqa: S704
        extremes=_extremes(result, dataset, predictions, pair_scores),
        definitions=_definitions(result),
        origin=_origin(result),
    )
    write_text(path, page)
    return path


def _score_table(result: Result) -> dict[str, Any]:
    groups = list(result.groups)
    unit = result.dataset.group_name or "group"
    header = ["metric", "overall", *(f"{unit} {name}" for name in groups)]
    if groups:
        header.append("mean of levels")
    rows = []
    for name in _in_order(result):
        record = result.metrics[name]
        records = [record, *(result.groups[group].metrics.get(name) for group in groups)]
        if groups:
            records.append(result.macro.get(name))
        title = f"{column_title(name, record.better)} {record.unit}".strip()
        rows.append([(title, ""), *(_cell(found, name) for found in records)])
    return {"header": header, "rows": rows}


def _cell(record: MetricRecord | None, metric: str) -> tuple[str, str]:
    """Return value and small print."""
    cell = record_cell(record, metric)
    return cell.text, cell.interval


def _strips(result: Result, scores: pd.DataFrame) -> list[str]:
    charts = []
    for name in metric_columns(scores):
        defined = scores[scores[name].notna()]
        parts: dict[str, NDArray[np.float64]] = {"all": defined[name].to_numpy(np.float64)}
        intervals = {"all": result.metrics[name].ci95 if name in result.metrics else None}
        for group, record in result.groups.items():
            parts[group] = defined[name][defined["group"] == group].to_numpy(np.float64)
            intervals[group] = record.metrics[name].ci95 if name in record.metrics else None
        charts.append(strip_chart(metric_title(name), parts, intervals))
    return charts


def _curves(history: Path | None) -> list[str]:
    if history is None or not history.exists():
        return []
    steps, columns = read_curves(history)
    return [line_chart(name, steps, values) for name, values in columns.items()]


def _extremes(
    result: Result,
    dataset: PairedDataset,
    predictions: Mapping[str, Path],
    scores: pd.DataFrame,
) -> list[dict[str, Any]]:
    """Return the best and worst pairs of every pair metric with a direction."""
    pairs = {pair.id: pair for pair in dataset}
    found = []
    for name in metric_columns(scores):
        record = result.metrics.get(name)
        defined = scores[scores[name].notna()]
        if record is None or record.better is None or not len(defined):
            continue
        ordered = defined.sort_values(name, ascending=record.better == "lower", kind="stable")
        best, worst = ordered.head(_EXTREMES), ordered.tail(_EXTREMES).iloc[::-1]
        for words, rows in (("best", best), ("worst", worst)):
            pictures = [
                _picture(pairs[row["id"]], predictions[row["id"]], name, row[name], dataset)
                for _, row in rows.iterrows()
            ]
            found.append({"title": f"{metric_title(name)}: {words}", "pictures": pictures})
    return found


def _picture(
    pair: ImagePair, prediction: Path, metric: str, score: float, dataset: PairedDataset
) -> _Picture:
    source, target = read_pair(pair)
    group = f", {dataset.group_name} {pair.group}" if pair.group is not None else ""
    images = (source, target, read_image(pair.prediction(prediction)))
    return _Picture(
        f"{pair.id}{group}: {NumberCell(score, metric).text}",
        (_address(images[0]), _address(images[1]), _address(images[2])),
    )


def _address(image: NDArray[np.uint8]) -> str:
    """Return a small JPEG of an image as a data address."""
    small = cv2.cvtColor(fit(image, _TILE), cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 88])
    if not done:
        raise DataError("a picture of the page cannot be encoded as JPEG")
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode('ascii')}"


def _definitions(result: Result) -> list[tuple[str, str, str]]:
    return [
        (
            metric_title(name),
            result.metrics[name].signature,
            "; ".join(
                filter(None, [result.metrics[name].unavailable, *result.metrics[name].notes])
            ),
        )
        for name in _in_order(result)
    ]


def _in_order(result: Result) -> list[str]:
    main = result.protocol.main or DEFAULT_MAIN
    return sorted(result.metrics, key=lambda metric: table_order(metric, main))


def _origin(result: Result) -> list[tuple[str, str]]:
    """Return everything else the record holds, as JSON by heading."""
    content = result.to_json()
    named = ("model", "dataset", "protocol", "training", "cost", "intervals", "environment")
    parts = [(name, json_text(content[name])) for name in named if content.get(name)]
    if result.verified:
        parts.append(("verified", json_text(content["verified"])))
    return parts
