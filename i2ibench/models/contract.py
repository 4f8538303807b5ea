"""What i2ibench expects of a model that translates, tried on a few images: one line a fault.

Pure functions: they take a model and images, and return what they found. Whoever calls them decides
when, and what is done about it. ``i2ibench.training.contract`` tries the training in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from i2ibench.models.findings import Finding, failure, named_place
from i2ibench.models.interface import TranslationModel
from i2ibench.runtime import seed_global_generators
from i2ibench.wording import some

# Values that lie less than this outside of [-1, 1], 6 grey levels, are no question of the range.
_MARGIN = 0.05
_SHARE_WORTH_A_WORD = 0.02
# No network that was just drawn makes only positive values up to here; one that makes 0..255 does.
_LARGEST = 16.0
# Between two passes of equal seeds; kernels of GPUs add in no fixed order.
_EQUAL = {"cpu": 1e-5}
_EQUAL_ON_GPU = 1e-2
_SEED = 7


def translation_findings(
    model: TranslationModel, source: Tensor, *, draws: bool | None = None, drawn: bool = False
) -> list[Finding]:
    """Try ``model.translate``; call it in the mode in which the model translates.

    Args:
        model: on the device of ``source``.
        source: images ``(N, 3, H, W)`` in [-1, 1], of a size that the model takes.
        draws: whether two passes may differ; by default as the model says.
        drawn: whether its weights are not trained yet.
    """
    draws = model.stochastic if draws is None else draws
    before, modes = copied_state(model), training_modes(model)
    given = source.clone()
    try:
        first = translated(model, given, _SEED)
        found = [*output_findings(model, first, source, drawn=drawn)]
        if any(each.stops for each in found):
            return found
        if not torch.equal(given, source):
            found.append(_edits_its_input(model))
        found += _repeat_findings(model, source, first, draws)
    except (Exception, SystemExit) as error:
        return [failure(model, "translate", error)]
    found += _state_findings(model, before, modes)
    if model.spread_samples > 1 and not draws:
        found.append(_no_spread(model))
    return found


def translated(model: TranslationModel, source: Tensor, seed: int) -> Any:
    """Return what ``translate`` makes under a seed of all global generators."""
    seed_global_generators(seed)
    return model.translate(source)


@contextmanager
def evaluating(model: TranslationModel) -> Iterator[None]:
    """Put a model into evaluation mode, without gradients; restores it after.

    Not PyTorch's inference mode: of tensors that were kept there no gradient can be taken later.
    """
    modes = training_modes(model)
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def output_findings(
    model: TranslationModel, output: Any, source: Tensor, *, drawn: bool = False
) -> Iterator[Finding]:
    """Yield what is wrong with one output: kind, shape, device, dtype, values."""
    place = named_place(model, "translate")
    if not isinstance(output, Tensor):
        yield Finding(
            "output",
            f"{place} returned {type(output).__name__}; return one tensor, the predictions, "
            "and keep anything else to training_phases",
        )
        return
    made, wanted = tuple(output.shape), tuple(source.shape)
    if made not in (wanted, (wanted[0], 1, *wanted[2:])):
        yield Finding("shape", f"{place} made {made} of {wanted}; {_advice_on_shape(made, wanted)}")
        return
    if output.device.type != source.device.type:
        yield Finding(
            "device",
            f"{place} returned a tensor on {output.device.type} of one on {source.device.type}; "
            "make tensors on the device of source, and register constants as buffers",
        )
        return
    if not output.dtype.is_floating_point:
        yield Finding(
            "dtype",
            f"{place} returned {str(output.dtype).removeprefix('torch.')}; return floats in "
            "[-1, 1], which the protocol rounds to grey levels (uint8 / 127.5 - 1)",
        )
        return
    finite = torch.isfinite(output)
    if not bool(finite.all()):
        share = 1 - float(finite.float().mean())
        yield Finding(
            "finite",
            f"{place} made values of which {share:.0%} are not finite; no image can be written "
            "of them; look for a division by zero, a logarithm or overflow",
        )
        return
    yield from _range_findings(place, output.float(), drawn)


def copied_state(model: torch.nn.Module) -> dict[str, Any]:
    """Return a copy of the ``state_dict``."""
    return {
        key: value.detach().clone() if isinstance(value, Tensor) else value
        for key, value in model.state_dict().items()
    }


def training_modes(model: torch.nn.Module) -> dict[torch.nn.Module, bool]:
    """Return of each module whether it is in training mode."""
    return {module: module.training for module in model.modules()}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names that two states do not share, or whose values differ."""
    return [
        name
        for name in sorted(before.keys() | after.keys())
        if name not in before or name not in after or not _same(before[name], after[name])
    ]


