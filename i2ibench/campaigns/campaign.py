"""A campaign: its runs, their state, and what makes them; the Python interface."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2ibench.campaigns.budget import UnmeasuredError
from i2ibench.campaigns.campaign_file import Budget, CampaignFile, read_campaign
from i2ibench.campaigns.cells import Places
from i2ibench.campaigns.drive import Drive
from i2ibench.campaigns.estimates import Estimate, Estimates
from i2ibench.campaigns.measure import measure
from i2ibench.campaigns.planned_runs import PlannedCampaign, PlannedRun, counted, plan_campaign
from i2ibench.campaigns.run_rows import rows_of
from i2ibench.campaigns.run_state import RunState, state_of
from i2ibench.campaigns.step_times import StepTimes
from i2ibench.data.pixel_cache import PixelCache
from i2ibench.errors import I2IBenchError, UsageError
from i2ibench.executors import Executor, ProcessesHere, gpus_here
from i2ibench.models.interface import TrainableModel
from i2ibench.notebook import Printed, Table
from i2ibench.runs.options import BESIDE_RUNS
from i2ibench.wording import count, duration, some

if TYPE_CHECKING:
    import pandas as pd

    from i2ibench.campaigns.report import Report
    from i2ibench.ray_cluster import RayCluster

# In the order in which a run passes them.
KINDS = ("finished", "translated", "trained", "training", "new", "failed", "blocked")


class UnfinishedError(I2IBenchError):
    """Some runs of a campaign have failed, or could not start; the others are finished."""


def campaign(
    file: str | Path,
    *,
    output: str | Path = Places.output,
    board: str | Path | None = BESIDE_RUNS,
    device: str = Places.device,
    data_root: str | Path | None = None,
    tell: Callable[[str], None] | None = None,
) -> Campaign:
    """Read the file of a campaign; its runs are listed, and can be made.

    Args:
        file: a TOML file; paths in it are relative to it.
        output: folder of the runs.
        board: folder of the leaderboards; by default beside the runs, None for none.
        device: of every run, as ``run --device``.
        data_root: folder that holds the data sets.
        tell: takes a line where something lasts or happens.

    >>> campaign = i2ibench.campaign("campaign.toml", device="cpu")
    >>> campaign.run().to_frame()["state"].tolist()
    ['finished']

    Raises:
        UsageError: the file is no campaign, or names what is unknown.
    """
    places = Places(
        Path(output),
        None if board is None else Path(board),
        device,
        None if data_root is None else Path(data_root),
    )
    return Campaign(Path(file), read_campaign(Path(file)), places, tell or _silent)


@dataclass(frozen=True, repr=False)
class Campaign(Printed):
    """A declared set of runs. Whatever it says of them is read from their folders when asked.

    Attributes:
        file: that declares it.
        content: of the file.
        places: where the runs read and write.
        tell: takes a line where something lasts or happens.
    """

    file: Path
    content: CampaignFile
    places: Places
    tell: Callable[[str], None]

    @property
    def name(self) -> str:
        """As the file says."""
        return self.content.name

    @cached_property
    def times(self) -> StepTimes:
        """Measured seconds a step."""
        return StepTimes(self.places.output / "campaigns" / f"{self.name}.times.json")

    @cached_property
    def planned(self) -> PlannedCampaign:
        """The runs and what is to be said of them; data sets are drawn and hashed for it."""
        return self._plan(self.content)

    @property
    def runs(self) -> tuple[PlannedRun, ...]:
        """Every run once, in the order of the file; those that cannot start come last."""
        return self.planned.runs

    def states(self) -> list[RunState]:
        """Return the state of each run, as its folder tells it now."""
        return [state_of(run) for run in self.runs]

    def estimates(self, states: Sequence[RunState] | None = None) -> list[Estimate]:
        """Return what each run will cost from where it stands."""
        states = self.states() if states is None else states
        by_id = {run.id: state for run, state in zip(self.runs, states, strict=True)}
        return Estimates(self.times).of(self.runs, by_id)

    def measure(self, executor: Executor | None = None) -> None:
        """Measure a few steps of each training of which nothing is known, one after another."""
        executor = executor or self.processes()
        if self.content.budget.track != "equal-time":
            measure(self.runs, self.times, executor, self.tell)
            return
        # The epochs, and so the runs, follow from what is measured.
        published = self.content.model_copy(update={"budget": Budget(track="as-published")})
        measure(self._plan(published).runs, self.times, executor, self.tell)
        self.__dict__.pop("planned", None)

    def measure_budget(self, executor: Executor) -> None:
        """Measure the steps that the epochs of ``equal-time`` follow from, if they are unknown."""
        if any(isinstance(run.fault, UnmeasuredError) for run in self.runs):
            self.measure(executor)

    def processes(self, jobs: int | None = None, threads: int | None = None) -> ProcessesHere:
        """Return what runs on this machine: ``jobs`` processes of ``threads`` threads each."""
        return ProcessesHere(jobs, threads, gpus_here(self.places.device))

    def run(
        self,
        *,
        jobs: int | None = None,
        threads: int | None = None,
        retries: int = 0,
        executor: Executor | None = None,
    ) -> Campaign:
        """Make every run that is not finished, and return this campaign.

        A run that fails is recorded with its reason and stops no other. The same call continues
        after whatever stopped it.

        Args:
            jobs: processes at a time; by default one a GPU, or one where there are none.
            threads: of each; by default ``$OMP_NUM_THREADS``, or the cores, shared out.
            retries: how often a run that fails is tried again, beyond the first time.
            executor: where the runs are made; by default processes on this machine.

        Raises:
            UsageError: settings that some run refuses; nothing was started.
            UnfinishedError: some runs have failed, or could not start.
            Interrupted: after Ctrl-C or SIGTERM, when all processes have ended.
        """
        executor = executor or self.processes(jobs, threads)
        self.tell(f"{self.name}: {executor}")
        self.measure_budget(executor)
        self.prepare()
        Drive(self.runs, executor, retries, self.tell, self._memory()).to_the_end()
        self._refuse_unfinished()
        return self

    def on_ray(
        self,
        address: str | None = None,
        *,
        jobs: int | None = None,
        threads: int | None = None,
        memory_gb: float | None = None,
    ) -> RayCluster:
        """Connect to a Ray cluster, to be given to ``run`` as ``executor``.

        >>> with campaign.on_ray("10.0.0.1:6379", threads=8) as cluster:
        ...     campaign.run(executor=cluster)

        Args:
            address: of its head; by default of ``RAY_ADDRESS``, else of the cluster that runs on
                this machine, else one of this machine alone is started.
            jobs: runs at a time; by default as many as the machines have room for.
            threads: CPUs of each; by default those of the smallest machine, shared among its GPUs.
            memory_gb: of each, in GiB; by default what finished runs alike have held, and none is
                asked for where there are none.

        Raises:
            MissingError: Ray is not installed: ``pip install 'i2ibench[ray]'``.
            UsageError: no cluster there, or one whose machines do not share the folder of the runs,
                or have other versions.
        """
        from i2ibench.ray_cluster import RayCluster

        return RayCluster(
            address,
            self.places.output,
            jobs=jobs,
            threads=threads,
            gpu=self.places.device != "cpu",
            memory_gb=memory_gb,
        )

    def report(self) -> Report:
        """Return what the finished runs say: the endpoint's test, methods, costs, curves.

        >>> campaign.report().write("runs/campaigns", campaign.name)

        Raises:
            DataError: no run is finished, or a record is damaged.
            UsageError: the endpoint names what the campaign has not.
        """
        from i2ibench.campaigns.report import report_of

        return report_of(self)

    def prepare(self) -> None:
        """Make what runs share before any starts: drawn data, hashes, kept pixels.

        Raises:
            UsageError: settings that some run refuses.
        """
        wrong = [run for run in self.runs if isinstance(run.fault, UsageError)]
        if wrong:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            raise UsageError(f"{self.file}: {wrong[0].title}: {wrong[0].fault}{more}")
        if not self.content.pixel_cache:
            return
        filled: dict[tuple[str, int | None, int], None] = {}
        for run, state in zip(self.runs, self.states(), strict=True):
            plan = run.plan
            if state.kind not in ("new", "training", "failed") or plan is None:
                continue
            if plan.train is None or not isinstance(plan.model, TrainableModel):
                continue
            key = (run.options.dataset, plan.recipe.images.resize, len(plan.train))
            if key not in filled:
                filled[key] = None
                PixelCache(plan.train.pairs, plan.recipe.images.resize).fill(self.tell)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a run: what it is, the varied keys, its state, where it runs, its cost."""
        import pandas as pd

        frame: pd.DataFrame = pd.DataFrame(self.rows())
        return frame

    def rows(self) -> list[dict[str, Any]]:
        """Return what ``to_frame`` does, as JSON values."""
        states = self.states()
        return rows_of(self.runs, states, self.estimates(states))

    def summary(self, states: Sequence[RunState]) -> str:
        """Return how many runs are in which state, in a line."""
        found: Counter[str] = Counter(state.kind for state in states)
        running = sum(state.running for state in states)
        parts = [f"{found[kind]} {kind}" for kind in KINDS if found[kind]]
        return ", ".join([*parts, *([f"{running} running now"] if running else [])])

    def _memory(self) -> dict[str, float]:
        """Return the most that runs are known to hold, by id, in MiB."""
        known = zip(self.runs, self.estimates(), strict=True)
        return {run.id: cost.memory_mb for run, cost in known if run.id and cost.memory_mb}

    def _plan(self, content: CampaignFile) -> PlannedCampaign:
        try:
            return plan_campaign(content, self.file.parent, self.places, self.times, self.tell)
        except UsageError as error:
            raise UsageError(f"{self.file}: {error}") from None

    def _refuse_unfinished(self) -> None:
        states = zip(self.runs, self.states(), strict=True)
        left = [(run, state) for run, state in states if state.kind != "finished"]
        if left:
            said = [f"{run.id or run.title} ({state.reason or state.text})" for run, state in left]
            raise UnfinishedError(
                f"{len(left)} of {count(len(self.runs), 'run')} not finished: {some(said, 3)}; "
                "the same command tries them again"
            )

    def _lines(self) -> Sequence[str]:
        states = self.states()
        estimates = self.estimates(states)
        known = [each.seconds for each in estimates if each.seconds is not None]
        about = f", about {duration(sum(known))} of one process left" if any(known) else ""
        failed = [state.reason for state in states if state.kind == "failed"]
        last = f"failed: {some(failed, 2)}" if failed else f"folder {self.places.output}"
        return [
            f"campaign {self.name}: {counted(self.runs)}",
            f"{self.summary(states)}{about}",
            last,
        ]

    def _tables(self) -> Sequence[Table]:
        header = ["run", "model", "data set", "protocol", "seed", "varied", "state", "reason"]
        rows = [
            [
                run.id or "-",
                run.model,
                run.dataset,
                run.protocol or "-",
                str(run.options.seed),
                run.variation,
                state.text,
                state.reason,
            ]
            for run, state in zip(self.runs, self.states(), strict=True)
        ]
        return [("", header, rows)]


def _silent(line: str) -> None:
    pass
