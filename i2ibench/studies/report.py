"""``study import``: answers opened with the key of their study, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2ibench.errors import DataError, UsageError
from i2ibench.notebook import Printed, Table
from i2ibench.studies.answers import Reader, read_answers
from i2ibench.studies.estimates import Estimate
from i2ibench.studies.human_ceilings import Ceiling, ceilings
from i2ibench.studies.key import Key, Rating, read_key
from i2ibench.studies.metric_agreement import MetricAgreement, metric_agreements
from i2ibench.studies.reader_agreement import (
    Alphas,
    TwoReaders,
    alphas,
    between_readers,
    within_readers,
)
from i2ibench.studies.readings import (
    LevelReading,
    RealOrNot,
    Strengths,
    level_readings,
    preferences,
    turing,
)
from i2ibench.studies.tables_of_answers import REAL, preferred, rated
from i2ibench.wording import count

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ReaderFacts:
    """A reader and how much was answered.

    Attributes:
        code: of the reader.
        file: name of the file.
        answered, asked: items.
        complete: whether all were answered.
        unread: ratings without a level.
        seconds: spent on all answers.
    """

    code: str
    file: str
    answered: int
    asked: int
    complete: bool
    unread: int
    seconds: float


@dataclass(frozen=True, slots=True, repr=False)
class StudyReport(Printed):
    """Everything that the readers of a study say; intervals are over slides, for these readers.

    Attributes:
        study: the hash that binds page, key and answers.
        dataset: name of the data set.
        level_name: what the levels are, e.g. ``"HER2"``; None where none was asked for.
        levels: in their order.
        readers: who answered how much.
        between, within: agreement of every two readers, and of each with the second sight.
        alphas: Krippendorff's alpha over all readers.
        readings: of levels, by maker, reader and level; empty where none was asked for.
        real_by_maker, real_by_reader: how often images are taken for real.
        strengths: of the makers, by preferences.
        metrics: how far each agrees with the readers.
        ceilings: published agreement of people on these levels.
        notes: what a reader of the tables must know.
    """

    study: str
    dataset: str
    level_name: str | None
    levels: tuple[str, ...]
    readers: tuple[ReaderFacts, ...]
    between: tuple[TwoReaders, ...]
    within: tuple[TwoReaders, ...]
    alphas: Alphas
    readings: Mapping[str, Sequence[LevelReading]]
    real_by_maker: tuple[RealOrNot, ...]
    real_by_reader: tuple[RealOrNot, ...]
    strengths: Strengths
    metrics: tuple[MetricAgreement, ...]
    ceilings: tuple[Ceiling, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        content = _json(self)
        for each, shown in zip(self.real_by_reader, content["real_by_reader"], strict=True):
            shown["balanced_accuracy"] = each.balanced_accuracy
        found: dict[str, Any] = content
        return found

    def to_markdown(self) -> str:
        """Return the report as markdown tables, for a paper's supplement or a repository."""
        from i2ibench.studies.report_tables import report_markdown

        return report_markdown(self)

    def tables(self) -> list[Table]:
        """Return title, header and rows of every table."""
        from i2ibench.studies.report_tables import report_tables

        return report_tables(self)

    def _lines(self) -> Sequence[str]:
        answered = sum(each.answered for each in self.readers)
        return [
            f"study {self.study[:12]} on {self.dataset}: {count(len(self.readers), 'reader')}, "
            f"{count(answered, 'answer')}",
            *self.notes[:2],
        ]

    def _tables(self) -> Iterable[Table]:
        yield from self.tables()


