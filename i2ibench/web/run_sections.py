"""The sections of a run's page: scores, distributions, extremes, training, definitions, origin."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from markupsafe import Markup

from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import DataError
from i2ibench.escaping import visible
from i2ibench.evaluation.protocol import DEFAULT_MAIN
from i2ibench.files import atomic_path, json_text, visible_files
from i2ibench.metrics.presentation import column_title, metric_title, summary, table_order, trap
from i2ibench.results.cells import NumberCell, record_cell
from i2ibench.results.evaluation_intervals import metric_columns
from i2ibench.results.record import MetricRecord, Result
from i2ibench.web.charts import Strip, line_chart, strip_chart
from i2ibench.web.curves import read_curves
from i2ibench.web.explorer import Explorer
from i2ibench.web.licence import licence_of
from i2ibench.web.page import ASSETS
from i2ibench.wording import count, duration

# Worst and best pairs of a level; metrics whose extremes are shown, the first of the protocol.
_EXTREMES, _EXTREME_METRICS = 2, 3
_PREVIEW_QUALITY = 80


def in_order(result: Result) -> list[str]:
    """Return the names of all metrics, those of the protocol's main table first."""
    main = result.protocol.main or DEFAULT_MAIN
    return sorted(result.metrics, key=lambda metric: table_order(metric, main))


def pair_metrics(result: Result, scores: pd.DataFrame) -> list[str]:
    """Return the metrics that have a value on some pair, in the order of tables."""
    columns = set(metric_columns(scores))
    return [name for name in in_order(result) if name in columns and scores[name].notna().any()]


def headline(result: Result) -> list[tuple[str, NumberCell]]:
    """Return title and number of what the page shows large: endpoints, then the main metrics."""
    ends = result.protocol.endpoints
    endpoints = () if ends is None else (*ends.primary, *ends.secondary)
    of_groups = ends.primary if ends is not None and ends.primary_mean == "groups" else ()
    shown = []
    for name in dict.fromkeys((*endpoints, *(result.protocol.main or DEFAULT_MAIN))):
        decided = name in of_groups
        record = result.macro.get(name) if decided else result.metrics.get(name)
        record = record or result.metrics.get(name)
        if record is None or record.value is None:
            continue
        over = f", mean over {result.dataset.group_name or 'group'}" if decided else ""
        shown.append((f"{_title(name, record)}{over}", record_cell(record, name)))
    return shown[:6]


def score_table(result: Result) -> dict[str, Any]:
    """Return header and rows: a row a metric, a column a set of pairs; missing metrics are left."""
    groups = list(result.groups)
    unit = result.dataset.group_name or "group"
    header = ["all pairs", *(f"{unit} {name}" for name in groups)]
    sizes = [result.dataset.pairs, *(result.groups[group].n for group in groups)]
    header = [
        f"{name}\n{count(size, 'pair')}" if size is not None else name
        for name, size in zip(header, sizes, strict=True)
    ]
    if groups:
        header.append("mean over levels\neach counts the same")
    rows = []
    for name in in_order(result):
        record = result.metrics[name]
        if record.unavailable:
            continue
        records = [record, *(result.groups[group].metrics.get(name) for group in groups)]
        if groups:
            records.append(result.macro.get(name))
        cells = [record_cell(found, name) for found in records]
        rows.append({"title": _title(name, record), "name": name, "cells": cells})
    return {"header": header, "rows": rows}


def distributions(result: Result, scores: pd.DataFrame) -> list[tuple[str, Markup]]:
    """Return name and chart of every metric of pairs: a dot a pair, a column a group."""
    charts = []
    for name in pair_metrics(result, scores):
        defined = scores[scores[name].notna()]
        parts = [(group, defined[defined["group"] == group]) for group in result.groups]
        parts = [(group, rows) for group, rows in parts if len(rows)]
        unit = (result.dataset.group_name or "group") if parts else ""
        others = defined[~defined["group"].isin([group for group, _ in parts])]
        if len(others):
            parts.append(("unknown" if parts else "all", others))
        strips = [
            Strip(
                group,
                rows[name].to_numpy(np.float64),
                [int(index) for index in rows.index],
                _interval(result, name, group),
            )
            for group, rows in parts
        ]
        charts.append((name, strip_chart(_title(name, result.metrics[name]), name, strips, unit)))
    return charts


