"""A model examined: the whole contract, tried in seconds on images that are drawn here."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from i2ibench.data.loading import to_unit_range
from i2ibench.errors import DataError, UsageError
from i2ibench.models.closed_form import FittedModel, OracleModel
from i2ibench.models.config import config_values
from i2ibench.models.contract import differ, evaluating, translated, translation_findings
from i2ibench.models.findings import Finding, failure, named_place
from i2ibench.models.foreign.open_method import open_method
from i2ibench.models.foreign.program import ExternalProgram
from i2ibench.models.interface import PairBatch, TrainableModel, TranslationModel, build_model
from i2ibench.models.policy import InferencePolicy
from i2ibench.runs.doctor import Check
from i2ibench.runs.preflight import section_side
from i2ibench.runtime import global_generators_kept, seed_global_generators
from i2ibench.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from i2ibench.training.contract import Trial, training_findings
from i2ibench.training.engine import lay_out, lay_out_states, memory_layout
from i2ibench.training.step import check_optimizers, train_step
from i2ibench.translation.inference import inference_mode
from i2ibench.translation.translate import translate_image

_SEED = 7
_LARGEST_SECTION = 512
_STEPS = 4
_STEPS_OF_LEARNING = 30
_ODD = ((37, 50), (65, 64), (9, 70))

Build = Callable[[], TranslationModel]


@dataclass(frozen=True, slots=True)
class _Subject:
    """A model on examination: how it is built, how it is called, and where it runs."""

    name: str
    build: Build
    device: str

    def new(self, seed: int = _SEED) -> TranslationModel:
        seed_global_generators(seed)
        return self.build().to(self.device)

    def initialised(self) -> tuple[TrainableModel, dict[str, Optimizer]]:
        seed_global_generators(_SEED)
        model = self.build()
        assert isinstance(model, TrainableModel)  # noqa: S101
        model.initialize(torch.Generator().manual_seed(_SEED))
        device = torch.device(self.device)
        lay_out(model.to(device), memory_layout(model, device))
        model.train()
        return model, check_optimizers(model, model.optimizers())


def examine_model(name: str, build: Build, device: str = "cpu") -> list[Check]:
    """Try everything that runs expect of a model; a check a line.

    Args:
        name: what it is called in the lines.
        build: returns a new instance; the seeds of the global generators are set before.
        device: where it is tried.

    Raises:
        UsageError: a program, which only a run can try.
    """
    subject = _Subject(name, build, device)
    with global_generators_kept():
        model = subject.new()
        if isinstance(model, ExternalProgram):
            raise UsageError(f"{name} is a program; try it by a run with --limit 4")
        if isinstance(model, OracleModel):
            return [Check("oracle", "ok", f"{name} reads targets; it is shown and never ranked")]
        checks = [*_contract(subject, model)]
        if all(each.state != "fault" for each in checks):
            for subject_of, trial in _further(model).items():
                checks += _tried(subject, subject_of, trial)
    return checks


def examine_named(name: str, settings: Mapping[str, Any], device: str = "cpu") -> list[Check]:
    """Examine what ``--model`` names, under settings such as ``{"model.channels": 4}``.

    Raises:
        UsageError: an unknown model or setting.
    """
    found = open_method(name).name
    strange = [key for key in settings if not key.startswith("model.")]
    if strange:
        raise UsageError(f"--set {strange[0]}: a model is examined by its own settings, model.KEY")
    chosen = {key.removeprefix("model."): value for key, value in settings.items()}
    return examine_model(found, lambda: build_model(found, chosen), device)


def _further(model: TranslationModel) -> Mapping[str, Callable[[_Subject], Iterator[Finding]]]:
    if isinstance(model, TrainableModel):
        return {
            "odd sizes": _odd_sizes,
            "batch sizes": _batch_sizes,
            "resume": _resume,
            "learning": _learning,
        }
    return {"odd sizes": _odd_sizes}


_FINE = {
    "contract": "construction, settings, shape, range, repeatability, state",
    "training": "optimisers, phases, one step, a checkpoint loaded into a new instance",
    "odd sizes": "images of sides that fit no grid are translated",
    "batch sizes": "each image of a batch is translated as if it were alone",
    "resume": f"a training stopped after {_STEPS // 2} of {_STEPS} steps ends in equal weights; "
    "its checkpoint holds no pickled objects",
    "learning": f"{_STEPS_OF_LEARNING} steps on one batch lower the losses",
}


def _contract(subject: _Subject, model: TranslationModel) -> Iterator[Check]:
    batch = _drawn(model, 2, subject.device)
    if isinstance(model, TrainableModel):
        trial = Trial(lambda: _trainable(subject), batch, model.state_dict(), _SEED)
        found = training_findings(trial)
    else:
        fit(model)
        with evaluating(model):
            found = translation_findings(model, batch.source)
    yield from map(_told, found)
    if not found:
        yield Check("contract", "ok", _FINE["contract"])
        if isinstance(model, TrainableModel):
            yield Check("training", "ok", _FINE["training"])


def fit(model: TranslationModel) -> None:
    """Fit a closed-form model to pairs that are drawn; others are left as they are."""
    if isinstance(model, FittedModel):
        model.fit((_image(32, 32, seed), _image(32, 32, seed + 50)) for seed in range(4))


def _trainable(subject: _Subject) -> TrainableModel:
    model = subject.build()
    assert isinstance(model, TrainableModel)  # noqa: S101
    return model


def _tried(
    subject: _Subject, what: str, trial: Callable[[_Subject], Iterator[Finding]]
) -> list[Check]:
    try:
        found = [*trial(subject)]
    except (Exception, SystemExit) as error:
        found = [failure(subject.build(), "translate", error)]
    return [_told(each, what) for each in found] or [Check(what, "ok", _FINE[what])]


def _told(finding: Finding, what: str = "") -> Check:
    return Check(what or finding.check, "fault" if finding.stops else "note", finding.text)


def _odd_sizes(subject: _Subject) -> Iterator[Finding]:
    model = subject.new()
    fit(model)
    policy = InferencePolicy()
    for height, width in _ODD:
        image = _image(height, width, 1)
        try:
            with inference_mode(model, policy):
                translate_image(model, image, policy=policy, device=subject.device)
        except DataError as error:
            yield Finding(
                "size",
                f"{named_place(model, 'translate')}: of an image of {width} x {height}: {error}; "
                "say size_multiple, and images are padded and cropped back",
            )
            return


def _batch_sizes(subject: _Subject) -> Iterator[Finding]:
    model, _ = subject.initialised()
    source = _drawn(model, 3, subject.device).source
    with evaluating(model):
        together = translated(model, source, _SEED)
        alone = torch.cat([translated(model, source[i : i + 1], _SEED) for i in range(3)])
    if not model.stochastic and differ(alone, together, 1e-3):
        yield Finding(
            "batch",
            f"{named_place(model, 'translate')} makes another output of an image that others "
            "stand beside; here each is translated alone, so that training and test may differ",
            stops=False,
        )
    for count in (model.minimum_batch, model.minimum_batch + 1):
        model, optimizers = subject.initialised()
        _train(model, optimizers, _drawn(model, count, subject.device), range(1))


def _resume(subject: _Subject) -> Iterator[Finding]:
    model, optimizers = subject.initialised()
    batch = _drawn(model, max(2, model.minimum_batch), subject.device)
    _train(model, optimizers, batch, range(_STEPS))
    half, half_optimizers = subject.initialised()
    _train(half, half_optimizers, batch, range(_STEPS // 2))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "last.ckpt"
        save_checkpoint(path, _checkpoint(subject, half, half_optimizers))
        read = load_checkpoint(path)
    resumed, resumed_optimizers = subject.initialised()
    resumed.load_state_dict(dict(read.weights))
    for name, optimizer in resumed_optimizers.items():
        optimizer.load_state_dict(read.optimizers[name])
        lay_out_states(optimizer)
    _train(resumed, resumed_optimizers, batch, range(_STEPS // 2, _STEPS))
    wrong = [
        name
        for name, value in model.state_dict().items()
        if not torch.equal(value, resumed.state_dict()[name])
    ]
    if wrong:
        yield Finding(
            "resume",
            f"{named_place(model, 'training_phases')}: stopped and continued, a training ends in "
            f"another {wrong[0]}; something it depends on is in no checkpoint; keep it in a "
            "buffer, and draw from torch's global generator",
            stops=subject.device == "cpu",
        )


def _learning(subject: _Subject) -> Iterator[Finding]:
    model, optimizers = subject.initialised()
    batch = _drawn(model, max(2, model.minimum_batch), subject.device)
    first = _train(model, optimizers, batch, range(1))
    for step in range(1, _STEPS_OF_LEARNING):
        last = _train(model, optimizers, batch, range(step, step + 1))
        if any(last[name] < first[name] * 0.999 for name in first if name in last):
            return
    shown = ", ".join(f"{name} {first[name]:.4g} to {last[name]:.4g}" for name in last)
    yield Finding(
        "learning",
        f"{named_place(model, 'training_phases')}: {_STEPS_OF_LEARNING} steps on one batch lower "
        f"no loss ({shown}); look at their signs and at the learning rate",
        stops=False,
    )


def _train(
    model: TrainableModel, optimizers: Mapping[str, Optimizer], batch: PairBatch, steps: range
) -> dict[str, float]:
    losses: dict[str, Tensor] = {}
    for step in steps:
        seed_global_generators(step)
        losses = train_step(model, optimizers, PairBatch(batch.source.clone(), batch.target))
    return {name: float(value) for name, value in losses.items()}


def _checkpoint(
    subject: _Subject, model: TrainableModel, optimizers: Mapping[str, Optimizer]
) -> Checkpoint:
    return Checkpoint(
        model=subject.name,
        config=config_values(model.config),
        training_id="doctor",
        step=_STEPS // 2,
        total_steps=_STEPS,
        seconds=0.0,
        weights=model.state_dict(),
        optimizers={name: each.state_dict() for name, each in optimizers.items()},
    )


def _drawn(model: TranslationModel, count: int, device: str) -> PairBatch:
    """Draw a batch of the smallest side that a model is likely to take."""
    least = max(64, getattr(model, "minimum_side", 1))
    side = section_side(_LARGEST_SECTION, model.size_multiple, least)
    count = max(count, getattr(model, "minimum_batch", 1))
    images = [_image(side, side, seed) for seed in range(count)]
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    source: Any = to_unit_range(stacked, device)
    return PairBatch(source, -source)


def _image(height: int, width: int, seed: int) -> np.ndarray:
    """Draw blotches of all grey levels."""
    coarse = np.random.default_rng(seed).integers(
        0, 256, (-(-height // 8), -(-width // 8), 3), np.uint8
    )
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))[:height, :width]