def differ(first: Tensor, second: Any, most: float | None = None) -> bool:
    """Whether two outputs differ by more than ``most``, or than the order of additions explains."""
    if not isinstance(second, Tensor) or first.shape != second.shape:
        return True
    if most is None:
        most = _EQUAL.get(first.device.type, _EQUAL_ON_GPU)
    return not torch.allclose(first.float(), second.float(), rtol=0, atol=most)


def _repeat_findings(
    model: TranslationModel, source: Tensor, first: Tensor, draws: bool
) -> Iterator[Finding]:
    place = named_place(model, "translate")
    if differ(first, translated(model, source.clone(), _SEED)):
        yield Finding(
            "repeat",
            f"{place} made two outputs of one input under equal seeds; it keeps something between "
            "calls, or draws from a generator of its own; draw from torch's global one, or no run "
            "can be repeated",
        )
    elif not draws and differ(first, translated(model, source.clone(), _SEED + 1)):
        yield Finding(
            "stochastic",
            f"{place} draws at random in evaluation mode (dropout by functional.dropout needs "
            "training=self.training); if that is meant, say stochastic = True in the class, so "
            "that each pair gets a seed of its own",
        )


def _state_findings(
    model: TranslationModel, before: dict[str, Any], modes: dict[torch.nn.Module, bool]
) -> Iterator[Finding]:
    place = named_place(model, "translate")
    if names := changed(before, copied_state(model)):
        yield Finding(
            "state",
            f"{place} changes {some(names, 3)} in evaluation mode; a prediction would depend on "
            "the images before it; change state where self.training alone",
        )
    if training_modes(model) != modes:
        yield Finding(
            "mode",
            f"{place} switches to another mode by train() or eval(); the protocol decides in "
            "which it translates",
        )


def _range_findings(place: str, output: Tensor, drawn: bool) -> Iterator[Finding]:
    low, high = float(output.min()), float(output.max())
    if low >= -1 - _MARGIN and high > _LARGEST:
        yield Finding(
            "range",
            f"{place} made values from {low:.3g} to {high:.3g}; images are in [-1, 1] here, all "
            "others would become white; return x / 127.5 - 1 of values in 0..255",
        )
        return
    share = float((output.abs() > 1 + _MARGIN).float().mean())
    if share > _SHARE_WORTH_A_WORD:
        weights = " with its first weights" if drawn else ""
        yield Finding(
            "range",
            f"{place} made {share:.0%} of its values outside [-1, 1]{weights} ({low:.3g} to "
            f"{high:.3g}); they are clipped to black and white; end with tanh or scale them",
            stops=False,
        )
    elif drawn and low >= 0 and high - low > _MARGIN:
        yield Finding(
            "range",
            f"{place} made values from {low:.3g} to {high:.3g} with its first weights and none "
            "below 0; images are in [-1, 1], so that darker halves are never reached; end with "
            "tanh, or return 2 * x - 1 of values in [0, 1]",
            stops=False,
        )


def _no_spread(model: TranslationModel) -> Finding:
    return Finding(
        "spread",
        f"{type(model).__name__} asks for {model.spread_samples} samples of a pair and draws none: "
        "all would be equal, and no spread is kept; say stochastic = True, or leave out "
        "spread_samples",
        stops=False,
    )


def _edits_its_input(model: TranslationModel) -> Finding:
    return Finding(
        "input",
        f"{named_place(model, 'translate')} changes its input in place; later phases of a step "
        "see other images than they were given; work on source.clone()",
        stops=False,
    )


def _advice_on_shape(made: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    count, _, height, width = wanted
    if made == (count, height, width, 3):
        return "put channels first: permute(0, 3, 1, 2)"
    if made == wanted[1:]:
        return "keep the axis of the batch, also of one image"
    if len(made) == 4 and made[2:] != wanted[2:]:
        return (
            "a model keeps the size of its input; where it needs sides of a multiple, say "
            "size_multiple, and images are padded and cropped back"
        )
    return "a model keeps the size of its input, and makes 3 channels, or 1 of grey"


def _same(first: Any, second: Any) -> bool:
    if not isinstance(first, Tensor) or not isinstance(second, Tensor):
        return first is second or type(first) is type(second)
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if torch.equal(first, second):
        return True
    both = first.isnan() & second.isnan()  # nothing equals NaN, not even itself
    return bool(both.any()) and torch.equal(first[~both], second[~both])
