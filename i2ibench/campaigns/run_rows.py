"""The runs of a campaign as rows of JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from i2ibench.campaigns.estimates import Estimate
from i2ibench.campaigns.planned_runs import PlannedRun
from i2ibench.campaigns.run_state import RunState


def rows_of(
    runs: Sequence[PlannedRun], states: Sequence[RunState], estimates: Sequence[Estimate]
) -> list[dict[str, Any]]:
    """Return one row a run: what it is, the varied keys, its state, where it runs, its cost."""
    keys = dict.fromkeys(key for run in runs for key in run.varied)
    rows = []
    for run, state, cost in zip(runs, states, estimates, strict=True):
        status = state.status
        rows.append(
            {
                "run": run.id or None,
                "dataset": run.dataset,
                "model": run.model,
                "protocol": run.protocol or None,
                "seed": run.options.seed,
                **{key: run.varied.get(key) for key in keys},
                "state": state.kind,
                "running": state.running,
                "text": state.text,
                "share": state.share,
                "where": state.where or None,
                "losses": dict(status.losses) if status is not None and state.running else {},
                "seconds_left_in_stage": status.seconds_left if status is not None else None,
                "reason": state.reason or None,
                "attempt": status.attempt if status is not None else None,
                "estimated_seconds": cost.seconds,
                "estimated_memory_mb": cost.memory_mb,
                "estimated_from": cost.source or None,
                "folder": str(run.folder.path) if run.folder is not None else None,
            }
        )
    return rows
