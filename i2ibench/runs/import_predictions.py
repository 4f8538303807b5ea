"""A folder or an archive of images that another tool made, as a run folder and a board entry."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ibench import provenance
from i2ibench.data.archives import unpack
from i2ibench.data.content_hash import manifest_sha256
from i2ibench.data.dataset import Dataset
from i2ibench.data.listing import has_images, images_below
from i2ibench.data.pairs import PairedDataset
from i2ibench.errors import DataError, UsageError
from i2ibench.evaluation.one_pass import evaluate as score
from i2ibench.evaluation.predictions import check_images, find_predictions
from i2ibench.evaluation.protocol import Protocol
from i2ibench.files import is_safe_name, sha256_file, write_bytes
from i2ibench.leaderboard.board import Board, board_page, write_board
from i2ibench.leaderboard.entries import add_entry, entry_name
from i2ibench.results.additions import refuse_to_lose
from i2ibench.results.build_record import build_result
from i2ibench.results.method_facts import MethodFacts, read_method
from i2ibench.results.origin import predictions_sha256
from i2ibench.results.pair_scores import write_pair_scores
from i2ibench.results.record import ModelRecord, Result
from i2ibench.results.record_files import read_result, write_result
from i2ibench.runs.default_protocol import protocol_for
from i2ibench.runs.folder import RunFolder, open_run_folder, working_in
from i2ibench.runs.import_options import ImportOptions
from i2ibench.runs.report_stage import write_report
from i2ibench.runs.reporter import Reporter
from i2ibench.runs.run import Outcome
from i2ibench.runs.score_folders import dataset_record
from i2ibench.web.pictures import contact_sheet
from i2ibench.wording import some

_UNASKED = (
    "nothing is known of {name} but its images; say what it is with --method method.toml (title, "
    "authors, paper, code, parameters, training_data, training_budget, hardware, saw_test_targets)"
)


@dataclass(frozen=True, slots=True)
class _Import:
    options: ImportOptions
    facts: MethodFacts | None
    dataset: Dataset
    pairs: PairedDataset
    protocol: Protocol


def import_predictions(
    predictions: Path, options: ImportOptions, reporter: Reporter | None = None
) -> Outcome:
    """Copy predictions into a run folder, score them, and enter them on the board.

    The same predictions find their own folder again; edited ones are another run.

    Raises:
        UsageError: a name that is a registered model's, or cannot be a folder's.
        DataError: predictions that miss a pair or have wrong sizes, an archive that is damaged or
            leads outside, a ``method.toml`` that says what cannot be.
    """
    reporter = reporter or Reporter()
    _check_name(options.name)
    facts = read_method(options.method) if options.method is not None else None
    if facts is None:
        warnings.warn(_UNASKED.format(name=options.name), stacklevel=2)
    reporter.stage(f"opening {options.dataset}")
    dataset = Dataset.open(
        options.dataset, direction=options.direction, data_root=options.data_root
    )
    pairs = dataset.split("test")
    asked = _Import(options, facts, dataset, pairs, protocol_for(dataset, options.protocol))
    with _images_of(predictions) as folder:
        found = find_predictions(folder, pairs)
        check_images(pairs, found, asked.protocol.preparation)
        run_folder = open_run_folder(options.output, _experiment(asked, found))
        with working_in(run_folder):
            result = _finished(asked, run_folder, reporter)
            if result is None:
                reporter.stage(f"scoring {len(found)} predictions of {options.name}")
                kept = _keep(found, run_folder)
                result = _scored(asked, kept, run_folder, reporter)
            board = _enter_board(asked, result, run_folder)
            write_report(
                run_folder,
                result,
                asked.pairs,
                _kept_as(found, run_folder),
                asked.protocol.preparation,
                board=board,
                with_pictures=not options.without_pictures,
                reporter=reporter,
            )
    where = options.board_folder
    page = None if board is None or where is None else board_page(where, board.dataset)
    return Outcome(result, run_folder.path, page)


def _check_name(name: str) -> None:
    from i2ibench import registry

    if not is_safe_name(name):
        raise UsageError(f"{name!r} cannot be the name of a folder; give another with --name")
    if name in registry.models:
        raise UsageError(
            f"{name} is a model of {registry.models.entry(name).provider}; images that were given "
            "need a name of their own, with --name"
        )


@contextmanager
def _images_of(predictions: Path) -> Iterator[Path]:
    """Yield the folder that holds the images: of a folder, or of an archive, unpacked for now."""
    if predictions.is_dir():
        yield _with_images(predictions, predictions)
    elif not predictions.exists():
        raise DataError(f"{predictions}: no such folder or archive")
    else:
        with tempfile.TemporaryDirectory(prefix="i2ibench-import-") as place:
            try:
                unpack(predictions, Path(place))
                yield _with_images(Path(place), predictions)
            except DataError as error:  # nobody finds the folder that is removed now
                raise DataError(str(error).replace(place, str(predictions))) from None


def _with_images(root: Path, said: Path) -> Path:
    """Return the one folder below ``root`` that holds images; itself where it holds some."""
    if has_images(root):
        return root
    visible = sorted({path.parent for path in images_below(root, {"__MACOSX"})})
    if len(visible) == 1:
        return visible[0]
    if not visible:
        raise DataError(f"{said}: holds no images; every pair needs <id>.png")
    names = some([each.relative_to(root).as_posix() for each in visible], 3)
    raise DataError(f"{said}: images lie in {len(visible)} folders ({names}); give one of them")


def _experiment(asked: _Import, found: Mapping[str, Path]) -> dict[str, Any]:
    """Return what names the run: these predictions, of these pairs, scored in this way."""
    plugins = provenance.plugins_used(None, asked.protocol.metric_names)
    return {
        "schema": 1,
        "model": {"name": asked.options.name},
        "predictions": {"count": len(found), "sha256": predictions_sha256(found)},
        "dataset": {
            "name": asked.pairs.name,
            "direction": asked.pairs.direction,
            "test": {
                "split": asked.pairs.split,
                "pairs": len(asked.pairs),
                "manifest_sha256": manifest_sha256(asked.pairs),
            },
        },
        "protocol": {"id": asked.protocol.id, "sha256": asked.protocol.sha256},
        **({"plugins": plugins} if plugins else {}),
    }


def _keep(found: Mapping[str, Path], folder: RunFolder) -> dict[str, Path]:
    """Copy the images as they are, each under its pair's id."""
    kept = _kept_as(found, folder)
    for pair_id, path in found.items():
        if not kept[pair_id].exists() or sha256_file(kept[pair_id]) != sha256_file(path):
            write_bytes(kept[pair_id], path.read_bytes())
    return kept


