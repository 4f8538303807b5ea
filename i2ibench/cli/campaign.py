"""`i2ibench campaign list|run|status|report`: many runs from one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from i2ibench.cli.campaign_status import (
    described,
    reasons,
    show_status,
    title,
    varying,
    watch_status,
)
from i2ibench.cli.options import Board, DataRoot, Device, Json, Output
from i2ibench.cli.ray_options import Address, On, Where
from i2ibench.cli.terminal import answer, print_json, say, table, write_answer
from i2ibench.cli.verb import Verb, verb_group
from i2ibench.errors import UsageError
from i2ibench.runs.options import BESIDE_RUNS, Options
from i2ibench.wording import NO_VALUE, count, duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from i2ibench.campaigns.campaign import Campaign
    from i2ibench.campaigns.estimates import Estimate
    from i2ibench.campaigns.run_state import RunState
    from i2ibench.executors import Executor

app = verb_group("List, make and watch the many runs that one file declares.")


File = Annotated[Path, typer.Argument(metavar="FILE", help="TOML file of the campaign.")]


@app.command("list", cls=Verb)
def list_(
    file: File,
    estimate: Annotated[
        bool,
        typer.Option("--estimate", help="Measure a few steps of trainings nothing is known of."),
    ] = False,
    commands: Annotated[
        bool,
        typer.Option("--commands", help="Print the command of each run, one a line, and no more."),
    ] = False,
    slurm: Annotated[
        bool, typer.Option("--slurm", help="Print an array script for SLURM, and no more.")
    ] = False,
    output: Output = Options.output,
    board: Board = BESIDE_RUNS,
    data_root: DataRoot = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """List every run with its id, its state, and what it will cost.

    Nothing is started; data sets are drawn and hashed, for ids follow from them.

        i2ibench campaign list campaigns/synthetic-board.toml

        i2ibench campaign list penalty.toml --commands | parallel --jobs 4
    """
    from i2ibench.campaigns import scripts

    if commands + slurm + json > 1:
        raise UsageError("--commands, --slurm and --json are three answers; ask for one")
    campaign = _open(file, output, board, data_root, device)
    if estimate:
        campaign.measure()
    _say_remarks(campaign)
    if commands:
        write_answer("".join(f"{line}\n" for line in scripts.commands(campaign.runs)))
    elif slurm:
        if not any(run.id for run in campaign.runs):
            raise UsageError(f"{file}: no run can start; i2ibench campaign list says why")
        write_answer(scripts.slurm_script(campaign.name, campaign.runs, campaign.estimates()))
    elif json:
        print_json(campaign.rows())
    else:
        _show(campaign)


@app.command("run", cls=Verb)
def run(
    file: File,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Runs at a time; default: one a GPU, or one on a CPU."
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="CPU threads of each; default: $OMP_NUM_THREADS, or the cores, shared out.",
        ),
    ] = None,
    retries: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Try a run that fails so often again; wrong usage and bad data are not.",
        ),
    ] = 0,
    on: On = Where.here,
    address: Address = None,
    memory: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            metavar="GIB",
            help="Memory that Ray keeps for each run; default: what runs alike have held.",
        ),
    ] = None,
    output: Output = Options.output,
    board: Board = BESIDE_RUNS,
    data_root: DataRoot = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Make every run that is not finished; exit code 0 when all are.

    A run that fails is recorded with its reason and stops no other. The same command continues,
    whatever stopped it. Ctrl-C lets every run save its work first.

        i2ibench campaign run campaigns/synthetic-board.toml --jobs 2

        i2ibench campaign run campaigns/bci-paper.toml --on ray --address 10.0.0.1:6379 --threads 8
    """
    from contextlib import nullcontext

    from i2ibench.errors import I2IBenchError

    if on is Where.here and (address is not None or memory is not None):
        raise UsageError("--address and --memory are for --on ray")
    campaign = _open(file, output, board, data_root, device)
    place: AbstractContextManager[Executor]
    if on is Where.ray:
        place = campaign.on_ray(address, jobs=jobs, threads=threads, memory_gb=memory)
    else:
        place = nullcontext(campaign.processes(jobs, threads))
    try:
        with place as executor:
            campaign.measure_budget(executor)
            _say_remarks(campaign)
            campaign.run(retries=retries, executor=executor)
    except I2IBenchError:
        if json:
            print_json(campaign.rows())
        raise
    if json:
        print_json(campaign.rows())
    else:
        answer(f"{count(len(campaign.runs), 'run')}: {campaign.summary(campaign.states())}")


