"""What boards say beside their numbers: footnotes, budgets, hardware."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from i2ibench.escaping import address, code, markdown
from i2ibench.evaluation.scores import Better
from i2ibench.leaderboard.placement import Ranking
from i2ibench.leaderboard.rows import OVERALL, Cell, Column, Row, Track
from i2ibench.metrics.presentation import (
    beside,
    column_title,
    metric_title,
    number,
    sign_of,
    summary,
)
from i2ibench.statistics.bootstrap import FEWEST_UNITS
from i2ibench.statistics.design_effect import CORRELATIONS, design_effect
from i2ibench.wording import NO_VALUE


@dataclass(slots=True)
class Footnotes:
    """Notes numbered in the order of their first use; equal notes share a mark.

    ``marks``: ``"1"`` for numbers, ``"a"`` for letters.
    """

    marks: str
    notes: list[str] = field(default_factory=list)

    def mark(self, note: str) -> str:
        """Return the mark of ``note``, made on first use."""
        if note not in self.notes:
            self.notes.append(note)
        return self._name(self.notes.index(note))

    def lines(self) -> list[tuple[str, str]]:
        """All marks with their notes."""
        return [(self._name(index), note) for index, note in enumerate(self.notes)]

    def _name(self, index: int) -> str:
        if self.marks == "1":
            return str(index + 1)
        letters = ""
        while index >= 0:
            letters = chr(ord("a") + index % 26) + letters
            index = index // 26 - 1
        return letters


def column_note(column: Column, groups: str | None = None) -> str:
    """Return what a column is: in words, signature, unit, direction, and what belongs beside it.

    ``groups``: what the groups of its pairs are, e.g. ``"HER2"``.
    """
    better = f"{column.better} is better" if column.better else "a description, without direction"
    unit = f", in {markdown(column.unit)}" if column.unit else ""
    signature = code(column.signature) if column.signature else "Not computed in any entry"
    more = beside(column.metric, None if groups is None else markdown(groups))
    what = summary(column.metric)
    definition = "; ".join(filter(None, [f"{signature}{unit}", better, more]))
    return f"{title(column.metric)}: {' '.join(filter(None, [what, definition]))}"


def title(metric: str) -> str:
    """Return a metric's title for a page; of a metric that nobody here knows, its name."""
    return markdown(metric_title(metric))


def heading(metric: str, better: Better | None) -> str:
    """Return a metric's title with its arrow for a page."""
    return markdown(column_title(metric, better))


def kind(row: Row) -> str:
    """Say what a row is where it bears no claim about a method; nothing of a method."""
    if row.result.model.saw_test_targets:
        return "saw the test targets"
    if row.is_oracle:
        return "oracle"
    return "" if row.is_method else "one set of weights"


def signs(row: Row) -> list[tuple[str, str]]:
    """Return what a metric's value says of a row beyond the number, and why: ``unstained``."""
    found = []
    for column, cell in row.tables.get(OVERALL, {}).items():
        known = None if cell.value is None else sign_of(column.metric, cell.value)
        if known is not None and cell.value is not None:
            word, below = known
            value = number(cell.value, column.metric)
            found.append((word, f"{word}: {metric_title(column.metric)} {value}, below {below:g}"))
    return found


def ranking_words(ranking: Ranking) -> list[str]:
    """Say by what the rows are ordered, what was ranked, and what could not be."""
    sentences = []
    if ranking.ordered_by:
        sentences.append(f"Ordered by {title(ranking.ordered_by.metric)}.")
    standings = [placed.standings for placed in ranking.rows]
    ranked = [c for c in ranking.columns if any(c in s and s[c].rank for s in standings)]
    compared = [
        c
        for c in ranking.columns
        if c not in ranked and any(c in s and s[c].claim for s in standings)
    ]
    few = [c for c in ranking.columns if c not in ranked and c not in compared]
    if ranked:
        sentences.append(f"Ranked, each by itself: {_titles(ranked)}.")
    if compared:
        sentences.append(f"Compared, as sets of weights: {_titles(compared)}.")
    if few:
        sentences.append(
            f"Not ranked, defined on fewer than {FEWEST_UNITS} units or on too few rows to test: "
            f"{_titles(few)}."
        )
    if ranking.untested:
        titles = _titles(ranking.untested)
        sentences.append(f"Not ranked, without scores per pair of two rows to test: {titles}.")
    return sentences


