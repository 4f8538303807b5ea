"""What a campaign's file asks for, as the options of one run after another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ibench.campaigns.campaign_file import Also, CampaignFile
from i2ibench.campaigns.campaign_names import dataset_option, model_option, protocol_option
from i2ibench.runs.options import BESIDE_RUNS, Options


@dataclass(frozen=True)
class Places:
    """Where a campaign finds data and leaves runs; options of all its runs."""

    output: Path = Options.output
    board: Path | None = BESIDE_RUNS
    device: str = Options.device
    data_root: Path | None = None


@dataclass(frozen=True)
class Cell:
    """Runs that differ in their seed alone.

    Attributes:
        options: with the first of the seeds.
        seeds: in the order of the file.
        varied: the keys of a grid, with the values of this cell; nothing at the usual settings.
        common: the keys of settings that are meant for all runs.
    """

    options: Options
    seeds: tuple[int, ...]
    varied: Mapping[str, Any]
    common: tuple[str, ...]


def cells(campaign: CampaignFile, folder: Path, places: Places) -> Iterator[Cell]:
    """Yield what is asked for, in the order of the file: data set, protocol, model, grid.

    Args:
        campaign: the file's content.
        folder: in which the file lies.
        places: where the runs read and write.
    """
    for block in (Also(), *campaign.also):
        datasets = block.datasets or campaign.datasets
        protocols = block.protocols or campaign.protocols or (None,)
        models = block.models or campaign.models
        seeds = block.seeds or campaign.seeds
        for dataset, protocol, model in itertools.product(datasets, protocols, models):
            for varied in _variations(campaign, model):
                options = Options(
                    model=model_option(model, folder),
                    dataset=dataset_option(dataset, folder),
                    seed=seeds[0],
                    protocol=None if protocol is None else protocol_option(protocol, folder),
                    settings={**campaign.set, **block.set, **varied},
                    **_shared(campaign),
                    **vars(places),
                )
                common = tuple(key for key in {**campaign.set, **block.set} if key not in varied)
                yield Cell(options, seeds, varied, common)


def _variations(campaign: CampaignFile, model: str) -> Iterator[dict[str, Any]]:
    """Yield the settings of each run of a model beside those of all: first none."""
    yield {}
    for table in campaign.vary:
        if model not in table.names:
            continue
        values: Sequence[Sequence[Any]] = [*table.grid.values()]
        for chosen in itertools.product(*values):
            yield dict(zip(table.grid, chosen, strict=True))


def _shared(campaign: CampaignFile) -> dict[str, Any]:
    names = (
        "keep_best",
        "validation_fraction",
        "direction",
        "limit",
        "precision",
        "tile",
        "pixel_cache",
        "allow_unverified_weights",
    )
    return {name: getattr(campaign, name) for name in names}
