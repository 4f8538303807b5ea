"""The file of a campaign: which methods on which data, with which seeds and settings.

A campaign only repeats ``run``: each of its runs can be started by hand, and a run's id knows
nothing of the campaign. Paths in the file are relative to the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from i2ibench import registry
from i2ibench.campaigns.campaign_names import check_dataset, check_model, check_protocol
from i2ibench.campaigns.endpoint import Endpoint
from i2ibench.campaigns.recipe_keys import RecipeSettings, checked_keys, flat
from i2ibench.errors import UsageError
from i2ibench.files import is_safe_name
from i2ibench.reading import read_toml
from i2ibench.settings import Settings, explain

# What a budget track decides, and [set] therefore cannot.
BUDGET_KEYS = ("training.epochs", "training.decay_epochs")

Seed = Annotated[int, pydantic.Field(strict=True, ge=0)]
# Of anything that is looked up, or may be a path; nothing that would break a line.
Name = Annotated[str, pydantic.Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=4096)]
Names = Annotated[tuple[Name, ...], pydantic.Field(min_length=1)]
Seeds = Annotated[tuple[Seed, ...], pydantic.Field(min_length=1)]


class Vary(Settings):
    """A grid over recipe keys, for the named models; it is added to their usual settings.

    In the file the keys of the grid stand beside ``model``, each with the list of its values.
    """

    model: Name | None = None
    models: Names | None = None
    grid: dict[str, Annotated[tuple[Any, ...], pydantic.Field(min_length=1)]]

    @pydantic.model_validator(mode="before")
    @classmethod
    def _gather(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        given = flat(content)
        grid = {key: values for key, values in given.items() if "." in key}
        for key, values in grid.items():
            if not isinstance(values, list | tuple):
                raise ValueError(f"{key}: give a list of values, e.g. [{values!r}]")
        return {**{k: v for k, v in given.items() if k not in grid}, "grid": grid}

    @pydantic.model_validator(mode="after")
    def _check(self) -> Vary:
        if (self.model is None) == (self.models is None):
            raise ValueError("name what is varied, by model or by models")
        if not self.grid:
            raise ValueError('give a key to vary, e.g. "model.ngf" = [16, 32]')
        checked_keys(self.grid)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The models whose settings are varied."""
        return self.models if self.models is not None else (str(self.model),)


class Also(Settings):
    """Further runs; what is left out is as at the top of the file."""

    datasets: Names | None = None
    models: Names | None = None
    seeds: Seeds | None = None
    protocols: Names | None = None
    set: RecipeSettings = pydantic.Field(default_factory=dict)


class Budget(Settings):
    """How long each method is trained.

    Attributes:
        track: ``as-published``: as its recipe says; ``equal-images``: all see as many training
            images; ``equal-time``: all train as long, by seconds a step that are measured here.
        images: of ``equal-images``.
        minutes: of ``equal-time``.
    """

    track: Literal["as-published", "equal-images", "equal-time"]
    images: Annotated[int, pydantic.Field(ge=1)] | None = None
    minutes: Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)] | None = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _by_name(cls, content: Any) -> Any:
        return {"track": content} if isinstance(content, str) else content

    @pydantic.model_validator(mode="after")
    def _measured_in_one(self) -> Budget:
        needed = {"equal-images": "images", "equal-time": "minutes"}.get(self.track)
        for name in ("images", "minutes"):
            given = getattr(self, name) is not None
            if given and name != needed:
                raise ValueError(f"{name} is not of {self.track}; leave it out")
            if not given and name == needed:
                raise ValueError(f"{self.track} needs [budget] {name} = ...")
        return self


