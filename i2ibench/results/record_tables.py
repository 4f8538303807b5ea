"""A record as lines, as a table, and as a frame of all its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from i2ibench.metrics.presentation import metric_title
from i2ibench.results.cells import record_cell
from i2ibench.wording import ARROWS, count

if TYPE_CHECKING:
    import pandas as pd

    from i2ibench.notebook import Table
    from i2ibench.results.record import MetricRecord, Result

# Metrics of the one line that shows a result.
_MOST = 5


def result_lines(result: Result) -> list[str]:
    """Return what, where and how; the first values; and which run it is."""
    dataset = result.dataset
    seed = "" if result.seed is None else f", seed {result.seed}"
    pairs = count(dataset.pairs or 0, "pair")
    what = f"{result.model.name} on {dataset.name}: {pairs}, {result.protocol.id}{seed}"
    main = result.protocol.main or tuple(result.metrics)
    known = [name for name in main if name in result.metrics and _has_value(result.metrics[name])]
    values = [
        f"{metric_title(name)} {record_cell(result.metrics[name], name).text}"
        for name in known[:_MOST]
    ]
    run = f"run {result.run_id}, " if result.run_id else ""
    return [what, ", ".join(values) or "no values", f"{run}{result.status}, {result.created}"]


def result_table(result: Result) -> Table:
    """Return the values overall, of each group, and their macro mean."""
    sets = dict(_sets(result))
    rows = [
        [
            f"{metric_title(name)} {ARROWS[record.better]}".strip(),
            *(record_cell(metrics.get(name), name).text for metrics in sets.values()),
            record.unit,
            record.unavailable or "; ".join(record.notes),
        ]
        for name, record in result.metrics.items()
    ]
    return "", ["metric", *(name or "overall" for name in sets), "unit", "notes"], rows


def result_frame(result: Result) -> pd.DataFrame:
    """Return one row a number: set of pairs, metric, value, interval and definition."""
    import pandas as pd

    rows = [
        {
            "set": name or "all",
            "metric": metric,
            "value": record_cell(record).value,
            "ci95_low": record.ci95[0] if record.ci95 else None,
            "ci95_high": record.ci95[1] if record.ci95 else None,
            "n": record.n,
            "unit": record.unit,
            "better": record.better,
            "signature": record.signature,
            "unavailable": record.unavailable,
        }
        for name, metrics in _sets(result)
        for metric, record in metrics.items()
    ]
    frame: pd.DataFrame = pd.DataFrame(rows)
    numbers = ["value", "ci95_low", "ci95_high"]
    frame[numbers] = frame[numbers].astype("float64")
    return frame


def _sets(result: Result) -> Iterator[tuple[str, Mapping[str, MetricRecord]]]:
    yield "", result.metrics
    for name, group in result.groups.items():
        yield f"{result.dataset.group_name or 'group'} {name}", group.metrics
    if result.macro:
        yield "macro mean", result.macro


def _has_value(record: MetricRecord) -> bool:
    return record_cell(record).value is not None
