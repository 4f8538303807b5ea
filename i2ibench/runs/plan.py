"""A run resolved: every name looked up, every choice made, before anything costly starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from i2ibench import registry
from i2ibench.data.content_hash import manifest_sha256
from i2ibench.data.dataset import Dataset
from i2ibench.data.faults import raise_together
from i2ibench.data.pairs import PairedDataset
from i2ibench.data.sources import folder_of_sources, sources_alone
from i2ibench.errors import DataError, UsageError
from i2ibench.evaluation.protocol import Protocol
from i2ibench.files import sha256_file
from i2ibench.leaderboard.entries import check_place
from i2ibench.models.closed_form import FittedModel
from i2ibench.models.config import config_values, translation_settings
from i2ibench.models.foreign.open_method import open_method
from i2ibench.models.foreign.program import ExternalProgram
from i2ibench.models.interface import (
    TrainableModel,
    TranslationModel,
    registered_model,
)
from i2ibench.provenance import plugins_used
from i2ibench.results.method_facts import facts_beside
from i2ibench.runs.default_protocol import protocol_for
from i2ibench.runs.folder import RunFolder, open_run_folder
from i2ibench.runs.initial_model import check_foreign, initial_model, learns
from i2ibench.runs.no_recipe import budget_remark, with_default_crop
from i2ibench.runs.options import Options
from i2ibench.runs.trainable import check_recipe, check_test_scale, training_faults
from i2ibench.runs.validation import check_keep_best, hold_out
from i2ibench.runtime import resolve_device, resolve_precision
from i2ibench.training.logs import check_wandb
from i2ibench.training.recipe import Recipe, has_recipe, load_recipe

# What is asked for: all stages, or one of the first two alone.
Verb = Literal["run", "train", "translate"]


@dataclass(frozen=True)
class Plan:
    """Options with every name resolved and every input checked.

    Attributes:
        options: what was asked for.
        model: built, without trained weights (or with those of a foreign checkpoint).
        recipe: settings and budget.
        protocol: how predictions are made and scored.
        dataset: found once.
        tested: its pairs to translate and score; None where only a training was asked for and
            there are none.
        train: the pairs to train or fit on; None where nothing is trained.
        held_out: the training pairs to validate on instead, where some were held out.
        training_pairs: the training split where there is one, for metrics fitted on it.
        device: resolved.
        precision: resolved.
        scaled_to: side of the square at which images are translated; None for their own size.
        remarks: what is told before a training: what a model was taken for, a default budget.
    """

    options: Options
    model: TranslationModel
    recipe: Recipe
    protocol: Protocol
    dataset: Dataset
    tested: PairedDataset | None
    train: PairedDataset | None
    held_out: PairedDataset | None
    training_pairs: PairedDataset | None
    device: str
    precision: str
    scaled_to: int | None
    remarks: tuple[str, ...] = ()

    @property
    def test(self) -> PairedDataset:
        """The pairs to translate and score."""
        return self.dataset.split("test") if self.tested is None else self.tested

    @cached_property
    def experiment(self) -> dict[str, Any]:
        """The content of ``experiment.json``; its hash names the run."""
        checkpoint = self.options.checkpoint
        trained = isinstance(self.model, TrainableModel) and self.train is not None
        is_program = isinstance(self.model, ExternalProgram) and self.train is not None
        by_program = {"program": self.options.model} if is_program else None
        processes = self.options.devices * self.options.nodes
        plugins = plugins_used(self.options.model, self.protocol.metric_names)
        config = config_values(self.model.config)
        translation_only = sorted(translation_settings(type(self.model.config), config))
        return {
            "schema": 1,
            # Several processes see larger batches, so theirs is another experiment.
            **({"processes": processes} if trained and processes > 1 else {}),
            "model": {
                "name": self.options.model,
                "config": config,
                # Settings that change predictions and not weights: see runs.folder.training_id.
                **({"translation_only": translation_only} if translation_only else {}),
                "checkpoint_sha256": sha256_file(checkpoint) if checkpoint else None,
            },
            "dataset": {
                "name": self.dataset.name,
                "direction": (self.tested or self.train or self.test).direction,
                "train": _describe(self.train),
                "test": _describe(self.tested),
            },
            "training": self.recipe.training.model_dump(mode="json") if trained else by_program,
            "images": self.recipe.images.model_dump(mode="json") if trained else None,
            "seed": self.options.seed,
            "precision": self.precision,
            "limit": self.options.limit,
            "tile": self.options.tile,
            "protocol": {"id": self.protocol.id, "sha256": self.protocol.sha256},
            # Code of others that was edited makes a new run, which never meets the old scores.
            **({"plugins": plugins} if plugins else {}),
        }

    @cached_property
    def validation(self) -> PairedDataset | None:
        """The pairs to validate on while training; None where there are none.

        A ``val`` split is listed and checked when a training first asks: a finished run does not.
        """
        return self.held_out or self.dataset.split_if_there("val")

    @cached_property
    def folder(self) -> RunFolder:
        """The run's folder, made on first use."""
        return open_run_folder(self.options.output, self.experiment)

    @property
    def keeps_best(self) -> bool:
        """Whether the state that validated best is translated with, not the last."""
        return isinstance(self.model, TrainableModel) and bool(self.recipe.training.keep_best)

    @property
    def weights(self) -> Path:
        """The trained state to translate with."""
        return self.folder.best_checkpoint if self.keeps_best else self.folder.checkpoint


