"""The last stage of a run: its page, made when the board is known; and made again on demand."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

from i2ibench.data.pairs import PairedDataset
from i2ibench.data.preparation import Preparation
from i2ibench.errors import DataError
from i2ibench.evaluation.predictions import find_predictions
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.leaderboard.board import Board, read_board
from i2ibench.results.pair_scores import pair_scores_beside, read_pair_scores
from i2ibench.results.record import Result
from i2ibench.results.record_files import read_result, result_file
from i2ibench.results.stored_result import open_pairs
from i2ibench.runs.folder import RunFolder
from i2ibench.runs.reporter import Reporter
from i2ibench.web.run_page import write_run_page


def write_report(
    folder: RunFolder,
    result: Result,
    pairs: PairedDataset,
    predictions: Mapping[str, Path],
    preparation: Preparation,
    *,
    board: Board | None,
    with_pictures: bool,
    reporter: Reporter,
) -> Path:
    """Write the page of a finished run; what did not change is not written again.

    A run whose predictions were deleted since keeps the page that it has.
    """
    absent = [path for path in predictions.values() if not path.is_file()]
    if absent:
        warnings.warn(f"{absent[0]} is gone; the page stays as it is", stacklevel=2)
        return folder.page
    if not folder.page.exists():
        reporter.stage(f"drawing the page of {len(pairs)} pairs")
    if not with_pictures:
        (folder.pictures / "samples.png").unlink(missing_ok=True)
    return write_run_page(
        folder.pictures,
        result,
        pairs,
        predictions,
        read_pair_scores(folder.scores),
        preparation=preparation,
        training=folder.path,
        board=board,
        with_pictures=with_pictures,
    )


def report_again(
    run: Path,
    output: Path | None = None,
    *,
    dataset: str | None = None,
    targets: Path | None = None,
    predictions: Path | None = None,
    data_root: Path | None = None,
    board: Path | None = None,
    with_pictures: bool = True,
) -> Path:
    """Write the page of a run, or of a folder that ``evaluate`` wrote, without scoring anything.

    Args:
        run: the folder with ``result.json`` and ``scores.csv``.
        output: the page's folder; by default ``report/`` in ``run``.
        dataset: name or path; by default the recorded name.
        targets: a folder of targets, instead of a data set.
        predictions: the images; by default ``predictions/`` in ``run``.
        data_root: as in ``run``.
        board: folder of the boards; by default ``leaderboards/`` beside the runs, if it is there.
        with_pictures: without them thumbnails are blurred beyond recognition.

    Raises:
        DataError: no such run, or predictions that are not there.
        MissingError: the data set is not here.
    """
    path = result_file(run)
    result = read_result(path)
    scores = pair_scores_beside(path)
    if scores is None:
        raise DataError(f"{path}: no scores per pair beside it; evaluate again with --output")
    _, pairs = open_pairs(result, dataset, targets, data_root)
    folder = predictions or path.parent / "predictions"
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the predictions with --predictions")
    place = output or RunFolder(path.parent).pictures
    if not with_pictures:
        (place / "samples.png").unlink(missing_ok=True)
    return write_run_page(
        place,
        result,
        pairs,
        find_predictions(folder, pairs),
        read_pair_scores(scores),
        preparation=load_protocol(result.protocol.id).preparation,
        training=path.parent,
        board=_board(path, result, board),
        with_pictures=with_pictures,
    )


def _board(path: Path, result: Result, given: Path | None) -> Board | None:
    """Return the board of a result: of the folder that is given, or of the one beside the runs."""
    if given is not None:
        return read_board(given, result.dataset.name)
    # <output>/<data set>/<model>/<run id>/result.json
    beside = path.resolve().parents[min(3, len(path.resolve().parents) - 1)] / "leaderboards"
    if (beside / result.dataset.name).is_dir():
        return read_board(beside, result.dataset.name)
    return None
