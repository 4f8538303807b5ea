"""Sections of a campaign's report: methods, costs, curves, each from its finished runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from i2ibench.campaigns.cell_results import CellResults, main_metrics, place_of, with_values
from i2ibench.campaigns.costs import cost_rows
from i2ibench.leaderboard.placement import rank_track
from i2ibench.leaderboard.rows import MACRO, Track, tracks
from i2ibench.metrics.presentation import column_title
from i2ibench.results.cells import NumberCell
from i2ibench.web.charts import line_chart
from i2ibench.web.curves import read_curves
from i2ibench.web.report_page import Cell, Charts, Section
from i2ibench.wording import count, some


def method_sections(cells: Sequence[CellResults]) -> list[Section]:
    """Return the table of methods of each data set and protocol, ranked over seeds and images."""
    sections = []
    for dataset in dict.fromkeys(cell.runs[0].dataset for cell in cells):
        entries = [
            entry
            for cell in cells
            if cell.runs[0].dataset == dataset
            for entry in cell.entries.values()
        ]
        sections += [_methods(dataset, track) for track in tracks(entries)]
    return sections


def _methods(dataset: str, track: Track) -> Section:
    ranking = rank_track(track)
    shown = with_values(track)
    header = ["method", "seeds"]
    for column, table in shown:
        title = column_title(column.metric, column.better)
        header.append(f"{title}, mean of levels" if table == MACRO else title)
    rows = []
    for placed in ranking.rows:
        row = placed.row
        kind = "" if row.is_method or row.is_oracle else "one set of weights"
        cells = [_ranked_cell(placed.cell(*each)) for each in shown]
        seeds = str(len(row.first_of_each_seed))
        rows.append(((row.label, "oracle" if row.is_oracle else kind), (seeds, ""), *cells))
    title = f"Methods on {dataset}, {track.protocol}, {track.dataset.pairs} pairs"
    single = [placed.row.label for placed in ranking.rows if not placed.row.is_method]
    notes = [
        "Ranks: tests over seeds and images at once, two methods at a time. Small print: 95 % "
        "interval of the mean over other images; ± standard deviation over seeds; #1-3: the ranks "
        "that the tests leave open. +3 -1 of 5: one set of weights, surely better than 3 and "
        "surely worse than 1 of the 5 others; it says nothing of the method's other seeds."
    ]
    if single:
        notes.append(f"Of a single training, so without a rank: {some(single)}.")
    return Section(title, tuple(notes), tuple(header), tuple(rows))


def _ranked_cell(cell: NumberCell) -> Cell:
    spread = f"± {cell.deviation}" if cell.deviation else ""
    return cell.text, "  ".join(filter(None, [cell.interval, spread, cell.place]))


def cost_sections(cells: Sequence[CellResults]) -> list[Section]:
    """Return cost beside quality, one table a data set and protocol."""
    sections = []
    for place in dict.fromkeys(place_of(cell) for cell in cells):
        own = [cell for cell in cells if place_of(cell) == place and cell.entries]
        if not own:
            continue
        metrics = main_metrics(own[0])[:3]
        header, rows, notes = cost_rows(own, metrics)
        title = f"Cost beside quality on {place[0]}, {place[1]}"
        sections.append(Section(title, notes, header, rows))
    return sections


def curve_sections(cells: Sequence[CellResults]) -> list[Section]:
    """Return the losses of every trained cell, means over its finished seeds; once a training."""
    charts: list[Charts] = []
    seen: set[str] = set()
    for cell in cells:
        runs = [run for run in cell.runs if run.options.seed in cell.entries]
        runs = [run for run in runs if run.training and run.training not in seen]
        seen.update(run.training for run in runs)
        files = [run.folder.curves for run in runs if run.folder is not None]
        curves = [read_curves(path) for path in files if path.exists()]
        curves = [each for each in curves if each]
        if not curves:
            continue
        drawn = []
        for name, (steps, _) in curves[0].items():
            of_seeds = [columns[name][1] for columns in curves if name in columns]
            shortest = min(map(len, of_seeds))
            mean = np.mean([values[:shortest] for values in of_seeds], axis=0)
            drawn.append(line_chart(name, steps[:shortest], mean))
        title = f"{cell.label} on {cell.runs[0].dataset}, {count(len(curves), 'seed')}"
        charts.append(Charts(title, tuple(drawn)))
    if not charts:
        return []
    note = "Over steps; means over the finished seeds, averaged in blocks where there are many."
    return [Section("Curves", (note,), charts=tuple(charts))]