def extremes(result: Result, scores: pd.DataFrame, shown: Explorer) -> list[dict[str, Any]]:
    """Return the worst and best pairs of each level, by the first metrics with a direction."""
    found: list[dict[str, Any]] = []
    for name in pair_metrics(result, scores):
        record = result.metrics[name]
        if record.better is None or len(found) == _EXTREME_METRICS:
            continue
        defined = scores[scores[name].notna()]
        if defined[name].nunique() < 2:
            continue  # no pair is worse than another
        ordered = defined.sort_values(name, ascending=record.better == "higher", kind="stable")
        levels = []
        for group in shown.groups or ("",):
            rows = ordered[ordered["group"] == group] if group else ordered
            if not len(rows):
                continue
            number = min(_EXTREMES if group else 3 * _EXTREMES // 2, len(rows) // 2)
            parts = {"worst": rows.head(number), "best": rows.tail(number).iloc[::-1]}
            levels.append(
                {
                    "label": f"{shown.unit} {group}" if group else "",
                    "parts": [
                        (words, [_extreme(row, name, shown) for _, row in part.iterrows()])
                        for words, part in parts.items()
                    ],
                }
            )
        found.append({"title": _title(name, record), "levels": levels})
    return found


def _extreme(row: Any, metric: str, shown: Explorer) -> dict[str, Any]:
    return {
        # As the explorer names it, whose scripts look for it.
        "id": visible(str(row["id"])),
        "picture": shown.thumbnail(str(row["id"])),
        "score": NumberCell(float(row[metric]), metric).text,
    }


def curves(history: Path, what: str = "") -> list[Markup]:
    """Return a chart a column of ``training.csv`` or ``validation.csv``; none without the file.

    ``what`` stands before each title. A step at which a column is empty is passed over.
    """
    if not history.exists():
        return []
    return [
        line_chart(f"{what} {name}".strip().replace("_", " "), steps, values)
        for name, (steps, values) in read_curves(history).items()
    ]


def previews(folder: Path, page_folder: Path, *, with_pictures: bool) -> list[tuple[str, str]]:
    """Copy the previews of a training as JPEGs beside the page; return step and address of each."""
    place = page_folder / ASSETS / "previews"
    found = visible_files(folder, {".png"}, missing_ok=True) if with_pictures else ()
    if not found:
        shutil.rmtree(place, ignore_errors=True)
        return []
    shown = []
    for path in found:
        target = place / f"{path.stem}.jpg"
        if not target.exists() or target.stat().st_mtime_ns < path.stat().st_mtime_ns:
            _write_jpeg(target, path)
        step = path.stem.removeprefix("step-").lstrip("0") or "0"
        shown.append((step, f"{ASSETS}/previews/{target.name}"))
    for path in visible_files(place, {".jpg"}):
        if path.stem not in {each.stem for each in found}:
            path.unlink()
    return shown


def _write_jpeg(target: Path, path: Path) -> None:
    image = cv2.cvtColor(read_image(ImageRef(path)), cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _PREVIEW_QUALITY])
    if not done:
        raise DataError(f"{target}: the preview cannot be encoded as JPEG")
    with atomic_path(target, lasting=False) as temporary:
        temporary.write_bytes(encoded.tobytes())


def definitions(result: Result) -> list[dict[str, str]]:
    """Return of every metric that has a value: title, what it is, its trap, signature, remarks."""
    return [
        {
            "title": _title(name, result.metrics[name]),
            "name": name,
            "summary": summary(name),
            "trap": trap(name),
            "signature": result.metrics[name].signature,
            "notes": "; ".join(result.metrics[name].notes),
        }
        for name in in_order(result)
        if not result.metrics[name].unavailable
    ]


def missing(result: Result) -> list[tuple[str, str]]:
    """Return title and reason of every metric without a value; the reason says how to get it."""
    return [
        (metric_title(name), result.metrics[name].unavailable or "")
        for name in in_order(result)
        if result.metrics[name].unavailable
    ]


def cost(result: Result) -> list[tuple[str, str]]:
    """Return what the run took, as names and words; what nobody measured is left out."""
    known, facts = result.cost, []
    for name, seconds in (
        ("training", known.train_seconds),
        ("translation", known.translate_seconds),
        ("scoring", known.evaluate_seconds),
    ):
        if seconds is not None:
            facts.append((name, "none" if seconds == 0 else duration(float(seconds))))
    if known.peak_memory_mb is not None:
        facts.append(("peak memory", f"{float(known.peak_memory_mb) / 1024:.1f} GiB"))
    if result.model.parameters is not None:
        facts.append(("parameters", f"{result.model.parameters:,}"))
    environment = result.environment
    hardware = environment.gpu if environment.device not in (None, "cpu") else environment.cpu
    if hardware:
        facts.append(("hardware", str(hardware)))
    return facts


def provenance_facts(result: Result) -> list[tuple[str, str]]:
    """Return where the numbers come from, as names and words."""
    data, licence = result.dataset, licence_of(result.dataset.name).words
    facts = [
        ("status", result.status),
        ("made", result.created),
        ("data", f"{data.name}, {data.split}, {data.direction}, {count(data.pairs or 0, 'pair')}"),
        ("licence of the data", licence),
        ("hash of the data", data.manifest_sha256 or ""),
        ("protocol", f"{result.protocol.id} ({result.protocol.sha256[:12]})"),
        ("seed", "" if result.seed is None else str(result.seed)),
        ("run", result.run_id or ""),
        ("weights", result.model.checkpoint_sha256 or ""),
        ("command", " ".join(result.environment.command or ())),
    ]
    return [(name, words) for name, words in facts if words]


def record_parts(result: Result) -> list[tuple[str, str]]:
    """Return everything else that the record holds, as JSON by heading."""
    content = result.to_json()
    named = ("model", "dataset", "protocol", "training", "cost", "intervals", "environment")
    later = [name for name in ("verified", "reproduced") if getattr(result, name)]
    return [(name, json_text(content[name])) for name in (*named, *later) if content.get(name)]


def _title(name: str, record: MetricRecord) -> str:
    unit = f" ({record.unit})" if record.unit else ""
    return f"{column_title(name, record.better)}{unit}"


def _interval(result: Result, metric: str, group: str) -> tuple[float, float] | None:
    """Return the interval of a group's mean, or of all pairs where there are no groups."""
    if group in result.groups:
        record = result.groups[group].metrics.get(metric)
    else:
        record = None if result.groups else result.metrics.get(metric)
    return None if record is None else record.ci95
