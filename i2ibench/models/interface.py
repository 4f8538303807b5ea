"""What a translation method implements: a network that translates, and the phases that train it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from i2ibench import registry
from i2ibench.errors import PluginError
from i2ibench.models.config import ModelConfig as ModelConfig
from i2ibench.models.config import parse_config as parse_config
from i2ibench.models.guard import code_of
from i2ibench.models.policy import InferencePolicy as InferencePolicy


class TranslationModel(nn.Module):
    """A method that translates images ``(N, 3, H, W)`` of floats in [-1, 1].

    Subclasses set ``Config``, a ``ModelConfig`` or a dataclass, and take one instance of it as
    their only constructor argument.
    """

    Config: ClassVar[type[ModelConfig]] = ModelConfig
    # Height and width must be multiples of this; translation pads and crops back.
    size_multiple: int = 1
    # Pixels of context with which a tile equals the whole image in evaluation mode; None where
    # no context suffices.
    tile_overlap: int | None = None
    # Whether two passes in evaluation mode differ. Such a model draws from torch's global
    # generator, which translation seeds for each pair by its id and the protocol's or run's seed.
    stochastic: ClassVar[bool] = False
    # Of a stochastic model: between how many samples of a pair a run keeps the spread, the first of
    # which is the prediction; 1 keeps none. It may follow from the settings.
    spread_samples: int = 1
    # Whether the method reads the target (an oracle is shown but never ranked).
    uses_target: ClassVar[bool] = False

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config

    def translate(self, source: Tensor) -> Tensor:
        """Return the predictions of ``source``; both ``(N, 3, H, W)`` in [-1, 1].

        A prediction of one channel, ``(N, 1, H, W)``, is grey.
        """
        raise _lacking(self, "translate(source)")

    def parameter_count(self) -> int:
        """Return the number of parameters that translate, without networks for training only."""
        return sum(parameter.numel() for parameter in self.parameters())


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Where in its budget a training stands.

    Attributes:
        epoch: the present one, from 0.
        epochs: epochs at the constant learning rate.
        decay_epochs: further epochs over which it falls.
    """

    epoch: int = 0
    epochs: int = 1
    decay_epochs: int = 0

    @property
    def decayed(self) -> float:
        """Share of the decay epochs that are over: 0 until they begin, below 1 in the last."""
        return max(0, self.epoch - self.epochs) / max(1, self.decay_epochs)


@dataclass(frozen=True, slots=True)
class PairBatch:
    """A training batch.

    Attributes:
        source: images ``(N, 3, H, W)`` in [-1, 1].
        target: of the same shape and range.
        ids: of the pairs.
        progress: where in its budget the training stands, for weights that change on the way.
    """

    source: Tensor
    target: Tensor
    ids: tuple[str, ...] = ()
    progress: TrainingProgress = TrainingProgress()


@dataclass(frozen=True, slots=True)
class Phase:
    """The part of a training step in which one optimiser, or several, are stepped on one loss.

    Attributes:
        optimizer: key of ``TrainableModel.optimizers()``, or a tuple of keys; only their
            parameters are trained.
        losses: evaluated when the phase's turn comes; the sum of its values is backpropagated.
    """

    optimizer: str | tuple[str, ...]
    losses: Callable[[], Mapping[str, Tensor]]


class TrainableModel(TranslationModel):
    """A translation method with optimisers and training phases.

    Precision, devices, schedules and checkpoints belong to the training loop.
    """

    # The smallest batch the objective is defined for; the loop also drops an incomplete last
    # batch where ``drop_incomplete_batch`` is set.
    minimum_batch: ClassVar[int] = 1
    # The smallest side of images it can be trained on; it may follow from the settings.
    minimum_side: int = 1
    drop_incomplete_batch: ClassVar[bool] = False

    def initialize(self, generator: torch.Generator) -> None:
        """Draw the initial weights from ``generator``; called once before training.

        By default those stay that the constructor drew. A run seeds all global generators before
        it builds a model, and again before this call, so that one seed gives the same weights.
        """

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return new optimisers by name; each parameter belongs to exactly one."""
        raise _lacking(self, "optimizers()")

    def training_phases(self, batch: PairBatch) -> Iterator[Phase]:
        """Yield the phases of one training step in order.

        The code between two yields runs after the former phase's optimiser has stepped.
        """
        raise _lacking(self, "training_phases(batch)")


def _lacking(model: TranslationModel, method: str) -> PluginError:
    return PluginError(f"model class {type(model).__name__} does not define {method}")


def registered_model(name: str) -> type[TranslationModel]:
    """Return the class of the registered model ``name``; anything else there is refused."""
    found: type[TranslationModel] = registry.models.get_class(
        name, (TranslationModel,), "i2ibench.TranslationModel"
    )
    return found


def build_model(name: str, settings: Mapping[str, Any] | None = None) -> TranslationModel:
    """Build the registered model ``name``; settings that its ``Config`` refuses are named.

    >>> i2ibench.build_model("pix2pix", {"ngf": 8}).parameter_count() < 10**6
    True
    """
    model_class = registered_model(name)
    return construct(name, model_class, parse_config(name, model_class.Config, settings or {}))


def construct(name: str, model_class: type[TranslationModel], config: Any) -> TranslationModel:
    """Build a model from checked settings.

    Raises:
        PluginError: its constructor fails, or does not keep the settings.
    """
    with code_of(name, "cannot be built"):
        model = model_class(config)
    if getattr(model, "config", None) is None:
        raise PluginError(
            f"model class {model_class.__name__} has no config, which names its runs; its "
            "__init__(self, config) must call super().__init__(config) first"
        )
    return model
