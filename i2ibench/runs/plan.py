"""A run resolved: every name looked up, every choice made, before anything costly starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from i2ibench import registry
from i2ibench.data.content_hash import manifest_sha256
from i2ibench.data.dataset import Dataset
from i2ibench.data.images import image_size
from i2ibench.data.pairs import PairedDataset
from i2ibench.errors import DataError, UsageError
from i2ibench.evaluation.protocol import Protocol
from i2ibench.files import sha256_file
from i2ibench.models.closed_form import FittedModel
from i2ibench.models.foreign.onnx_file import OnnxModel
from i2ibench.models.foreign.open_method import open_method
from i2ibench.models.foreign.plain_module import PlainModule
from i2ibench.models.foreign.plain_policy import check_policy
from i2ibench.models.foreign.program import ExternalProgram
from i2ibench.models.interface import (
    TrainableModel,
    TranslationModel,
    build_model,
    registered_model,
)
from i2ibench.provenance import plugins_used
from i2ibench.results.method_facts import facts_beside
from i2ibench.runs.default_protocol import protocol_for
from i2ibench.runs.folder import RunFolder, open_run_folder
from i2ibench.runs.no_recipe import budget_remark, with_default_crop
from i2ibench.runs.options import Options
from i2ibench.runs.validation import check_keep_best, hold_out
from i2ibench.runtime import resolve_device, resolve_precision, seed_global_generators
from i2ibench.seeds import derive_seed
from i2ibench.training.checkpoint import load_if_ours
from i2ibench.training.logs import check_wandb
from i2ibench.training.recipe import Recipe, has_recipe, load_recipe
from i2ibench.training.torch_files import read_tensors


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
        remarks: what is told before a training: what a model was taken for, a default budget.
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
    remarks: tuple[str, ...] = ()

    @cached_property
    def experiment(self) -> dict[str, Any]:
        """The content of ``experiment.json``; its hash names the run."""
        checkpoint = self.options.checkpoint
        trained = isinstance(self.model, TrainableModel) and self.train is not None
        is_program = isinstance(self.model, ExternalProgram) and self.train is not None
        by_program = {"program": self.options.model} if is_program else None
        processes = self.options.devices * self.options.nodes
        plugins = plugins_used(self.options.model, self.protocol.metric_names)
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


def resolve(options: Options) -> Plan:
    """Look up every name and check every input of a run.

    Raises:
        UsageError: unknown names or settings, values that exclude each other.
        DataError: pairs that do not fit together or the model.
        MissingError: a data set that must be fetched first.
    """
    device = resolve_device(options.device)
    precision = resolve_precision(options.precision, device)
    method = open_method(options.model)
    options = replace(options, model=method.name)
    registered_model(options.model)  # an unknown name is told before a data set is looked for
    dataset = Dataset.open(
        options.dataset,
        direction=options.direction,
        data_root=options.data_root,
        limit=options.limit,
    )
    protocol = protocol_for(dataset, options.protocol)
    test = dataset.split("test")
    recipe = load_recipe(options.model, dataset.recipes, options.recipe, options.recipe_settings)
    training_pairs = dataset.split_if_there("train")
    train = held_out = None
    remarks = [method.remark] if method.remark else []
    facts_beside(registry.models.entry(options.model))  # what cannot be said is told now
    if options.wandb is not None:
        check_wandb()
    if options.checkpoint is not None:
        if options.recipe_settings or options.recipe is not None:
            raise UsageError("--set and --recipe change nothing with --checkpoint; leave them out")
        model = model_from_checkpoint(options.model, options.checkpoint, recipe.model)
    else:
        # Initial weights that the constructor draws depend on the seed, and on nothing else.
        seed_global_generators(derive_seed(options.seed, "build"))
        model = build_model(options.model, recipe.model)
        if isinstance(model, ExternalProgram):
            _check_program(model, options, protocol)
        if isinstance(model, OnnxModel):
            check_policy(options.model, protocol.id, protocol.inference, averages=True)
        if _learns(model):
            train = dataset.split("train")
        if isinstance(model, TrainableModel) and train is not None:
            if not has_recipe(options.model, dataset.recipes, options.recipe):
                recipe = with_default_crop(recipe, train, model.size_multiple, options.settings)
                remarks.append(budget_remark(options.model, recipe))
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
        tuple(remarks),
    )


def model_from_checkpoint(
    name: str, path: Path, settings: Mapping[str, Any] | None = None
) -> TranslationModel:
    """Build model ``name`` from a checkpoint of ours, or from one its class knows how to read.

    ``settings`` are those of a plain module whose authors saved its ``state_dict`` alone.
    """
    model_class = registered_model(name)
    checkpoint = load_if_ours(path)
    if checkpoint is None and issubclass(model_class, PlainModule):
        plain = build_model(name, settings)
        assert isinstance(plain, PlainModule)  # noqa: S101
        try:
            plain.load_own_state(read_tensors(path))
        except ValueError as error:
            raise DataError(f"{path}: not the weights of {name}: {error}") from None
        return plain
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


def _learns(model: TranslationModel) -> bool:
    if isinstance(model, ExternalProgram):
        return model.program.train is not None
    return isinstance(model, TrainableModel | FittedModel)


def _check_program(model: ExternalProgram, options: Options, protocol: Protocol) -> None:
    check_policy(options.model, protocol.id, protocol.inference)
    if options.recipe_settings or options.recipe is not None:
        raise UsageError(
            f"{options.model} is a program, which no recipe reaches; put its settings into the "
            "arguments of its commands"
        )
    if options.devices * options.nodes > 1:
        raise UsageError(f"{options.model} is a program; i2ibench starts one process of it")


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