def _kept_as(found: Mapping[str, Path], folder: RunFolder) -> dict[str, Path]:
    return {
        pair_id: folder.predictions / f"{pair_id}{path.suffix.lower()}"
        for pair_id, path in found.items()
    }


def _finished(asked: _Import, folder: RunFolder, reporter: Reporter) -> Result | None:
    """Return the result of an import that was made; what is said of the method may be new."""
    if not (folder.result.exists() and folder.scores.exists()):
        return None
    result = read_result(folder.result)
    reporter.stage(f"already scored: {folder.path}")
    model = _model(asked)
    if asked.facts is None or result.model.model_dump(mode="json") == model:
        return result
    changed = result.model_copy(update={"model": ModelRecord.model_validate(model)})
    write_result(folder.result, changed)
    return changed


def _scored(
    asked: _Import, predictions: Mapping[str, Path], folder: RunFolder, reporter: Reporter
) -> Result:
    unverified = asked.options.allow_unverified_weights
    refuse_to_lose(folder.result, asked.protocol.metric_names, allow_unverified_weights=unverified)
    evaluation = score(
        asked.pairs,
        predictions,
        protocol=asked.protocol,
        device=asked.options.device,
        allow_unverified_weights=unverified,
        progress=reporter.progress,
        training_targets=asked.dataset.split_if_there("train"),
    )
    write_pair_scores(folder.scores, evaluation)
    if not asked.options.without_pictures:
        contact_sheet(asked.pairs, predictions, folder.pictures / "samples.png")
    result = build_result(
        model=_model(asked),
        dataset=dataset_record(asked.pairs, None),
        evaluation=evaluation,
        cost={"evaluate_seconds": round(evaluation.seconds, 2)},
        seed=None,
        environment={**provenance.environment(), "device": evaluation.device},
        created=provenance.now(),
        run_id=folder.path.name,
        experiment=_experiment(asked, predictions),
    )
    write_result(folder.result, result)
    return result


def _model(asked: _Import) -> dict[str, Any]:
    model: dict[str, Any] = {"name": asked.options.name, "predictions": "external"}
    facts = asked.facts
    if facts is not None:
        model["method"] = facts.recorded()
    return model


def _enter_board(asked: _Import, result: Result, folder: RunFolder) -> Board | None:
    board = asked.options.board_folder
    if board is None:
        return None
    place = board / asked.pairs.name / f"{entry_name(result)}.json"
    # The same images may be described anew; a verified entry is replaced by hand alone.
    is_ours = place.exists() and read_result(place).run_id == result.run_id
    anew = is_ours and read_result(place).status == "measured"
    add_entry(board, result, pair_scores=folder.scores, overwrite=anew)
    return write_board(board, asked.pairs.name)
