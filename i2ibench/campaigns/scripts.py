"""A campaign for other engines: its commands, a line each, and an array script for SLURM."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from i2ibench.campaigns.estimates import Estimate
from i2ibench.campaigns.planned_runs import PlannedRun, seed_by_seed
from i2ibench.campaigns.run_task import command_line
from i2ibench.wording import duration

# What a site fills in.
_HEADER = """#!/bin/bash
# {what}; made by: i2ibench campaign list FILE --slurm
# Fill in what stands in capitals, or remove the line. Submit it from the folder in which the
# campaign was listed; finished runs are kept, so it can be submitted again.
#SBATCH --job-name={name}
#SBATCH --array=0-{last}
#SBATCH --output={log}-%A_%a.log
#SBATCH --partition=PARTITION
#SBATCH --account=ACCOUNT
#SBATCH --gres=gpu:GPUS_PER_RUN
#SBATCH --cpus-per-task=CORES
#SBATCH --mem=MEMORY
#SBATCH --time=HOURS:00:00
{estimate}
# The site's environment with i2ibench, e.g. source .venv/bin/activate
ACTIVATE

export OMP_NUM_THREADS="${{SLURM_CPUS_PER_TASK:-1}}"
# A run is one process: nothing is to look for the others of a training.
unset SLURM_NTASKS SLURM_PROCID
status=0
case "$SLURM_ARRAY_TASK_ID" in
"""
_FOOTER = """*) echo "no run number $SLURM_ARRAY_TASK_ID" >&2; exit 2 ;;
esac
exit "$status"
"""


def commands(runs: Sequence[PlannedRun]) -> Iterator[str]:
    """Yield the command that makes each run, as a shell takes it; those that cannot start none."""
    for run in seed_by_seed(runs):
        if run.id:
            yield command_line(run.options)


def slurm_script(name: str, runs: Sequence[PlannedRun], estimates: Sequence[Estimate]) -> str:
    """Return an array script: an element for each training, with all runs that need it.

    Args:
        name: of the campaign.
        runs: in the order of the elements.
        estimates: of the runs, told as a comment.
    """
    elements = by_training(runs)
    seconds = [each.seconds for each in estimates if each.seconds is not None]
    memory = [each.memory_mb for each in estimates if each.memory_mb is not None]
    told = ""
    if any(seconds):
        told = f"# Estimated on this machine: at most {duration(max(seconds))} a run"
        told += f", {max(memory) / 1024:.1f} GiB" if memory else ""
    parts = [
        _HEADER.format(
            what=f"{name}: {len(elements)} elements, {len(runs)} runs",
            name=shlex.quote(name),
            log=shlex.quote(name),
            last=len(elements) - 1,
            estimate=f"{told}\n" if told else "",
        )
    ]
    for number, element in enumerate(elements):
        lines = "\n".join(f"  {line} || status=$?" for line in commands(element))
        titles = "\n".join(f"  # {run.id} {run.title}" for run in element)
        parts.append(f"{number})\n{titles}\n{lines}\n  ;;\n")
    return "".join([*parts, _FOOTER])


def by_training(runs: Sequence[PlannedRun]) -> list[list[PlannedRun]]:
    """Return runs that can start, those of one training together."""
    groups: dict[str, list[PlannedRun]] = {}
    for run in seed_by_seed(runs):
        if run.id:
            groups.setdefault(run.training or run.id, []).append(run)
    return [*groups.values()]
