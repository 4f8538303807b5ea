"""A plain ``nn.Module`` as a method: trained by L1 with Adam, its constructor's keywords set."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pydantic
import torch
from torch import Tensor, nn

from i2ibench.errors import PluginError, UsageError
from i2ibench.models.interface import ModelConfig, PairBatch, Phase, TrainableModel

_RATE = "learning_rate"
_PLAIN = (bool, int, float, str, type(None))
# What a state_dict is found under in the files of other trainings.
_NESTED = ("state_dict", "model_state_dict", "model", "network", "generator", "netG")


class PlainConfig(ModelConfig):
    """Base of the settings of a plain module: the keywords of its constructor."""

    model_config = pydantic.ConfigDict(protected_namespaces=())


class PlainModule(TrainableModel):
    """Base of adapted modules: ``forward`` takes sources in [-1, 1] and returns predictions."""

    module_class: ClassVar[type[nn.Module]]

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        keywords = config.model_dump()
        own = _parameters(self.module_class)
        self._rate = keywords[_RATE] if _RATE not in own else keywords.pop(_RATE, 5e-4)
        self.network = self.module_class(**{k: v for k, v in keywords.items() if k in own})
        self.size_multiple = int(getattr(self.network, "size_multiple", 1))
        self.tile_overlap = getattr(self.network, "tile_overlap", None)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return one Adam of everything that is trained."""
        trained = [each for each in self.network.parameters() if each.requires_grad]
        if not trained:
            raise UsageError(
                f"{type(self).__name__} has no parameters to train; derive it from "
                "i2ibench.TranslationModel, whose translate() needs no training"
            )
        return {"network": torch.optim.Adam(trained, lr=self._rate)}

    def training_phases(self, batch: PairBatch) -> Iterator[Phase]:
        """Yield the one phase: mean absolute difference."""
        prediction = self.translate(batch.source)
        # Of other shapes a difference may still exist, by broadcasting: of one channel and three.
        made = tuple(prediction.shape) if isinstance(prediction, Tensor) else type(prediction)
        if made != tuple(batch.target.shape):
            raise PluginError(
                f"{type(self).__name__}.forward made {made} of {tuple(batch.source.shape)}; it "
                "must return one tensor, images of the size of its input"
            )
        if not prediction.requires_grad:
            raise PluginError(
                f"{type(self).__name__}.forward returned {prediction.dtype} that no parameter "
                "has a gradient through; return floats, without detach(), no_grad or rounding"
            )
        yield Phase("network", lambda: {"L1": (prediction - batch.target).abs().mean()})

    def translate(self, source: Tensor) -> Tensor:
        """Return ``forward(source)``."""
        made: Tensor = self.network(source)
        return made

    def load_own_state(self, state: Any) -> None:
        """Load what the module's authors saved: its ``state_dict``, also one level down.

        Raises:
            ValueError: it does not fit; says the first key that is missing or unknown.
        """
        for key in _NESTED:
            if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
                state = state[key]
        if not isinstance(state, Mapping):
            raise ValueError("holds no state_dict")
        given = {str(key).removeprefix("module."): value for key, value in state.items()}
        wanted = self.network.state_dict()
        for told, names in (("lacks", wanted.keys() - given), ("has also", given.keys() - wanted)):
            if names:
                raise ValueError(f"{told} {sorted(names)[0]}, as {len(names)} in all")
        try:
            self.network.load_state_dict(given)
        except RuntimeError as error:
            raise ValueError(" ".join(str(error).split())[:200]) from None


def adapted(found: type[nn.Module]) -> type[PlainModule]:
    """Return the method that a plain module is.

    Raises:
        UsageError: it has no ``forward`` of its own.
    """
    if found.forward is nn.Module.forward:
        raise UsageError(f"{found.__name__} has no forward(source); a model needs one")
    fields: dict[str, Any] = {
        name: (_annotation(each), ... if each.default is each.empty else each.default)
        for name, each in _parameters(found).items()
    }
    fields.setdefault(_RATE, (float, 5e-4))
    config = pydantic.create_model(f"{found.__name__}Config", __base__=PlainConfig, **fields)
    attributes = {
        "__doc__": found.__doc__ or "A plain nn.Module, trained by L1.",
        "__module__": found.__module__,
        "Config": config,
        "module_class": found,
        "stochastic": bool(getattr(found, "stochastic", False)),
    }
    made: type[PlainModule] = type(found.__name__, (PlainModule,), attributes)
    return made


def _parameters(found: type[nn.Module]) -> dict[str, inspect.Parameter]:
    """Return the constructor's parameters that a setting can give; others keep their default."""
    signature = inspect.signature(found.__init__)
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {
        name: each
        for name, each in [*signature.parameters.items()][1:]
        if each.kind not in variadic
        and not name.startswith("_")
        and (each.default is each.empty or _is_plain(each.default))
    }


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN)


def _annotation(parameter: inspect.Parameter) -> Any:
    """Return the type of a setting: that of the default where it says one."""
    named = {"int": int, "float": float, "str": str, "bool": bool}
    said = parameter.annotation
    if said in named.values():
        return said
    if isinstance(said, str) and said in named:
        return named[said]
    default = parameter.default
    return type(default) if isinstance(default, bool | int | float | str) else Any