def hidden_clusters(track: Track) -> list[str]:
    """Warn where pairs depend on each other and nobody says which: what intervals then become.

    By the record of the data set: ``clusters_unknown``, and ``clusters``, where their number at
    least is known.
    """
    described = track.dataset.model_dump()
    if not described.get("clusters_unknown"):
        return []
    sentence = "Pairs of one slide depend on each other, and which they are is not published:"
    sentence += " intervals and ranks take pairs as independent, and are too sure."
    pairs, clusters = described.get("pairs"), described.get("clusters")
    if not isinstance(pairs, int) or not isinstance(clusters, int) or clusters < 1:
        return [sentence]
    factors = [
        f"{math.sqrt(design_effect(pairs, clusters, each)):.1f} at {each}" for each in CORRELATIONS
    ]
    return [
        f"{sentence} With the {clusters} slides that are told, intervals become wider by these "
        f"factors, by how much pairs of a slide correlate: {', '.join(factors)}."
    ]


def _titles(columns: Sequence[Column]) -> str:
    return ", ".join(title(column.metric) for column in columns)


def small_print(*lines: str) -> str:
    """Return further lines of a cell in small type."""
    return "".join(f"<br><sub>{line}</sub>" for line in lines if line)


def shared_notes(cells: list[Cell]) -> tuple[str, ...]:
    """Return the notes that every cell with a value carries."""
    noted = [cell.notes for cell in cells if cell.value is not None]
    if not noted:
        return ()
    return tuple(note for note in noted[0] if all(note in other for other in noted))


def budget(row: Row) -> str:
    """Say what the method was trained on and for how long, from its record."""
    training, result = row.result.training, row.result
    is_unknown = not training and result.cost.train_seconds is None
    if is_unknown or (result.model.method and training.steps is None):
        said = result.model.method or {}
        known = [said.get(key) for key in ("training_data", "training_budget")]
        return "; ".join(str(each) for each in known if each) or "not stated"
    if not training:
        return "none" if not result.cost.train_seconds else "closed form"
    parts: list[str] = []
    epochs = [each for each in (training.epochs, training.decay_epochs) if each is not None]
    if epochs:
        parts.append(f"{sum(epochs)} epochs")
    if not epochs and training.pairs is not None:
        parts.append(f"its own program, {training.pairs} pairs")
    if training.steps is not None:
        parts.append(f"{training.steps} steps")
    if training.batch_size is not None:
        parts.append(f"batch {training.batch_size}")
    images = training.images or {}
    parts += [f"{key} {images[key]}" for key in ("resize", "crop") if images.get(key)]
    if training.precision not in (None, "fp32"):
        parts.append(training.precision)
    return ", ".join(parts)


def device(row: Row) -> str:
    """Name the hardware of a row; where predictions were given, what its authors say."""
    if row.result.model.is_external:
        return str((row.result.model.method or {}).get("hardware") or NO_VALUE)
    environment = row.result.environment
    if (environment.device or "").startswith("cuda"):
        return environment.gpu or "GPU"
    cores = environment.torch_threads or environment.cpu_count
    if not cores:
        return NO_VALUE
    return "CPU, 1 thread" if cores == 1 else f"CPU, {cores} threads"


def parameters(row: Row) -> str:
    """Return the number of parameters: counted, or as its authors say."""
    model = row.result.model
    number = (model.method or {}).get("parameters") if model.parameters is None else None
    number = model.parameters if number is None else number
    return f"{number:,}" if isinstance(number, int) else NO_VALUE


def mean_cost(row: Row, key: str) -> float | None:
    """Return the mean over entries of what a stage cost, None where no entry says."""
    found = [getattr(entry.result.cost, key) for entry in row.entries]
    numbers = [float(value) for value in found if isinstance(value, int | float)]
    return sum(numbers) / len(numbers) if numbers else None


def interval_words(track: Track) -> str:
    """Say how the intervals of a track were made, nothing where none were."""
    made = next((row.intervals.statement for row in track.rows if row.intervals), None)
    recorded = next((r.result.intervals for r in track.rows if r.result.intervals), None)
    statement = made or (recorded.model_dump() if recorded else None)
    if not statement or not statement.keys() >= {"unit", "units", "resamples", "method"}:
        return ""
    number = statement["units"]
    unit, kinds = (
        ("pair", "") if statement["unit"] == "pair" else ("cluster", " (slides or patients)")
    )
    plural = "" if number == 1 else "s"
    return (
        f"Intervals: {statement['method']}, {statement['resamples']} resamples of "
        f"{number} {unit}{plural}{kinds}."
    )


def described(row: Row) -> list[str]:
    """Return what the authors of a method say of it in markdown: title, names, addresses."""
    said = row.result.model.method or {}
    links = [
        f"[{key}]({address(str(said[key]))})"
        for key in ("paper", "code")
        if str(said.get(key, "")).startswith(("https://", "http://"))
    ]
    authors = ", ".join(map(str, said.get("authors") or []))
    parts = [markdown(str(said.get("title") or "")), markdown(authors), ", ".join(links)]
    return [part for part in parts if part]
