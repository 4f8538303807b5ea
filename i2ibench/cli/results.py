"""How the command line shows results: the scores of one model, or of several beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from i2ibench.cli.terminal import answer, escape, out, say, table
from i2ibench.results.cells import record_cell
from i2ibench.wording import count

if TYPE_CHECKING:
    from i2ibench.results.record import MetricRecord, Result

# Columns of the terminal that the names of metrics take, and that the numbers of a model need.
_METRIC_WIDTH, _VALUE_WIDTH = 28, 10


def show_result(result: Result, *, beside_json: bool = False) -> None:
    """Print the scores of one result, overall, per group and macro; below them what marks them."""
    group_name = result.dataset.group_name or "group"
    sets = {"overall": result.metrics}
    sets.update({f"{group_name} {name}": g.metrics for name, g in result.groups.items()})
    if result.groups:
        sets["macro"] = result.macro
    rows = [
        [_title(name, record), *(_cell(metrics.get(name)) for metrics in sets.values())]
        for name, record in result.metrics.items()
        if not _is_missing(record)
    ]
    where = f"{result.model.name} on {result.dataset.name}"
    title = f"{where}, {count(_size(result), 'pair')}"
    answer(table(title, ["metric", *sets], rows, markup=True), beside_json=beside_json)
    _show_remarks([result], beside_json)


def show_models(results: Sequence[Result], *, beside_json: bool = False) -> None:
    """Print the scores of several models, a column each: overall, for each group, macro."""
    first = results[0]
    group_name = first.dataset.group_name or "group"
    sets = {f"all {count(_size(first), 'pair')}": [result.metrics for result in results]}
    for name, group in first.groups.items():
        title = f"{group_name} {name}, {count(group.n, 'pair')}"
        sets[title] = [result.groups[name].metrics for result in results]
    if first.groups:
        sets[f"macro mean over {group_name}"] = [result.macro for result in results]
    models = [result.model.name for result in results]
    at_once = max(1, (out().width - _METRIC_WIDTH) // _VALUE_WIDTH)
    for title, by_model in sets.items():
        rows = []
        for name in first.metrics:
            records = [metrics[name] for metrics in by_model]
            if not all(map(_is_missing, records)):
                rows.append([_title(name, records[0]), *_beside(records)])
        for start in range(0, len(models), at_once):  # a number is never broken over two lines
            columns = slice(start, start + at_once)
            shown = [[row[0], *row[1:][columns]] for row in rows]
            header = ["metric", *models[columns]]
            answer(
                table(f"{first.dataset.name}, {title}", header, shown, markup=True),
                beside_json=beside_json,
            )
    _show_remarks(results, beside_json)


def _show_remarks(results: Sequence[Result], beside_json: bool) -> None:
    """Print why overall values are missing, and what a reader must know of the others.

    What holds for several metrics is said once.
    """
    said: dict[tuple[str, str], list[str]] = {}
    for name in results[0].metrics:
        remarks: dict[str, list[str]] = {}
        for result in results:
            record = result.metrics[name]
            for reason in [record.unavailable] if record.unavailable else [*record.notes]:
                remarks.setdefault(reason, []).append(result.model.name)
        for reason, models in remarks.items():
            whose = "" if len(models) == len(results) else f" ({', '.join(models)})"
            said.setdefault((reason, whose), []).append(name)
    for (reason, whose), names in said.items():
        line = f"  {escape(', '.join(names) + whose)}: [dim]{escape(reason)}[/]"
        answer("", lead=line, beside_json=beside_json)
    if results[0].dataset.clusters_unknown:
        number = results[0].dataset.clusters
        slides = f"the {number} slides" if number else "the slides"
        line = (
            f"  [dim]intervals are over single pairs, and too narrow: which of {slides} a pair is "
            "from is not published[/]"
        )
        answer("", lead=line, beside_json=beside_json)


def _size(result: Result) -> int:
    return result.dataset.pairs or 0


def _title(name: str, record: MetricRecord) -> str:
    arrow = {"higher": " ↑", "lower": " ↓"}.get(record.better or "", "")
    return f"{escape(f'{name} ({record.unit})' if record.unit else name)}{arrow}"


def _cell(record: MetricRecord | None) -> str:
    return record_cell(record, style="short").text


def _beside(records: Sequence[MetricRecord]) -> list[str]:
    """Return the cells of one metric; none is bold, since no test has said that one is better."""
    return [record_cell(record, style="short").text for record in records]


def _is_missing(record: MetricRecord) -> bool:
    return record.value is None and bool(record.unavailable)


def say_page(page: object, dataset: str, *, with_pictures: bool) -> None:
    """Tell where a page lies, and whether its pictures may not be published."""
    from i2ibench.web.licence import kept_private

    say(f"page         {page}")
    private = kept_private(dataset) if with_pictures else ""
    if private:
        say(f"note         {private}; for a page to publish: --without-pictures")
