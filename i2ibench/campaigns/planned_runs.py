"""The list of a campaign's runs: each cell of its file resolved to the id of a run.

Resolving draws what is to be drawn, hashes the images and checks the settings: what runs share is
then there before any of them starts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from i2ibench import registry
from i2ibench.campaigns.budget import budget_settings
from i2ibench.campaigns.campaign_file import CampaignFile
from i2ibench.campaigns.cells import Cell, Places, cells
from i2ibench.campaigns.common_settings import CommonSettings
from i2ibench.campaigns.step_times import StepTimes
from i2ibench.data.dataset import Dataset
from i2ibench.errors import I2IBenchError
from i2ibench.models.foreign.program import ExternalProgram
from i2ibench.models.interface import TrainableModel
from i2ibench.runs.folder import RunFolder, run_folder, training_id
from i2ibench.runs.options import Options
from i2ibench.runs.plan import Plan, of_seed, resolve
from i2ibench.wording import count, some


@dataclass(frozen=True)
class PlannedRun:
    """One run of a campaign.

    Attributes:
        options: with which ``run`` makes it; protocol and precision are written out.
        varied: the keys of a grid with their values; nothing at the usual settings.
        model: its name as records have it.
        dataset: likewise.
        fault: why it cannot start: it then has no id.
        experiment: what is hashed to its id.
        plan: of the first seed of its cell; None where it cannot start.
    """

    options: Options
    varied: Mapping[str, Any]
    model: str
    dataset: str
    fault: I2IBenchError | None = None
    experiment: Mapping[str, Any] = field(default_factory=dict, repr=False)
    plan: Plan | None = field(default=None, repr=False, compare=False)

    @property
    def folder(self) -> RunFolder | None:
        """Where it is, or will be; None where it cannot start."""
        return run_folder(self.options.output, self.experiment) if self.experiment else None

    @property
    def id(self) -> str:
        """The run's id; empty where it cannot start."""
        folder = self.folder
        return folder.path.name if folder is not None else ""

    @property
    def arm(self) -> tuple[str, ...]:
        """What it shares with the runs that differ from it in their seed alone."""
        # [[also]] may give other settings to the same model, which are no varied ones.
        settings = str(sorted(self.options.settings.items()))
        return self.dataset, self.protocol, self.options.model, self.variation, settings

    @property
    def training(self) -> str:
        """The hash of what decides its weights; empty where nothing is trained or fitted."""
        learns = self.plan is not None and self.plan.train is not None
        return training_id(self.experiment) if learns else ""

    @property
    def protocol(self) -> str:
        """The id of the protocol; empty where the run cannot start and the file names none."""
        return self.options.protocol or "" if self.plan is None else self.plan.protocol.id

    @property
    def title(self) -> str:
        """What it is: ``varpyramid on synthetic, stain-2, seed 1, variance_weight 25``."""
        parts = [f"{self.model} on {self.dataset}"]
        if self.protocol:
            parts.append(self.protocol)
        parts += [f"seed {self.options.seed}", *([self.variation] if self.varied else [])]
        return ", ".join(parts)

    @property
    def variation(self) -> str:
        """The varied keys without their section, with their values."""
        return ", ".join(f"{key.partition('.')[2]} {value}" for key, value in self.varied.items())


@dataclass(frozen=True)
class PlannedCampaign:
    """The runs of a campaign, each once, and what is to be said of how they came about."""

    runs: tuple[PlannedRun, ...]
    remarks: tuple[str, ...]