def import_study(
    key: str | Path,
    answers: str | Path | Sequence[str | Path],
    *,
    on_fault: Callable[[DataError], None] | None = None,
) -> StudyReport:
    """Open the answers of a study's readers with its key, and say what they show.

    >>> copy = i2ibench.run(model="copy", dataset="my-data", device="cpu")
    >>> study = i2ibench.export_study(copy.folder, "read", images=1, comparisons=0, repeats=0)
    >>> import json
    >>> said = {"place": 0, "seconds": 3.5, "level": "2+", "real": True}
    >>> items = json.loads(study.key.read_text())["items"]
    >>> file = {"format": "i2ibench study answers", "schema": 1, "study": study.study,
    ...         "reader": "R1", "started": "", "saved": "", "complete": True,
    ...         "answers": {name: said for name in items}}
    >>> written = open("R1.json", "w").write(json.dumps(file))
    >>> report = i2ibench.import_study(study.key, "R1.json")
    >>> report.readings["maker"][0].accuracy.value
    0.25

    Args:
        key: the study's ``.key.json``.
        answers: files that readers saved, one each.
        on_fault: called with what is wrong with each file, before the error.

    Raises:
        UsageError: no file of answers.
        DataError: a key that was edited; faulty files of answers, all told together; answers of
            another study.
    """
    paths = [answers] if isinstance(answers, str | Path) else list(answers)
    if not paths:
        raise UsageError("no answers; give the files that readers saved")
    opened = read_key(Path(key))
    readers = read_answers([Path(each) for each in paths], opened, on_fault)
    return report_of(readers, opened)


def report_of(readers: Sequence[Reader], key: Key) -> StudyReport:
    """Return what answers say; of readers with at least one answer each."""
    ratings, comparisons = rated(readers, key), preferred(readers, key)
    makers = [REAL, *key.methods]
    strengths = preferences(comparisons, makers)
    agreements, left_out = metric_agreements(ratings, comparisons, strengths, key)
    of_makers, of_readers = turing(ratings, makers)
    size = len(key.levels)
    return StudyReport(
        study=key.study,
        dataset=key.dataset.name,
        level_name=key.dataset.group_name if key.levels else None,
        levels=key.levels,
        readers=tuple(_facts(each, key) for each in readers),
        between=tuple(between_readers(ratings, comparisons, size)),
        within=tuple(within_readers(ratings, comparisons, size)),
        alphas=alphas(ratings, comparisons, size),
        readings=level_readings(ratings, makers, key.levels) if size else {},
        real_by_maker=tuple(of_makers),
        real_by_reader=tuple(of_readers),
        strengths=strengths,
        metrics=tuple(agreements),
        ceilings=ceilings(key.dataset.group_name) if size else (),
        notes=(*_notes(readers, key, ratings), *left_out, *key.notes),
    )


def _facts(reader: Reader, key: Key) -> ReaderFacts:
    ratings = [
        answer for name, answer in reader.answers.items() if isinstance(key.items[name], Rating)
    ]
    return ReaderFacts(
        reader.code,
        reader.path.name,
        len(reader.answers),
        reader.asked,
        reader.complete,
        sum(each.level is None for each in ratings) if key.levels else 0,
        round(sum(each.seconds for each in reader.answers.values()), 1),
    )


def _notes(readers: Sequence[Reader], key: Key, ratings: pd.DataFrame) -> list[str]:
    notes = []
    parts = [each for each in readers if not each.complete]
    if parts:
        listed = ", ".join(f"{each.code} {len(each.answers)} of {each.asked}" for each in parts)
        notes.append(f"incomplete, what is answered counts: {listed}")
    clustered = any(each.cluster is not None for each in key.pairs.values())
    unit = "clusters (slides or patients)" if clustered else "pairs"
    notes.append(
        f"Intervals are 95 %, over {unit}, for these readers and methods. What a reader saw a "
        "second time counts for self-agreement alone. Kappa is quadratic-weighted."
    )
    if not clustered and key.dataset.clusters_unknown:
        notes.append(
            "The slides of this data set are not published: pairs of one slide depend, and the "
            "intervals are too narrow."
        )
    unread = int((ratings["read"] < 0).sum()) if key.levels else 0
    if unread:
        notes.append(f"{count(unread, 'rating')} without a level (cannot be read) count nowhere")
    return notes


def _json(value: Any) -> Any:
    if isinstance(value, Estimate):
        return value.to_json()
    if is_dataclass(value) and not isinstance(value, type):
        return {
            each.name: _json(getattr(value, each.name))
            for each in fields(value)
            if each.name not in {"resampled", "units"}
        }
    if isinstance(value, Mapping):
        return {name: _json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json(each) for each in value]
    return value
