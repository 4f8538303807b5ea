"""How the command line shows results: the scores of one model, or of several beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from i2ibench.cli.common import err, escape, say, table

if TYPE_CHECKING:
    from i2ibench.results.record import MetricRecord, Result


def show_result(result: Result) -> None:
    """Print the scores of one result, overall, per group and macro; below them what marks them."""
    group_name = result.dataset.get("group_name") or "group"
    sets = {"overall": result.metrics}
    sets.update({f"{group_name} {name}": g.metrics for name, g in result.groups.items()})
    if result.groups:
        sets["macro"] = result.macro
    rows = [
        [_title(name, record), *(_value(metrics.get(name)) for metrics in sets.values())]
        for name, record in result.metrics.items()
        if not _is_missing(record)
    ]
    title = f"{result.model['name']} on {result.dataset['name']}, {result.dataset['pairs']} pairs"
    err().print(table(title, ["metric", *sets], rows))
    _show_remarks([result])


def show_models(results: Sequence[Result]) -> None:
    """Print the scores of several models, a column each: overall, for each group, macro."""
    first = results[0]
    group_name = first.dataset.get("group_name") or "group"
    sets = {f"all {first.dataset['pairs']} pairs": [result.metrics for result in results]}
    for name, group in first.groups.items():
        title = f"{group_name} {name}, {group.n} pairs"
        sets[title] = [result.groups[name].metrics for result in results]
    if first.groups:
        sets[f"macro mean over {group_name}"] = [result.macro for result in results]
    columns = ["metric", *(str(result.model["name"]) for result in results)]
    for title, by_model in sets.items():
        rows = []
        for name in first.metrics:
            records = [metrics[name] for metrics in by_model]
            if not all(map(_is_missing, records)):
                rows.append([_title(name, records[0]), *_beside(records)])
        err().print(table(f"{first.dataset['name']}, {title}", columns, rows))
    _show_remarks(results)


def _show_remarks(results: Sequence[Result]) -> None:
    """Print why overall values are missing, and what a reader must know of the others."""
    for name in results[0].metrics:
        remarks: dict[str, list[str]] = {}
        for result in results:
            record = result.metrics[name]
            reasons = [record.unavailable] if record.unavailable else [*record.notes]
            for reason in reasons:
                remarks.setdefault(reason, []).append(str(result.model["name"]))
        for reason, models in remarks.items():
            whose = "" if len(models) == len(results) else f" ({', '.join(models)})"
            say("", lead=f"  {name}{escape(whose)}: [dim]{escape(reason)}[/]")


def _title(name: str, record: MetricRecord) -> str:
    arrow = {"higher": " ↑", "lower": " ↓"}.get(record.better or "", "")
    return f"{name}{f' ({record.unit})' if record.unit else ''}{arrow}"


def _beside(records: Sequence[MetricRecord]) -> list[str]:
    """Return the cells of one metric, the best in bold; of equal ones none is best."""
    cells, better = [_value(record) for record in records], records[0].better
    known = {record.value for record in records if record.value is not None}
    if better is None or len(known) < 2:
        return cells
    best = max(known) if better == "higher" else min(known)
    return [
        f"[bold]{cell}[/]" if record.value == best else cell
        for cell, record in zip(cells, records, strict=True)
    ]


def _value(record: MetricRecord | None) -> str:
    if record is None or _is_missing(record):
        return "–"
    if record.value is None:  # JSON has no infinity; notes say how many pairs have it
        return "inf"
    return f"{record.value:.4g}" if abs(record.value) < 1000 else f"{record.value:.0f}"


def _is_missing(record: MetricRecord) -> bool:
    return record.value is None and bool(record.unavailable)
