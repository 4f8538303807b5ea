"""The shards of one evaluation in processes of this machine, and the parts they leave."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from i2ibench import errors
from i2ibench.durable import held, temporary_folder
from i2ibench.errors import DataError
from i2ibench.evaluation.shards import Shard
from i2ibench.executors import Executor, Work
from i2ibench.files import cache_folder, read_json, write_json
from i2ibench.processes import start_helper
from i2ibench.runs.evaluation_options import EvaluationOptions
from i2ibench.runs.shared_work import do_all, said_last
from i2ibench.runtime import usable_cores

Progress = Callable[[int, int], None]
# Between two looks at how far the processes are, in seconds.
_LOOK = 0.2


@contextmanager
def parts_of_processes(
    predictions: Sequence[Path],
    options: EvaluationOptions,
    pairs: int,
    progress: Progress | None,
    executor: Executor | None = None,
) -> Iterator[Path]:
    """Score ``options.shards`` shards, a process each; yield the folder of their parts.

    ``executor``: where the processes run, by default all at once on this machine; other machines
    must share the cache folder.

    The folder lies in the cache and is removed afterwards; what a killed process leaves there, the
    next one removes. The first process that fails ends the others.

    Raises:
        I2IBenchError: what a shard raised.
    """
    place = cache_folder() / "shards" / "parts"
    with temporary_folder(place) as folder:
        told = _Told(folder, pairs, progress)
        if executor is None:
            _score(predictions, options, folder, told)
        else:
            _score_elsewhere(predictions, options, folder, told, executor)
        yield folder


def _score(
    predictions: Sequence[Path],
    options: EvaluationOptions,
    folder: Path,
    told: _Told,
) -> None:
    asked = json.dumps([[str(each) for each in predictions], _as_json(options)])
    shards = [Shard(number, options.shards) for number in range(1, options.shards + 1)]
    workers = max(1, usable_cores() // options.shards)
    arguments = [[asked, f"{s.number}/{s.total}", str(workers), str(folder)] for s in shards]
    started = [start_helper(__name__, each) for each in arguments]
    try:
        for waited in started:
            while waited.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    waited.wait(_LOOK)
                for shard, process in zip(shards, started, strict=True):
                    if process.poll() not in (None, 0):
                        raise _error_of(shard, folder)
                told.look(shards)
        for shard, process in zip(shards, started, strict=True):
            if process.wait() != 0:
                raise _error_of(shard, folder)
        told.look(shards)
    finally:
        for process in started:
            process.kill()
            process.wait()


def _score_elsewhere(
    predictions: Sequence[Path],
    options: EvaluationOptions,
    folder: Path,
    told: _Told,
    executor: Executor,
) -> None:
    options = replace(options, device=options.device.partition(":")[0])  # whichever GPU is given
    asked = json.dumps([[str(each) for each in predictions], _as_json(options)])
    shards = [Shard(number, options.shards) for number in range(1, options.shards + 1)]
    works = {
        f"{s.number}/{s.total}": Work(
            f"{s.number}/{s.total}",
            __name__,
            (asked, f"{s.number}/{s.total}", str(executor.threads), str(folder)),
            folder / f"{s.number}.log",
        )
        for s in shards
    }
    failed = do_all([*works.values()], executor, lambda: told.look(shards))
    if failed is None:
        return
    shard = Shard.of(failed.name)
    if (folder / f"{shard.number}.error.json").exists():
        raise _error_of(shard, folder)
    reason = failed.reason or said_last(works[failed.name]) or f"ended with {failed.code}"
    raise DataError(f"shard {failed.name} of the evaluation: {reason}")


def _error_of(shard: Shard, folder: Path) -> Exception:
    """Return what a process raised, as it can be raised here."""
    place = folder / f"{shard.number}.error.json"
    if not place.exists():
        return RuntimeError(f"shard {shard.number} of {shard.total} failed; see its message")
    said = read_json(place)
    kind = getattr(errors, str(said["kind"]), errors.I2IBenchError)
    return kind(said["text"])


def _as_json(options: EvaluationOptions) -> dict[str, Any]:
    values = {each.name: getattr(options, each.name) for each in fields(options)}
    return {
        name: str(value) if isinstance(value, Path) else value for name, value in values.items()
    }


@dataclass
class _Told:
    """Tells how many pairs all processes have done, as their files in the folder say."""

    folder: Path
    pairs: int
    progress: Progress | None
    done: int = 0

    def look(self, shards: Sequence[Shard]) -> None:
        done = sum(self._of(each) for each in shards)
        if self.progress is not None and done > self.done:
            self.done = done
            self.progress(done, self.pairs)

    def _of(self, shard: Shard) -> int:
        try:
            return int((self.folder / f"{shard.number}.done").read_bytes())
        except (OSError, ValueError):  # not begun
            return 0


def main(arguments: list[str]) -> None:
    """Score one shard, in a process of its own."""
    from i2ibench.runs.score_shard import evaluate_shard

    asked, shard_text, workers, place = arguments
    predictions, given = json.loads(asked)
    options = replace(EvaluationOptions(**{**given, "shards": 1}), output=Path(place))
    shard, folder = Shard.of(shard_text), Path(place)
    warnings.simplefilter("ignore")  # whoever merges the parts tells the same
    with held(folder):
        how_far = (folder / f"{shard.number}.done").open("wb", buffering=0)

        def note(done: int, total: int) -> None:
            how_far.seek(0)
            how_far.write(f"{done:<12}".encode())

        try:
            evaluate_shard(
                [Path(each) for each in predictions],
                options,
                shard,
                progress=note,
                workers=int(workers),
            )
        except errors.I2IBenchError as error:
            said = {"kind": type(error).__name__, "text": str(error)}
            write_json(folder / f"{shard.number}.error.json", said)
            os._exit(1)
