"""Sections of a campaign's report that pair runs by their seed: the endpoint, what is varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from i2ibench.campaigns.cell_results import CellResults, main_metrics, place_of
from i2ibench.campaigns.endpoint import CellName, Endpoint
from i2ibench.comparison.tables import probability
from i2ibench.errors import DataError, UsageError
from i2ibench.metrics.presentation import column_title
from i2ibench.results.cells import NumberCell
from i2ibench.statistics.bootstrap import Floats
from i2ibench.statistics.paired_tests import holm
from i2ibench.statistics.seed_differences import FEWEST_SEEDS, SeedDifference, seed_difference
from i2ibench.web.report_page import Cell, Section
from i2ibench.wording import NO_VALUE, count, some

# So many seeds' own differences stand in small print.
_SHOWN_SEEDS = 8
_HEADER = ("first", "second", "difference", "95 %", "p", "p, Holm", "seeds")
_PAIRED = (
    "Differences are means over the seeds that both sides have; interval and p: paired t-test "
    "over these seeds. So they are about other seeds on these test images, not about other images. "
    "Small print: each seed's own difference."
)


def endpoint_sections(
    endpoint: Endpoint, cells: Sequence[CellResults], models: Mapping[str, str]
) -> list[Section]:
    """Return the test of what was named beforehand, and what is told beside it.

    Args:
        endpoint: of the file.
        cells: of the campaign.
        models: by their names in the file, as options have them.

    Raises:
        UsageError: the campaign has no such cell, or no finished run such a metric or group.
    """
    place = _place(endpoint, cells)
    sides = [(_side(a, place, models), _side(b, place, models)) for a, b in endpoint.compare]
    _check_records(endpoint, [side for pair in sides for side in pair])
    [*values], found = _paired(sides, endpoint.metric, endpoint.group)
    names = [(f"{one.label} less {other.label}",) for one, other in sides]
    pairs = endpoint.group or "all pairs"
    notes = [
        f"{endpoint.metric} of {pairs}, named in the campaign's file as what decides.",
        _PAIRED,
    ]
    for (one, other), (given, _), test in zip(sides, values, found, strict=True):
        done = 0 if test is None else test.seeds
        if done < len(given):
            notes.append(
                f"Not complete: {one.label} less {other.label} has {done} of its "
                f"{count(len(given), 'planned seed')}. A test that is looked at before all are "
                "there is not the one that was planned."
            )
    header = ("comparison", *_HEADER)
    rows = _rows(names, [endpoint.metric] * len(names), values, found)
    sections = [Section("Endpoint", (*notes, *_few(found)), header, rows)]
    if endpoint.secondary:
        sections.append(_secondary(endpoint, sides))
    return sections


def _secondary(endpoint: Endpoint, sides: Sequence[tuple[CellResults, CellResults]]) -> Section:
    """Return the endpoint's comparisons in other metrics, without a test."""
    labels, named, values, found = [], [], [], []
    for one, other in sides:
        for metric in endpoint.secondary:
            pair, tests = _paired([(one, other)], metric, None)
            labels.append((f"{one.label} less {other.label}", metric))
            named.append(metric)
            values += pair
            found += [each and replace(each, p_value=None) for each in tests]
    rows = _rows(labels, named, values, found)
    notes = ("Of all pairs; told without a claim, so without a test.", _PAIRED)
    header = ("comparison", "metric", *_HEADER)
    return Section("Beside the endpoint", notes, header, rows, words=2)


def _paired(
    sides: Sequence[tuple[CellResults, CellResults]], metric: str, group: str | None
) -> tuple[list[tuple[Floats, Floats]], list[SeedDifference | None]]:
    """Return the values of the seeds that are planned on both sides, and what they say."""
    values = []
    for one, other in sides:
        if len(one.signatures(metric, group) | other.signatures(metric, group)) > 1:
            raise DataError(
                f"{metric} of {one.label} and {other.label} has several definitions among the "
                "seeds, which do not compare; evaluate the older runs again"
            )
        seeds = [seed for seed in one.seeds if seed in other.seeds]
        values.append((one.values(metric, group, seeds), other.values(metric, group, seeds)))
    return values, [seed_difference(one, other) for one, other in values]


def varied_sections(cells: Sequence[CellResults]) -> list[Section]:
    """Return what each varied setting does, against the usual settings of its model."""
    sections = []
    for usual in cells:
        if usual.runs[0].varied or not usual.entries:
            continue
        varied = [cell for cell in cells if cell.runs[0].varied and _same_place(cell, usual)]
        varied = [cell for cell in varied if cell.entries]
        if varied:
            sections.append(_varied(usual, varied))
    return sections


def _varied(usual: CellResults, varied: Sequence[CellResults]) -> Section:
    metrics = main_metrics(usual)
    labels, named, values, found = [], [], [], []
    for cell in varied:
        for metric in metrics:
            pair, tests = _paired([(cell, usual)], metric, None)
            record = usual.record(metric)
            title = column_title(metric, None if record is None else record.better)
            labels.append((cell.runs[0].variation, title))
            named.append(metric)
            values += pair
            found += tests
    run = usual.runs[0]
    rows = _rows(labels, named, values, found)
    return Section(
        f"What is varied: {run.model} on {run.dataset}, {run.protocol}",
        (f"First: as varied; second: the usual settings of {run.model}.", _PAIRED, *_few(found)),
        ("varied", "metric", *_HEADER),
        rows,
        words=2,
    )


