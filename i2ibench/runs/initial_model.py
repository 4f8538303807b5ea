"""The model of a run before any training: built from its settings, or from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from i2ibench.errors import DataError, UsageError
from i2ibench.evaluation.protocol import Protocol
from i2ibench.models.closed_form import FittedModel
from i2ibench.models.config import translation_settings
from i2ibench.models.foreign.onnx_file import OnnxModel
from i2ibench.models.foreign.plain_module import PlainModule
from i2ibench.models.foreign.plain_policy import check_policy
from i2ibench.models.foreign.program import ExternalProgram
from i2ibench.models.interface import (
    TrainableModel,
    TranslationModel,
    build_model,
    registered_model,
)
from i2ibench.runs.options import Options
from i2ibench.runtime import seed_global_generators
from i2ibench.seeds import derive_seed
from i2ibench.training.checkpoint import load_if_ours
from i2ibench.training.recipe import Recipe
from i2ibench.training.torch_files import read_tensors


def initial_model(options: Options, recipe: Recipe) -> tuple[TranslationModel, int | None]:
    """Return the model, and the side of the square at which it translates, None for any size.

    Raises:
        UsageError: settings beside a checkpoint, which would change nothing.
        DataError: a checkpoint that cannot be read.
    """
    if options.checkpoint is None:
        # Initial weights that the constructor draws depend on the seed, and on nothing else.
        seed_global_generators(derive_seed(options.seed, "build"))
        model = build_model(options.model, recipe.model)
        if isinstance(model, OnnxModel):
            return model, model.scaled_to
        return model, recipe.images.scaled_to if isinstance(model, TrainableModel) else None
    chosen = {
        key.removeprefix("model."): value
        for key, value in options.recipe_settings.items()
        if key.startswith("model.")
    }
    of_translation = translation_settings(registered_model(options.model).Config, chosen)
    if len(of_translation) < len(options.recipe_settings) or options.recipe is not None:
        raise UsageError("--set and --recipe change nothing with --checkpoint; leave them out")
    return _from_checkpoint(options.model, options.checkpoint, recipe.model, of_translation)


def model_from_checkpoint(
    name: str,
    path: Path,
    settings: Mapping[str, Any] | None = None,
    *,
    config: Mapping[str, Any] | None = None,
) -> TranslationModel:
    """Build model ``name`` from a checkpoint of ours, or from one its class knows how to read.

    Args:
        name: registered.
        path: the checkpoint.
        settings: of a plain module whose authors saved its ``state_dict`` alone.
        config: of the run that translates; what only translation reads is taken from it, and not
            from the training that made the checkpoint.
    """
    return _from_checkpoint(name, path, settings, config or {})[0]


def learns(model: TranslationModel) -> bool:
    """Whether a training split gives the model its weights."""
    if isinstance(model, ExternalProgram):
        return model.program.train is not None
    return isinstance(model, TrainableModel | FittedModel)


def check_foreign(model: TranslationModel, options: Options, protocol: Protocol) -> None:
    """Refuse what programs and ONNX files cannot do.

    Raises:
        UsageError: an inference policy, a preparation, settings or processes that do not fit them.
    """
    if isinstance(model, OnnxModel):
        check_policy(options.model, protocol.id, protocol.inference, averages=True)
        if model.scaled_to is not None and not protocol.preparation.is_native:
            raise UsageError(
                f"{options.model} takes images resized to {model.scaled_to} px, and protocol "
                f"{protocol.id} scales or crops them itself; use one that leaves them at their "
                "size, e.g. i2i-2"
            )
    if not isinstance(model, ExternalProgram):
        return
    check_policy(options.model, protocol.id, protocol.inference)
    if options.recipe_settings or options.recipe is not None:
        raise UsageError(
            f"{options.model} is a program, which no recipe reaches; put its settings into the "
            "arguments of its commands"
        )
    if options.devices * options.nodes > 1:
        raise UsageError(f"{options.model} is a program; i2ibench starts one process of it")


def _from_checkpoint(
    name: str,
    path: Path,
    settings: Mapping[str, Any] | None,
    config: Mapping[str, Any],
) -> tuple[TranslationModel, int | None]:
    model_class = registered_model(name)
    checkpoint = load_if_ours(path)
    if checkpoint is None and issubclass(model_class, PlainModule):
        plain = build_model(name, settings)
        assert isinstance(plain, PlainModule)  # noqa: S101
        try:
            plain.load_own_state(read_tensors(path))
        except ValueError as error:
            raise DataError(f"{path}: not the weights of {name}: {error}") from None
        return plain, None
    if checkpoint is None:
        read = getattr(model_class, "from_external_checkpoint", None)
        if read is None:
            raise DataError(f"{path}: not an i2ibench checkpoint, and {name} reads no other kind")
        model: TranslationModel = read(path)
        return model, None
    if checkpoint.model != name:
        raise UsageError(f"{path} holds a {checkpoint.model}; use --model {checkpoint.model}")
    chosen = translation_settings(model_class.Config, config)
    model = build_model(name, {**checkpoint.config, **chosen})
    try:
        model.load_state_dict(dict(checkpoint.weights))
    except RuntimeError:
        raise DataError(
            f"{path}: its weights do not fit the settings it names; restore or remove it"
        ) from None
    return model, checkpoint.scaled_to
