"""What i2ibench expects of a model that is trained, tried by one step: one line a fault.

The model that will be trained is never touched: everything is tried on instances built for it. A
second one, drawn from other seeds, is what a checkpoint is loaded into: whatever a checkpoint does
not hold shows as another output.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import UninitializedParameter
from torch.optim import Optimizer

from i2ibench.models.contract import (
    changed,
    copied_state,
    differ,
    evaluating,
    translated,
    translation_findings,
)
from i2ibench.models.findings import Finding, failure, named_place
from i2ibench.models.interface import PairBatch, TrainableModel, TrainingProgress
from i2ibench.runtime import seed_global_generators
from i2ibench.training.engine import lay_out, memory_layout
from i2ibench.training.late_losses import WatchedProgress, late_findings
from i2ibench.training.step import check_optimizers, train_step
from i2ibench.wording import count, some

_SEED = 7
_OTHER = 11


@dataclass(slots=True)
class Trial:
    """A model on trial: how it is built anew, and what it is tried on.

    Attributes:
        build: returns a new instance; the seeds of the global generators are set before.
        batch: of training, on the device.
        as_drawn: the state of an instance that was built under ``seed``, to compare with.
        seed: of that instance.
    """

    build: Callable[[], TrainableModel]
    batch: PairBatch
    as_drawn: Mapping[str, Any] | None = None
    seed: int = _SEED


def training_findings(trial: Trial, *, output_alone: bool = False) -> list[Finding]:
    """Build, initialise, translate, train one step, save, load; return what is wrong.

    Args:
        trial: the model.
        output_alone: end after the first translation.
    """
    seed_global_generators(trial.seed)
    model = trial.build()
    found: list[Finding] = []
    method = "initialize"
    try:
        found += _initial_findings(model, trial)
        if found:
            return found
        device = trial.batch.source.device
        lay_out(model.to(device), memory_layout(model, device))
        method = "translate"  # first, because losses of a wrong output say less
        with evaluating(model):
            found += translation_findings(model, trial.batch.source, drawn=True)
        if output_alone or any(each.stops for each in found):
            return found
        model.train()
        method = "optimizers"
        optimizers = check_optimizers(model, model.optimizers())
        found += _ownership_findings(model, optimizers)
        if any(each.stops for each in found):
            return found
        method = "training_phases"
        progress = WatchedProgress()
        found += _step_findings(model, optimizers, trial.batch, progress)
        if progress.looked and not any(each.stops for each in found):
            found += late_findings(model, optimizers, trial.batch, _SEED)
        if any(each.stops for each in found):
            return found
        method = "load_state_dict"
        found += _round_trip_findings(model, optimizers, trial)
    except (Exception, SystemExit) as error:
        found.append(failure(model, method, error))
    return found


def check_saves(content: Any) -> None:
    """Save and load the kinds that a checkpoint would hold, without the values of its tensors.

    Raises:
        Exception: of pickle, of ``torch.save``, or of the refusal to load Python objects.
    """
    file = io.BytesIO()
    torch.save(_emptied(content), file)
    file.seek(0)
    torch.load(file, map_location="cpu", weights_only=True)


def _emptied(content: Any) -> Any:
    if type(content) in (Tensor, torch.nn.Parameter):
        return content.detach().new_empty(0)
    if isinstance(content, Mapping):
        return {key: _emptied(value) for key, value in content.items()}
    if type(content) in (list, tuple):
        return [_emptied(value) for value in content]
    return content


def _initial_findings(model: TrainableModel, trial: Trial) -> Iterator[Finding]:
    """Whether one seed draws one set of weights: by the constructor, and by ``initialize``."""
    lazy = [n for n, each in model.named_parameters() if isinstance(each, UninitializedParameter)]
    if lazy:
        yield Finding(
            "weights",
            f"{named_place(model, '__init__')} leaves {some(lazy, 3)} without a shape until the "
            "first call; lazy layers cannot be initialised or loaded; give their channels",
        )
        return
    drawn = copied_state(model)
    if trial.as_drawn is not None and (names := changed(trial.as_drawn, drawn)):
        yield Finding(
            "seed",
            f"{named_place(model, '__init__')} drew other values of {some(names, 3)} under the "
            "same seed; draw from torch's global generator, or the run cannot be repeated",
        )
        return
    _initialize(model)
    first = copied_state(model)
    model.load_state_dict(drawn)
    _initialize(model)
    if names := changed(first, copied_state(model)):
        yield Finding(
            "seed",
            f"{named_place(model, 'initialize')} drew other values of {some(names, 3)} from the "
            "same generator; draw from the one that is given, or the run cannot be repeated",
        )


def _initialize(model: TrainableModel, seed: int = _SEED) -> None:
    seed_global_generators(seed)
    model.initialize(torch.Generator().manual_seed(seed))


def _ownership_findings(
    model: TrainableModel, optimizers: Mapping[str, Optimizer]
) -> Iterator[Finding]:
    """Whether each parameter that can be trained is in exactly one optimiser."""
    place = named_place(model, "optimizers")
    names = {id(each): name for name, each in model.named_parameters()}
    owners: dict[int, list[str]] = {}
    for key, optimizer in optimizers.items():
        for group in optimizer.param_groups:
            for each in group["params"]:
                owners.setdefault(id(each), []).append(key)
    twice = [names.get(each, "?") for each, found in owners.items() if len(set(found)) > 1]
    if twice:
        yield Finding(
            "optimizers",
            f"{place} gives {some(twice, 3)} to more than one optimiser, which would be stepped "
            "twice; give each parameter to one",
        )
    foreign = [each for each in owners if each not in names]
    if foreign:
        yield Finding(
            "optimizers",
            f"{place} trains {count(len(foreign), 'parameter')} that are none of the model's, so "
            "that no checkpoint holds them; networks in a plain list need nn.ModuleList, tensors "
            "nn.Parameter",
        )
    trained = {name for name, each in model.named_parameters() if each.requires_grad}
    left = sorted(trained - {names[each] for each in owners if each in names})
    if left:
        yield Finding(
            "optimizers",
            f"{place} leaves out {some(left, 3)}, which would stay as drawn; give each parameter "
            "to one optimiser, or freeze it by requires_grad_(False)",
        )


def _step_findings(
    model: TrainableModel,
    optimizers: Mapping[str, Optimizer],
    batch: PairBatch,
    progress: TrainingProgress,
) -> Iterator[Finding]:
    """Train one step, and tell which weights it left as they were."""
    place = named_place(model, "training_phases")
    before = copied_state(model)
    seed_global_generators(_SEED)
    given = PairBatch(batch.source.clone(), batch.target.clone(), progress=progress)
    losses = train_step(model, optimizers, given)
    broken = [name for name, each in losses.items() if not bool(torch.isfinite(each).all())]
    if broken:
        yield Finding(
            "losses",
            f"{place}: loss {some(broken, 3)} is not finite in the first step; nothing can be "
            "learned from it; look for a division by zero or a logarithm",
        )
        return
    names = {id(each): name for name, each in model.named_parameters()}
    moved = set(changed(before, copied_state(model)))
    owned = {
        key: [names[id(each)] for group in optimizer.param_groups for each in group["params"]]
        for key, optimizer in optimizers.items()
    }
    idle = [key for key, own in owned.items() if not moved.intersection(own)]
    if len(idle) == len(owned):
        yield Finding(
            "step",
            f"{place}: one step changed no weight; its losses do not depend on them, or the "
            "learning rate is 0",
        )
        return
    if idle:
        yield Finding(
            "step",
            f"{place}: a step changed no weight of {some(idle, 3)}; yield a phase of each "
            "optimiser, whose losses depend on its parameters",
            stops=False,
        )
    without = [
        name
        for name, each in model.named_parameters()
        if each.requires_grad and each.grad is None
        and not any(name in owned[key] for key in idle)
    ]  # fmt: skip
    if without:
        yield Finding(
            "step",
            f"{place}: no loss depends on {some(without, 3)}, which stay as drawn; remove what is "
            "not used",
            stops=False,
        )


def _round_trip_findings(
    model: TrainableModel, optimizers: Mapping[str, Optimizer], trial: Trial
) -> Iterator[Finding]:
    """Whether a checkpoint holds all that an output, and a continued training, depend on."""
    place = named_place(model, "__init__")
    weights = model.state_dict()
    plain = [name for name, value in weights.items() if not isinstance(value, Tensor)]
    if plain:
        yield Finding(
            "state",
            f"{place}: {some(plain, 3)} of its state_dict is no tensor; checkpoints hold tensors "
            "alone, so make it a buffer or a setting",
        )
        return
    states = {name: each.state_dict() for name, each in optimizers.items()}
    try:
        check_saves([weights, states])
    except Exception as error:  # of pickle, of torch.save and of its refusal to load
        yield Finding(
            "state",
            f"{place}: its state cannot be saved without Python objects "
            f"({type(error).__name__}); keep tensors, numbers and strings in the model and its "
            "optimisers",
        )
        return
    seed_global_generators(_OTHER)
    twin = trial.build()
    _initialize(twin, _OTHER)
    lay_out(twin.to(trial.batch.source.device), memory_layout(twin, trial.batch.source.device))
    try:
        twin.load_state_dict(weights)
    except RuntimeError as error:
        detail = " ".join(str(error).split())[:160]
        yield Finding(
            "state",
            f"{place}: a new instance cannot load the saved state ({detail}); make all layers and "
            "buffers in the constructor, from the settings alone",
        )
        return
    if _outputs_differ(model, twin, trial.batch.source):
        yield Finding(
            "state",
            f"{place}: saved and loaded into a new instance it makes another output, so that "
            "something it depends on is not saved; networks in a plain list need nn.ModuleList, "
            "tensors register_buffer",
        )


def _outputs_differ(model: TrainableModel, twin: TrainableModel, source: Tensor) -> bool:
    made = []
    for each in (model, twin):
        with evaluating(each):
            made.append(translated(each, source.clone(), _SEED))
    return differ(made[0], made[1])