@app.command("status", cls=Verb)
def status(
    file: File,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Show it anew every two seconds, until all runs have ended."),
    ] = False,
    output: Output = Options.output,
    board: Board = BESIDE_RUNS,
    data_root: DataRoot = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Show who runs where, losses, the time left, and what failed.

    It reads the folders of the runs: whoever started them, on whatever machine that shares them.

        i2ibench campaign status campaigns/synthetic-board.toml --watch
    """
    if watch and json:
        raise UsageError("--watch is for a terminal; ask for --json as often as you like")
    campaign = _open(file, output, board, data_root, device)
    _say_remarks(campaign)
    if json:
        print_json(campaign.rows())
    elif watch:
        watch_status(campaign)
    else:
        show_status(campaign)


@app.command("report", cls=Verb)
def report(
    file: File,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where the page and the markdown go; default: campaigns/ beside the runs.",
        ),
    ] = None,
    output: Output = Options.output,
    board: Board = BESIDE_RUNS,
    data_root: DataRoot = None,
    device: Device = "auto",
) -> None:
    """Write what the finished runs say, as one page and as markdown.

    The endpoint that the file names stands first; then the methods with their ranks over seeds and
    images, what each varied setting does, cost beside quality, what is not finished, and curves.

        i2ibench campaign report campaigns/variance-penalty.toml
    """
    campaign = _open(file, output, board, data_root, device)
    found = campaign.report()
    for line in found.lines:
        say(line)
    for path in found.write(to or output / "campaigns", campaign.name):
        answer(str(path))


def _open(
    file: Path, output: Path, board: Path | None, data_root: Path | None, device: str
) -> Campaign:
    from i2ibench.campaigns.campaign import campaign

    return campaign(
        file, output=output, board=board, data_root=data_root, device=device, tell=_tell
    )


def _say_remarks(campaign: Campaign) -> None:
    for remark in campaign.planned.remarks:
        say(remark)


def _tell(line: str) -> None:
    say(line, lead="[bold cyan]›[/] ")


def _show(campaign: Campaign) -> None:
    states = campaign.states()
    estimates = campaign.estimates(states)
    columns = varying(campaign.runs)
    header = ["run", "model", *columns, "state", "about", "memory"]
    rows = [
        [run.id or NO_VALUE, run.model, *described(run, columns), state.text, *_cost(state, cost)]
        for run, state, cost in zip(campaign.runs, states, estimates, strict=True)
    ]
    answer(table(title(campaign, columns), header, rows, names=len(header)))
    for line in reasons(campaign, states):
        answer(line)
    answer(f"{count(len(campaign.runs), 'run')}: {campaign.summary(states)}")
    answer(_costs(estimates))


def _cost(state: RunState, cost: Estimate) -> list[str]:
    if state.kind == "finished":
        return ["", ""]
    memory = NO_VALUE if cost.memory_mb is None else f"{cost.memory_mb / 1024:.1f} GiB"
    return [duration(cost.seconds), memory]


def _costs(estimates: Sequence[Estimate]) -> str:
    seconds = [each.seconds for each in estimates if each.seconds is not None]
    unknown = len(estimates) - len(seconds)
    measured = any(each.source == "measured steps" for each in estimates)
    alone = "; from measured steps the training alone" if measured else ""
    rest = f"; nothing is known of {count(unknown, 'run')}, see --estimate" if unknown else ""
    if not any(seconds):
        return rest.removeprefix("; ") or "nothing left to do"
    return f"about {duration(sum(seconds))} of one process left{alone}{rest}"
