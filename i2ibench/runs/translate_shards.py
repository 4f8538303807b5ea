"""The translation of one run in shards, on machines that share its folder.

Each shard writes the predictions of its pairs; whoever asked for them then does what is left, which
is to hash them, or to make what a shard did not.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from i2ibench.data.images import write_png
from i2ibench.data.pairs import ImagePair
from i2ibench.durable import temporary_folder
from i2ibench.errors import DataError, I2IBenchError, UsageError, named
from i2ibench.evaluation.shards import Shard
from i2ibench.executors import Executor, Work
from i2ibench.explain import explain
from i2ibench.files import read_json, write_json
from i2ibench.models.foreign.program import ExternalProgram
from i2ibench.processes import interrupt_on_termination
from i2ibench.runs.folder import train_alone
from i2ibench.runs.options import Options
from i2ibench.runs.plan import Plan, resolve
from i2ibench.runs.preflight import before_translation
from i2ibench.runs.reporter import Reporter
from i2ibench.runs.shared_work import do_all, said_last
from i2ibench.runs.translate_stage import model_and_manifest, spread_of
from i2ibench.runtime import allow_tf32
from i2ibench.translation.batches import batch_size, not_translated
from i2ibench.translation.manifest import write_manifest
from i2ibench.translation.overlap import WriteBehind
from i2ibench.translation.translate import begin, predict

# Between two words of a shard on how far it is.
_SECONDS = 1.0


def translate_shards(plan: Plan, executor: Executor, shards: int, reporter: Reporter) -> None:
    """Write the predictions of the test split, in ``shards`` pieces of work.

    The manifest then names their origin and the seconds spent on them, and no file yet: what the
    translation stage does next is to finish it.

    Args:
        plan: whose folder is locked by the caller.
        executor: where the work is done.
        shards: how many.
        reporter: is told how many images are done.

    Raises:
        UsageError: a program, which translates all images itself, or more shards than pairs.
        I2IBenchError: what a shard raised.
    """
    model, manifest = model_and_manifest(plan)
    if isinstance(model, ExternalProgram):
        raise UsageError(f"{plan.options.model}: a program translates all images itself, here")
    if shards > len(plan.test):
        raise UsageError(f"{shards} shards of {len(plan.test)} images; choose fewer")
    done, earlier = begin(plan.folder.predictions, manifest, plan.test)
    if len(done) == len(plan.test):
        return
    reporter.stage(f"translating {len(plan.test)} images in {shards} shards")
    with temporary_folder(plan.folder.path / "translated") as place:
        asked = json.dumps([_plain(plan.options), str(plan.folder.path), str(place)])
        works = [
            Work(f"{number}/{shards}", __name__, (asked, f"{number}/{shards}"), log(place, number))
            for number in range(1, shards + 1)
        ]

        def look() -> None:
            reporter.progress(len(done) + sum(_count(place)), len(plan.test))

        failed = do_all(works, executor, look)
        seconds = sum(float(read_json(path)) for path in place.glob("*.seconds.json"))
        finished = manifest.model_copy(update={"seconds": round(earlier + seconds, 3)})
        write_manifest(plan.folder.predictions, finished)
        if failed is not None:
            work = next(each for each in works if each.name == failed.name)
            raise _error(place, work, failed.reason)


def log(place: Path, number: int) -> Path:
    """Return the file that takes what a shard prints."""
    return place / f"{number}.log"


def _error(place: Path, work: Work, reason: str) -> I2IBenchError:
    told = place / f"{work.name.partition('/')[0]}.error.json"
    line = read_json(told) if told.exists() else reason or said_last(work) or "ended without a word"
    return DataError(f"shard {work.name} of the translation: {line}")


def _count(place: Path) -> list[int]:
    """Return how many images each shard has made; one that begins has made none."""
    found = []
    for path in place.glob("*.done"):
        text = path.read_text(encoding="ascii")
        found.append(int(text) if text else 0)
    return found


def main(arguments: Sequence[str]) -> None:
    """Translate one shard, in a process of its own."""
    interrupt_on_termination()
    train_alone()
    asked, shard = arguments
    options, folder, place = json.loads(asked)
    number = shard.partition("/")[0]
    try:
        _translate(Options(**options), Path(folder), Shard.of(shard), Path(place))
    except I2IBenchError as error:
        write_json(Path(place) / f"{number}.error.json", str(error))
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        line, code = explain(error) or (named(error), 1)
        write_json(Path(place) / f"{number}.error.json", line)
        raise SystemExit(code) from error


def _translate(options: Options, folder: Path, shard: Shard, place: Path) -> None:
    if "CUDA_VISIBLE_DEVICES" in os.environ:  # of one GPU, which then is the first
        options = replace(options, device=options.device.partition(":")[0])
    plan = resolve(options, "translate")
    if plan.folder.path != folder:
        raise DataError(
            f"{folder}: the run has another id on this machine: data, code or device differ"
        )
    model, manifest = model_and_manifest(plan)
    allow_tf32(plan.precision)
    before_translation(plan, model)
    start = time.monotonic()
    predictions = plan.folder.predictions
    size = batch_size(model, manifest, plan.device)
    own = _pairs(plan.test.pairs, shard, size)
    spread = spread_of(plan, manifest)
    done = {
        pair.id
        for pair in own
        if (predictions / f"{pair.id}.png").exists() and (spread is None or spread.has(pair.id))
    }
    left = not_translated(own, done, size)
    told = place / f"{shard.number}.done"
    with WriteBehind() as writer, told.open("wb", buffering=0) as how_far:
        made = predict(model, left, manifest, device=plan.device, spread=spread)
        for count, (pair, prediction) in enumerate(made, start=1):
            path = predictions / f"{pair.id}.png"
            writer.submit(partial(write_png, path, prediction), prediction.nbytes)
            how_far.seek(0)
            how_far.write(b"%d" % count)
    spent = time.monotonic() - start
    write_json(place / f"{shard.number}.seconds.json", round(spent, 3))


def _pairs(pairs: Sequence[ImagePair], shard: Shard, size: int) -> Sequence[ImagePair]:
    """Return the pairs of a shard: whole batches, at the places they have in one process."""
    batches = -(-len(pairs) // size)
    first, last = (batches * each // shard.total for each in (shard.number - 1, shard.number))
    return pairs[first * size : last * size]


def _plain(options: Options) -> dict[str, Any]:
    """Return options as JSON values."""
    values = {each.name: getattr(options, each.name) for each in fields(options)}
    plain = {name: str(v) if isinstance(v, Path) else v for name, v in values.items()}
    return {**plain, "settings": dict(options.settings)}