class CampaignFile(Settings):
    """What a campaign's file declares.

    Attributes:
        version: of this form of the file.
        name: of the campaign.
        datasets: names or paths.
        models: registered names, or files of yours as ``--model`` takes them.
        seeds: of every method in which something is random; one of the others.
        protocols: by default each data set's own.
        set: settings of the recipe, for all runs.
        vary: grids over such settings.
        also: further runs.
        budget: how long each method is trained.
        endpoint: what decides, named before the first run; its test stands first in the report.
        keep_best: as ``run --keep-best``.
        validation_fraction: as ``run --validation-fraction``.
        direction: as ``run --direction``.
        limit: as ``run --limit``.
        precision: as ``run --precision``; name one where machines differ, for it is in the id.
        tile: as ``run --tile``.
        pixel_cache: as ``run --pixel-cache``; written once, before any run starts.
        allow_unverified_weights: as ``run --allow-unverified-weights``.
    """

    version: Literal[1] = 1
    name: str
    datasets: Names
    models: Names
    seeds: Seeds = (0,)
    protocols: Names | None = None
    set: RecipeSettings = pydantic.Field(default_factory=dict)
    vary: tuple[Vary, ...] = ()
    also: tuple[Also, ...] = ()
    budget: Budget = Budget(track="as-published")
    endpoint: Endpoint | None = None
    keep_best: str | None = None
    validation_fraction: Annotated[float, pydantic.Field(gt=0, le=0.5)] | None = None
    direction: str | None = None
    limit: Annotated[int, pydantic.Field(strict=True, ge=1)] | None = None
    precision: Literal["auto", "fp32", "tf32", "bf16"] = "auto"
    tile: Annotated[int, pydantic.Field(strict=True, ge=0)] | None = None
    pixel_cache: bool = False
    allow_unverified_weights: bool = False

    @pydantic.field_validator("version", mode="before")
    @classmethod
    def _known_version(cls, version: Any) -> Any:
        if version != 1 or isinstance(version, bool):
            raise ValueError("this i2ibench reads version 1; write 1, or update i2ibench")
        return version

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> CampaignFile:
        if not is_safe_name(self.name):
            raise ValueError(f"name = {self.name!r} cannot be the name of a file")
        blocks = {"": self, **{f"also.{n}.": each for n, each in enumerate(self.also)}}
        for where, block in blocks.items():
            for key in ("datasets", "models", "seeds", "protocols"):
                twice = _first_twice(getattr(block, key) or ())
                if twice is not None:
                    raise ValueError(f"{where}{key}: {twice!r} stands twice")
        known = {*self.models, *(name for each in self.also for name in each.models or ())}
        for number, each in enumerate(self.vary):
            for name in each.names:
                if name not in known:
                    raise ValueError(
                        f"vary.{number}: {registry.unknown_name('model', name, sorted(known))}"
                    )
        for name in self.endpoint.models if self.endpoint is not None else ():
            if name not in known:
                raise ValueError(f"endpoint: {registry.unknown_name('model', name, sorted(known))}")
        if self.budget.track != "as-published":
            self._refuse_own_budgets()
        return self

    def _refuse_own_budgets(self) -> None:
        given = [*self.set, *(key for each in self.also for key in each.set)]
        given += [key for each in self.vary for key in each.grid]
        for key in BUDGET_KEYS:
            if key in given:
                raise ValueError(f"{key} is what {self.budget.track} decides; leave it out")


def read_campaign(path: Path) -> CampaignFile:
    """Read the file of a campaign, and look up the names in it.

    Raises:
        UsageError: it is no TOML, a key or a name is unknown, or values do not fit together.
    """
    content = read_toml(path, error=UsageError)
    campaign = parse_campaign(content, str(path))
    try:
        for names, check in (
            (_all(campaign, "models"), check_model),
            (_all(campaign, "datasets"), check_dataset),
            (_all(campaign, "protocols"), check_protocol),
        ):
            for name in names:
                check(name, path.parent)
        if campaign.endpoint is not None:
            for name in (campaign.endpoint.metric, *campaign.endpoint.secondary):
                registry.metrics.entry(name)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    return campaign


def parse_campaign(content: Mapping[str, Any], where: str) -> CampaignFile:
    """Validate the content of a campaign's file; whatever is wrong is one ``UsageError``."""
    try:
        return CampaignFile(**content)
    except pydantic.ValidationError as error:
        raise UsageError(f"{where}: {explain(error, CampaignFile)}") from None
    except TypeError as error:  # a key that is no name
        raise UsageError(f"{where}: {error}") from None


def _all(campaign: CampaignFile, key: str) -> list[str]:
    blocks = (campaign, *campaign.also)
    return [*dict.fromkeys(name for each in blocks for name in getattr(each, key) or ())]


def _first_twice(values: Iterable[Any]) -> Any:
    listed = [*values]
    return next((each for n, each in enumerate(listed) if each in listed[:n]), None)
