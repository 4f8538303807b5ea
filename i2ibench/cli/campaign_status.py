"""How the command line shows the state of a campaign: once, or live."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from i2ibench.cli.terminal import answer, escape, out, seen, table
from i2ibench.wording import NO_VALUE, count, duration, some

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from i2ibench.campaigns.campaign import Campaign
    from i2ibench.campaigns.planned_runs import PlannedRun
    from i2ibench.campaigns.run_state import RunState

_SECONDS = 2.0
_COLOURS = {"finished": "green", "failed": "red", "blocked": "red"}
# Of a live view, which must fit the screen: those at work, and the last lines of what failed.
_MOST_FAILED = 5


def show_status(campaign: Campaign) -> None:
    """Print the state of every run."""
    states = campaign.states()
    answer(_table(campaign, [*zip(campaign.runs, states, strict=True)]))
    for line in reasons(campaign, states):
        answer(line)
    answer(_summary(campaign, states))


def watch_status(campaign: Campaign) -> None:
    """Show what runs, live, until nothing is left to do or Ctrl-C."""
    from rich.live import Live

    with Live(_live(campaign, campaign.states()), console=out(), auto_refresh=False) as live:
        while True:
            states = campaign.states()
            live.update(_live(campaign, states), refresh=True)
            if all(s.kind in ("finished", "failed", "blocked") and not s.running for s in states):
                return
            threading.Event().wait(_SECONDS)


def _live(campaign: Campaign, states: Sequence[RunState]) -> Group:
    from rich.console import Group
    from rich.text import Text

    each = [*zip(campaign.runs, states, strict=True)]
    at_work = [(run, state) for run, state in each if state.running]
    lines = [*reasons(campaign, states)[-_MOST_FAILED:], _summary(campaign, states)]
    shown = [_table(campaign, at_work)] if at_work else []
    return Group(*shown, *(Text(seen(line)) for line in lines))


def varying(runs: Sequence[PlannedRun]) -> list[str]:
    """Return the columns that tell runs of one model apart; what all share is no column."""
    columns = ["data set", "protocol", "seed", "varied"]
    return [
        column
        for number, column in enumerate(columns)
        if len({_parts(run)[number] for run in runs}) > 1
    ]


def described(run: PlannedRun, columns: Sequence[str]) -> list[str]:
    """Return the cells of a run in the columns of ``varying``."""
    parts = dict(zip(("data set", "protocol", "seed", "varied"), _parts(run), strict=True))
    return [parts[column] for column in columns]


def title(campaign: Campaign, columns: Sequence[str]) -> str:
    """Return the title of a table: the campaign, and what all its runs share."""
    runs = campaign.runs
    dataset, protocol, seed, _ = _parts(runs[0])
    said = {"data set": dataset, "protocol": protocol, "seed": f"seed {seed}"}
    all_share = [text for column, text in said.items() if column not in columns]
    return f"campaign {campaign.name}" + (f": {', '.join(all_share)}" if all_share else "")


def _parts(run: PlannedRun) -> list[str]:
    return [run.dataset, run.protocol or NO_VALUE, str(run.options.seed), run.variation]


def _table(campaign: Campaign, each: Sequence[tuple[PlannedRun, RunState]]) -> Table:
    columns = varying(campaign.runs)
    header = ["run", "model", *columns, "state", "left", "losses", "where"]
    rows = [_cells(run, state, columns) for run, state in each]
    return table(title(campaign, columns), header, rows, names=3 + len(columns), markup=True)


def _cells(run: PlannedRun, state: RunState, columns: Sequence[str]) -> list[str]:
    status = state.status if state.running else None
    losses = status.losses if status is not None else {}
    colour = _COLOURS.get(state.kind, "cyan" if state.running else "")
    text = escape(state.text)
    return [
        run.id or NO_VALUE,
        escape(run.model),
        *map(escape, described(run, columns)),
        f"[{colour}]{text}[/]" if colour else text,
        duration(status.seconds_left) if status is not None else "",
        escape("  ".join(f"{name} {value:.3g}" for name, value in losses.items())),
        escape(state.where),
    ]


def reasons(campaign: Campaign, states: Sequence[RunState]) -> list[str]:
    """Return why runs cannot start, have failed or were stopped; what several share once."""
    found: dict[tuple[str, str], list[str]] = {}
    for run, state in zip(campaign.runs, states, strict=True):
        if state.reason and not state.running:
            found.setdefault((state.text, state.reason), []).append(run.id or run.title)
    return [f"{some(runs, 3)}: {text}: {reason}" for (text, reason), runs in found.items()]


def _summary(campaign: Campaign, states: Sequence[RunState]) -> str:
    left = [cost.seconds for cost in campaign.estimates(states) if cost.seconds]
    about = f"; about {duration(sum(left))} of one process left" if left else ""
    return f"{count(len(campaign.runs), 'run')}: {campaign.summary(states)}{about}"