def resolve(options: Options, verb: Verb = "run", dataset: Dataset | None = None) -> Plan:
    """Look up every name and check every input of a run.

    Args:
        options: what was asked for.
        verb: ``"train"`` needs no test split, ``"translate"`` no targets.
        dataset: what ``options`` name, where it is open already: many runs list its pairs once.

    Raises:
        UsageError: unknown names or settings, values that exclude each other.
        DataError: pairs that do not fit together or the model; all faulty images at once.
        MissingError: a data set that must be fetched first.
    """
    device = resolve_device(options.device)
    precision = resolve_precision(options.precision, device)
    method = open_method(options.model)
    options = replace(options, model=method.name)
    registered_model(options.model)  # an unknown name is told before a data set is drawn
    alone = None
    if dataset is None:
        dataset, alone = _open_dataset(options, verb)
    if options.board_folder is not None:
        check_place(options.board_folder, dataset.name)
    protocol = protocol_for(dataset, options.protocol)
    recipe = load_recipe(options.model, dataset.recipes, options.recipe, options.recipe_settings)
    remarks = [method.remark] if method.remark else []
    facts_beside(registry.models.entry(options.model))  # what cannot be said is told now
    if options.wandb is not None:
        check_wandb()
    model, scaled_to = initial_model(options, recipe)
    check_foreign(model, options, protocol)
    if alone is not None and model.uses_target:
        raise UsageError(f"{options.model} reads targets, and {dataset.name} has none")
    trains = options.checkpoint is None and learns(model)
    faults: list[DataError] = []
    tested = alone or _tested(dataset, verb, faults)
    training_pairs = dataset.split_if_there("train", faults.append)
    train = held_out = None
    if trains:
        train = training_pairs or dataset.split("train")
    if train is not None and isinstance(model, TrainableModel):
        if not has_recipe(options.model, dataset.recipes, options.recipe):
            raise_together(faults, f"data set {dataset.name}")
            recipe = with_default_crop(recipe, train, model.size_multiple, options.settings)
            remarks.append(budget_remark(options.model, recipe))
        check_recipe(options.model, model, recipe)
        fraction = recipe.training.validation_fraction
        faults += training_faults(options.model, model, recipe, train)
        if faults and not fraction:
            # A message is whole with the val split too, which is otherwise looked at when needed.
            dataset.split_if_there("val", faults.append)
        raise_together(faults, f"data set {dataset.name}")
        if fraction:
            train, held_out = hold_out(train, fraction)
        check_keep_best(recipe.training, held_out is not None or "val" in dataset.splits)
        if tested is not None:
            check_test_scale(recipe.images, protocol.preparation, tested)
    raise_together(faults, f"data set {dataset.name}")
    return Plan(
        options,
        model,
        recipe,
        protocol,
        dataset,
        tested,
        train,
        held_out,
        training_pairs,
        device,
        precision,
        scaled_to,
        tuple(remarks),
    )


def of_seed(experiment: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return the experiment of the same options with another seed.

    Nothing else in it follows from the seed: which pairs are held out neither.
    """
    return {**experiment, "seed": seed}


def _open_dataset(options: Options, verb: Verb) -> tuple[Dataset, PairedDataset | None]:
    """Return the data set, and its sources where it has no targets and none are needed."""
    try:
        dataset = Dataset.open(
            options.dataset,
            direction=options.direction,
            data_root=options.data_root,
            limit=options.limit,
        )
    except DataError:
        folder = Path(options.dataset)
        if verb != "translate" or not folder.is_dir():
            raise
        dataset = folder_of_sources(folder, limit=options.limit)
        if options.checkpoint is None and issubclass(
            registered_model(options.model), TrainableModel | FittedModel
        ):
            raise UsageError(
                f"{folder}: sources alone, and no pairs to train {options.model} on; give its "
                "weights with --checkpoint"
            ) from None
        return dataset, dataset.split("test")
    return dataset, sources_alone(dataset) if verb == "translate" else None


def _tested(dataset: Dataset, verb: Verb, faults: list[DataError]) -> PairedDataset | None:
    if verb == "train":
        return dataset.split_if_there("test", faults.append)
    return dataset.split("test", faults.append)


def _describe(dataset: PairedDataset | None) -> dict[str, Any] | None:
    if dataset is None:
        return None
    return {
        "split": dataset.split,
        "pairs": len(dataset),
        "manifest_sha256": manifest_sha256(dataset),
    }
