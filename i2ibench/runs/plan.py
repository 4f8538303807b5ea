"""A run resolved: every name looked up, every choice made, before anything costly starts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from i2ibench.data.content_hash import manifest_sha256
from i2ibench.data.dataset import Dataset
from i2ibench.data.images import image_size
from i2ibench.data.pairs import PairedDataset
from i2ibench.errors import DataError, UsageError
from i2ibench.evaluation.protocol import Protocol
from i2ibench.files import sha256_file
from i2ibench.leaderboard.entries import check_place
from i2ibench.models.closed_form import FittedModel
from i2ibench.models.interface import (
    TrainableModel,
    TranslationModel,
    build_model,
    registered_model,
)
from i2ibench.runs.default_protocol import protocol_for
from i2ibench.runs.folder import RunFolder, open_run_folder
from i2ibench.runs.options import Options
from i2ibench.runs.validation import check_keep_best, hold_out
from i2ibench.runtime import resolve_device, resolve_precision
from i2ibench.training.checkpoint import load_if_ours
from i2ibench.training.logs import check_wandb
from i2ibench.training.recipe import Recipe, load_recipe


@dataclass(frozen=True)
class Plan:
    """Options with every name resolved and every input checked.

    Attributes:
        options: what was asked for.
        model: built, without trained weights (or with those of a foreign checkpoint).
        recipe: settings and budget.
        protocol: how predictions are made and scored.
        dataset: found once.
        test: its pairs to translate and score.
        train: the pairs to train or fit on; None where nothing is trained.
        held_out: the training pairs to validate on instead, where some were held out.
        training_pairs: the training split where there is one, for metrics fitted on it.
        device: resolved.
        precision: resolved.
    """

    options: Options
    model: TranslationModel
    recipe: Recipe
    protocol: Protocol
    dataset: Dataset
    test: PairedDataset
    train: PairedDataset | None
    held_out: PairedDataset | None
    training_pairs: PairedDataset | None
    device: str
    precision: str

    @cached_property
    def experiment(self) -> dict[str, Any]:
        """The content of ``experiment.json``; its hash names the run."""
        checkpoint = self.options.checkpoint
        trained = isinstance(self.model, TrainableModel) and self.train is not None
        processes = self.options.devices * self.options.nodes
        return {
            "schema": 1,
            # Several processes see larger batches, so theirs is another experiment.
            **({"processes": processes} if trained and processes > 1 else {}),
            "model": {
                "name": self.options.model,
                "config": self.model.config.model_dump(mode="json"),
                "checkpoint_sha256": sha256_file(checkpoint) if checkpoint else None,
            },
            "dataset": {
                "name": self.test.name,
                "direction": self.test.direction,
                "train": _describe(self.train),
                "test": _describe(self.test),
            },
            "training": self.recipe.training.model_dump(mode="json") if trained else None,
            "images": self.recipe.images.model_dump(mode="json") if trained else None,
            "seed": self.options.seed,
            "precision": self.precision,
            "limit": self.options.limit,
            "tile": self.options.tile,
            "protocol": {"id": self.protocol.id, "sha256": self.protocol.sha256},
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


def resolve(options: Options) -> Plan:
    """Look up every name and check every input of a run.

    Raises:
        UsageError: unknown names or settings, values that exclude each other.
        DataError: pairs that do not fit together or the model.
        MissingError: a data set that must be fetched first.
    """
    device = resolve_device(options.device)
    precision = resolve_precision(options.precision, device)
    model_class = registered_model(options.model)
    dataset = Dataset.open(
        options.dataset,
        direction=options.direction,
        data_root=options.data_root,
        limit=options.limit,
    )
    if options.board_folder is not None:
        check_place(options.board_folder, dataset.name)
    protocol = protocol_for(dataset, options.protocol)
    test = dataset.split("test")
    recipe = load_recipe(options.model, dataset.recipes, options.recipe, options.recipe_settings)
    training_pairs = dataset.split_if_there("train")
    train = held_out = None
    if options.wandb is not None:
        check_wandb()
    if options.checkpoint is not None:
        if options.recipe_settings or options.recipe is not None:
            raise UsageError("--set and --recipe change nothing with --checkpoint; leave them out")
        model = model_from_checkpoint(options.model, options.checkpoint)
    else:
        model = build_model(options.model, recipe.model)
        if issubclass(model_class, TrainableModel | FittedModel):
            train = dataset.split("train")
        if isinstance(model, TrainableModel) and train is not None:
            fraction = recipe.training.validation_fraction
            if fraction:
                train, held_out = hold_out(train, fraction)
            check_keep_best(recipe.training, held_out is not None or "val" in dataset.splits)
            _check_trainable(options.model, model, recipe, train)
    return Plan(
        options,
        model,
        recipe,
        protocol,
        dataset,
        test,
        train,
        held_out,
        training_pairs,
        device,
        precision,
    )


def model_from_checkpoint(name: str, path: Path) -> TranslationModel:
    """Build model ``name`` from a checkpoint of ours, or from one its class knows how to read."""
    model_class = registered_model(name)
    checkpoint = load_if_ours(path)
    if checkpoint is None:
        read = getattr(model_class, "from_external_checkpoint", None)
        if read is None:
            raise DataError(f"{path}: not an i2ibench checkpoint, and {name} reads no other kind")
        model: TranslationModel = read(path)
        return model
    if checkpoint.model != name:
        raise UsageError(f"{path} holds a {checkpoint.model}; use --model {checkpoint.model}")
    model = build_model(name, checkpoint.config)
    try:
        model.load_state_dict(dict(checkpoint.weights))
    except RuntimeError:
        raise DataError(
            f"{path}: its weights do not fit the settings it names; restore or remove it"
        ) from None
    return model


def _check_trainable(
    name: str, model: TrainableModel, recipe: Recipe, train: PairedDataset
) -> None:
    batch = recipe.training.batch_size
    if batch < model.minimum_batch:
        raise UsageError(
            f"{name} needs batches of at least {model.minimum_batch} pairs, not {batch}; "
            f"use --set training.batch_size={model.minimum_batch}"
        )
    multiple = model.size_multiple
    chosen = recipe.images.crop or recipe.images.resize
    if chosen is not None:
        if chosen % multiple:
            raise UsageError(
                f"{name} trains on sides that are multiples of {multiple}, not {chosen}; "
                f"use --set images.crop={max(multiple, chosen // multiple * multiple)}"
            )
        return
    for pair in train:
        width, height = image_size(pair.source)
        if width % multiple or height % multiple:
            raise DataError(
                f"pair {pair.id} is {width} x {height}, but {name} trains on sides that are "
                f"multiples of {multiple}; use --set images.resize=... or images.crop=..."
            )


def _describe(dataset: PairedDataset | None) -> dict[str, Any] | None:
    if dataset is None:
        return None
    return {
        "split": dataset.split,
        "pairs": len(dataset),
        "manifest_sha256": manifest_sha256(dataset),
    }
