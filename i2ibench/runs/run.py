"""The main job: train, translate, evaluate, board. The only place that knows the order."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import UsageError
from i2ibench.executors import Executor
from i2ibench.leaderboard.board import Board, board_page, write_board
from i2ibench.leaderboard.entries import EntryExistsError, add_entry
from i2ibench.notebook import Picture, Printed, Table
from i2ibench.results.pair_scores import read_pair_scores
from i2ibench.results.record import Result
from i2ibench.results.record_files import read_result
from i2ibench.results.record_tables import result_lines, result_table
from i2ibench.runs.add_metrics import (
    add_metrics,
    metrics_to_add,
    predictions_are_those_scored,
    undo_half_addition,
)
from i2ibench.runs.evaluate_stage import evaluate_stage
from i2ibench.runs.folder import RunFolder, is_first_process, working_in
from i2ibench.runs.notebook_reporter import reporter_here
from i2ibench.runs.options import Options
from i2ibench.runs.plan import Plan, Verb, resolve
from i2ibench.runs.report_stage import write_report
from i2ibench.runs.reporter import Reporter as Reporter
from i2ibench.runs.train_stage import adopt_training, is_trained, train_stage
from i2ibench.runs.translate_shards import translate_shards
from i2ibench.runs.translate_stage import translate_stage

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False)
class Outcome(Printed):
    """A finished run: its record, its folder, and the board that shows it."""

    result: Result
    folder: Path
    board: Path | None

    @property
    def page(self) -> Path:
        """The page to look at: where it stands, its scores, every pair."""
        return RunFolder(self.folder).page

    def to_frame(self) -> pd.DataFrame:
        """Return the scores per pair: ``id``, ``group``, ``cluster``, then a column a metric."""
        return read_pair_scores(RunFolder(self.folder).scores)

    def _lines(self) -> Sequence[str]:
        board = f", board {self.board}" if self.board is not None else ""
        what, values, _ = result_lines(self.result)
        return [what, values, f"folder {self.folder}{board}"]

    def _tables(self) -> Sequence[Table]:
        return [result_table(self.result)]

    def _pictures(self) -> Sequence[Picture]:
        samples = RunFolder(self.folder).pictures / "samples.png"
        if not samples.exists():
            return []
        return [Picture("source, target and prediction", read_image(ImageRef(samples)))]


def run(options: Options, reporter: Reporter | None = None) -> Outcome:
    """Train, translate, evaluate and add to the board; finished stages are not repeated."""
    reporter = reporter_here(reporter)
    return run_plan(_open(options, reporter), reporter)


def run_plan(plan: Plan, reporter: Reporter) -> Outcome:
    """Do what ``run`` does, of options that are resolved.

    Raises:
        BusyError: another process works on the run; nothing was told to ``reporter`` then.
    """
    plan.test.check_scorable()  # before a long training
    folder = plan.folder
    with working_in(folder):
        result = _finished(plan, reporter) if folder.is_finished else None
        if result is None:
            train_stage(plan, reporter)
            manifest = translate_stage(plan, reporter)
            result = evaluate_stage(plan, manifest, reporter)
        board = _enter_board(plan, result)
        if is_first_process():
            write_report(
                folder,
                result,
                plan.test,
                {pair.id: folder.predictions / f"{pair.id}.png" for pair in plan.test},
                plan.protocol.preparation,
                board=board,
                with_pictures=not plan.options.without_pictures,
                reporter=reporter,
            )
        where = plan.options.board_folder
        page = None if board is None or where is None else board_page(where, board.dataset)
        return Outcome(result, folder.path, page)


def run_repeats(options: Options, repeats: int, reporter: Reporter | None = None) -> list[Outcome]:
    """Run with the seeds ``options.seed``, + 1, ...; the board shows their mean and spread.

    >>> options = i2ibench.Options(model="copy", dataset="my-data", device="cpu")
    >>> [outcome.result.seed for outcome in i2ibench.run_repeats(options, 2)]
    [0, 1]
    """
    seeds = range(options.seed, options.seed + repeats)
    return [run(replace(options, seed=seed), reporter) for seed in seeds]


def train(options: Options, reporter: Reporter | None = None) -> RunFolder:
    """Train only; the folder then holds the checkpoint that ``translate`` and ``run`` use."""
    reporter = reporter_here(reporter)
    plan = _open(options, reporter, "train")
    with working_in(plan.folder):
        train_stage(plan, reporter)
    return plan.folder


def translate(
    options: Options,
    reporter: Reporter | None = None,
    *,
    executor: Executor | None = None,
    shards: int = 1,
) -> RunFolder:
    """Translate the test split with a finished training or ``options.checkpoint``.

    ``executor``: what does it in so many ``shards``; the predictions are the same.
    """
    reporter = reporter_here(reporter)
    plan = _open(options, reporter, "translate")
    if not (plan.train is None or is_trained(plan.folder) or adopt_training(plan, reporter)):
        raise UsageError(
            f"{options.model} is not trained yet in {plan.folder.path}; run i2ibench train with "
            "the same options first, or give --checkpoint"
        )
    with working_in(plan.folder):
        if executor is not None:
            translate_shards(plan, executor, shards, reporter)
        translate_stage(plan, reporter)
    return plan.folder


def _open(options: Options, reporter: Reporter, verb: Verb = "run") -> Plan:
    # Said before, because the synthetic set is drawn, and any set hashed, when first opened.
    reporter.stage(f"opening {options.dataset}")
    plan = resolve(options, verb)
    pairs = plan.tested or plan.train or plan.test
    reporter.stage(f"{pairs.name}: {len(pairs)} {pairs.split} pairs, {pairs.layout}")
    return plan


def _finished(plan: Plan, reporter: Reporter) -> Result | None:
    """Return the result of a finished run, with metrics whose weights have come since.

    None where its predictions were changed or deleted, and must be made again to be scored.
    """
    folder = plan.folder
    result = read_result(folder.result)
    names: list[str] = []
    if is_first_process():
        undo_half_addition(folder, result)
        names = metrics_to_add(plan, result)
    if not names:
        reporter.stage(f"already finished: {folder.path}")
        return result
    if not predictions_are_those_scored(folder, result):
        return None
    return add_metrics(plan, result, names, reporter)


def _enter_board(plan: Plan, result: Result) -> Board | None:
    folder = plan.options.board_folder
    if folder is None or plan.options.limit is not None:
        return None
    try:
        add_entry(folder, result, pair_scores=plan.folder.scores)
    except EntryExistsError as error:
        # Another machine's measurement of this very run, such as a shipped one: both stay.
        warnings.warn(f"the board keeps its entry: {error}", stacklevel=2)
    return write_board(folder, plan.test.name)