def _rows(
    labels: Sequence[tuple[str, ...]],
    metrics: Sequence[str],
    values: Sequence[tuple[Floats, ...]],
    found: Sequence[SeedDifference | None],
) -> tuple[tuple[Cell, ...], ...]:
    """Return the rows of a table of differences, corrected together by Holm."""
    tested = [n for n, each in enumerate(found) if each is not None and each.p_value is not None]
    raw = [each.p_value for each in found if each is not None and each.p_value is not None]
    corrected = dict(zip(tested, holm(raw).tolist(), strict=True))
    rows = []
    for number, (label, metric, pair, test) in enumerate(
        zip(labels, metrics, values, found, strict=True)
    ):
        known = np.isfinite(pair[0]) & np.isfinite(pair[1])
        means = [_mean_cell(side[known], metric) for side in pair]
        own = pair[0][known] - pair[1][known]
        rows.append(
            (
                *((text, "") for text in label),
                *means,
                *_difference_cells(test, metric, own, pair, corrected.get(number)),
            )
        )
    return tuple(rows)


def _mean_cell(values: Floats, metric: str) -> Cell:
    if not len(values):
        return NO_VALUE, ""
    spread = float(values.std(ddof=1)) if len(values) > 1 else None
    cell = NumberCell(float(values.mean()), metric, spread=spread)
    return cell.text, f"± {cell.deviation}" if cell.deviation else ""


def _difference_cells(
    test: SeedDifference | None,
    metric: str,
    own: Floats,
    pair: tuple[Floats, ...],
    corrected: float | None,
) -> list[Cell]:
    if test is None:
        return [(NO_VALUE, "")] * 4 + [("0", "")]
    like = float(np.nanmax(np.abs(np.concatenate(pair))))

    def signed(value: float) -> NumberCell:
        return NumberCell(value, metric, test.interval, like=like, style="signed")

    of_seeds = some([signed(float(each)).text for each in own], _SHOWN_SEEDS)
    cell = signed(test.difference)
    return [
        (cell.text, of_seeds if test.seeds > 1 else ""),
        (cell.interval or NO_VALUE, ""),
        (_p(test.p_value), ""),
        (_p(corrected), ""),
        (str(test.seeds), f"{test.higher} higher"),
    ]


def _few(found: Sequence[SeedDifference | None]) -> list[str]:
    """Return what few seeds cannot carry."""
    seeds = [0 if each is None else each.seeds for each in found]
    if min(seeds) >= FEWEST_SEEDS:
        return []
    return [
        f"With fewer than {FEWEST_SEEDS} seeds on both sides nothing is said of other seeds: "
        "no interval and no test."
    ]


def _p(p_value: float | None) -> str:
    return NO_VALUE if p_value is None else probability(p_value)


def _same_place(cell: CellResults, other: CellResults) -> bool:
    same = cell.runs[0].options.model == other.runs[0].options.model
    return same and place_of(cell) == place_of(other)


def _place(endpoint: Endpoint, cells: Sequence[CellResults]) -> list[CellResults]:
    """Return the cells of the endpoint's data set and protocol."""
    datasets = [*dict.fromkeys(cell.runs[0].dataset for cell in cells)]
    dataset = endpoint.dataset or datasets[0]
    of_set = [cell for cell in cells if cell.runs[0].dataset == dataset]
    if not of_set:
        raise UsageError(f"endpoint: no run on {dataset}; there are {some(datasets)}")
    protocol = endpoint.protocol or of_set[0].runs[0].protocol
    found = [cell for cell in of_set if cell.runs[0].protocol == protocol]
    if not found:
        known = [*dict.fromkeys(cell.runs[0].protocol for cell in of_set)]
        raise UsageError(f"endpoint: no run by {protocol}; there are {some(known)}")
    return found


def _side(name: CellName, cells: Sequence[CellResults], models: Mapping[str, str]) -> CellResults:
    for cell in cells:
        run = cell.runs[0]
        if run.options.model == models[name.model] and dict(run.varied) == name.settings:
            return cell
    raise UsageError(
        f"endpoint: no run of {name}; there are {some([cell.label for cell in cells])}"
    )


def _check_records(endpoint: Endpoint, sides: Sequence[CellResults]) -> None:
    """Check that finished runs have what the endpoint names."""
    for result in (result for side in sides for result in side.results):
        if endpoint.group is not None and endpoint.group not in result.groups:
            known = some([*result.groups]) or "none"
            raise UsageError(f"endpoint: no pairs of group {endpoint.group}; groups are {known}")
        for metric in (endpoint.metric, *endpoint.secondary):
            if metric not in result.metrics:
                raise UsageError(
                    f"endpoint: {metric} is not in the records; add it to the protocol, or to the "
                    f"runs by i2ibench evaluate RUN --metrics {metric}"
                )