def plan_campaign(
    campaign: CampaignFile,
    folder: Path,
    places: Places,
    times: StepTimes,
    tell: Callable[[str], None],
) -> PlannedCampaign:
    """Resolve every run.

    Args:
        campaign: the file's content.
        folder: in which the file lies.
        places: where the runs read and write.
        times: measured seconds a step, which ``equal-time`` needs.
        tell: takes a line before what may last.

    Raises:
        UsageError: a setting for all runs that no model has.
    """
    opened: dict[str, Dataset] = {}
    found: dict[str, PlannedRun] = {}
    faulty: list[PlannedRun] = []
    remarks: dict[str, None] = {}
    common = CommonSettings()
    fixed: dict[str, None] = {}  # models in which nothing is random
    for cell in cells(campaign, folder, places):
        dataset = cell.options.dataset
        try:
            if dataset not in opened:
                tell(f"opening {dataset}")
                opened[dataset] = _open(cell.options)
            fitted = common.fitted(cell.options, cell.common)
            cell = replace(cell, options=fitted)
            plan, said = _resolve(campaign, cell, opened[dataset], times)
        except I2IBenchError as error:
            name = opened[dataset].name if dataset in opened else dataset
            faulty += _faulty(cell, name, error)
            continue
        remarks.update(dict.fromkeys(said))
        if len(cell.seeds) > 1 and not _draws(plan):
            fixed[plan.options.model] = None
            cell = replace(cell, seeds=cell.seeds[:1])
        for run in _of_seeds(cell, plan):
            twin = found.setdefault(run.id, run)
            if twin is not run:
                remarks[_same(twin, run)] = None
    remarks.update(dict.fromkeys(common.remarks()))
    if fixed:
        remarks[f"nothing is random in {some([*fixed])}: the first seed alone"] = None
    return PlannedCampaign((*found.values(), *faulty), tuple(remarks))


def _open(options: Options) -> Dataset:
    return Dataset.open(
        options.dataset,
        direction=options.direction,
        data_root=options.data_root,
        limit=options.limit,
    )


def _resolve(
    campaign: CampaignFile, cell: Cell, dataset: Dataset, times: StepTimes
) -> tuple[Plan, list[str]]:
    """Return the plan of a cell, with the epochs of its budget, and what is to be said of them."""
    plan = resolve(cell.options, dataset=dataset)
    settings, remark = budget_settings(campaign.budget, plan, times)
    if settings:
        options = replace(cell.options, settings={**cell.options.settings, **settings})
        plan = resolve(options, dataset=dataset)
    return plan, [remark] if remark else []


def _of_seeds(cell: Cell, plan: Plan) -> Iterator[PlannedRun]:
    # At once: the registry may know another file's model of this name when the next is resolved.
    experiment = plan.experiment
    options = replace(
        cell.options,
        settings=dict(plan.options.settings),
        protocol=cell.options.protocol or plan.protocol.id,
        precision=plan.precision,
    )
    for seed in cell.seeds:
        yield PlannedRun(
            replace(options, seed=seed),
            cell.varied,
            plan.options.model,
            plan.dataset.name,
            experiment=of_seed(experiment, seed),
            plan=plan,
        )


def _draws(plan: Plan) -> bool:
    """Whether another seed can give other predictions."""
    model = plan.model
    if isinstance(model, TrainableModel | ExternalProgram) or model.stochastic:
        return True
    fitted_by_others = plan.train is not None and not registry.is_ours(
        registry.models.entry(plan.options.model)
    )
    drops = any("Dropout" in type(layer).__name__ for layer in model.modules())
    return fitted_by_others or (drops and plan.protocol.inference.dropout)


def _faulty(cell: Cell, dataset: str, error: I2IBenchError) -> Iterator[PlannedRun]:
    for seed in cell.seeds:
        options = replace(cell.options, seed=seed)
        yield PlannedRun(options, cell.varied, options.model, dataset, fault=error)


def _same(twin: PlannedRun, run: PlannedRun) -> str:
    what = run.variation or "the usual settings"
    usual = twin.variation or "the usual settings"
    return f"{run.model} on {run.dataset}: {what} is the same run as {usual}; it is listed once"


def seed_by_seed(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """Return the order in which runs are made: the first seed of everything, then the second.

    What is stopped early then compares methods over the same seeds.
    """
    seeds: Counter[tuple[str, ...]] = Counter()
    places = []
    for run in runs:
        places.append(seeds[run.arm])
        seeds[run.arm] += 1
    return [run for _, run in sorted(zip(places, runs, strict=True), key=lambda pair: pair[0])]


def counted(runs: tuple[PlannedRun, ...]) -> str:
    """Return ``12 runs of 3 models on synthetic``."""
    models = len({run.model for run in runs})
    datasets = ", ".join(dict.fromkeys(run.dataset for run in runs))
    return f"{count(len(runs), 'run')} of {count(models, 'model')} on {datasets}"
