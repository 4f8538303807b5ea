"""Scoring one shard of the pairs of an evaluation: for machines that share no more than files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from i2ibench.errors import UsageError
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.evaluation.protocol_comparison import check_same_files
from i2ibench.evaluation.sharded import write_shard
from i2ibench.evaluation.shards import Shard
from i2ibench.runs.evaluation_options import EvaluationOptions
from i2ibench.runs.outputs import check_outputs
from i2ibench.runs.score_folders import (
    Request,
    matched_pairs,
    one_protocol,
    opened_dataset,
    options_of_the_pass,
)

Progress = Callable[[int, int], None]


def evaluate_shard(
    predictions: Sequence[str | Path],
    options: EvaluationOptions,
    shard: str | Shard,
    progress: Progress | None = None,
    *,
    workers: int | None = None,
) -> Path:
    """Score one shard of the pairs and write its part into ``options.output``.

    Where all parts lie in one folder, the same call of ``evaluate`` (or ``evaluate_together``) with
    ``merge=FOLDER`` gives the results.

    >>> options = i2ibench.EvaluationOptions(dataset="my-data", metrics="psnr", output="parts")
    >>> i2ibench.evaluate_shard(["my-data/HE/test"], options, "1/4").name
    'shard-1-of-4.part'

    Args:
        predictions: a folder a model.
        options: as for all pairs; one protocol, or two for one folder.
        shard: its number from 1 and how many there are, ``"2/8"``.
        progress: called with the pairs done and all pairs of the shard.
        workers: threads, by default one a processor.
    """
    if options.output is None:
        raise UsageError("--shard writes a part: give its folder as --output")
    if options.merge is not None or options.shards > 1:
        raise UsageError("--shard scores one shard: give neither --shards nor --merge")
    share = Shard.of(shard) if isinstance(shard, str) else shard
    opened = opened_dataset(options)
    folders = [Path(each) for each in predictions]
    protocols = [load_protocol(each) for each in options.protocols]
    if len(protocols) == 2 and len(folders) == 1:
        check_same_files(*protocols)
    elif len(protocols) < 2:
        protocols = [one_protocol(options, opened)]
    else:
        raise UsageError("several folders, or two protocols; not both in one call")
    requests = [Request(folder, rules, "", None) for folder in folders for rules in protocols]
    check_outputs([options.output], folders)
    pairs, scored = matched_pairs(requests, opened, options)
    path = options.output / share.file_name
    said = options_of_the_pass(opened, options, progress)
    said["workers"] = workers
    write_shard(pairs, scored, share, path, **said)
    return path
