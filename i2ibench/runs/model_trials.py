"""What is tried of a model on images that are drawn here: each trial yields what it finds wrong."""

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
from i2ibench.errors import DataError
from i2ibench.models.closed_form import FittedModel
from i2ibench.models.config import config_values
from i2ibench.models.contract import differ, evaluating, translated, translation_findings
from i2ibench.models.findings import Finding, named_place
from i2ibench.models.interface import PairBatch, TrainableModel, TranslationModel
from i2ibench.models.policy import InferencePolicy
from i2ibench.runs.preflight import section_side
from i2ibench.runtime import seed_global_generators
from i2ibench.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from i2ibench.training.contract import Trial, training_findings
from i2ibench.training.engine import lay_out, lay_out_states, memory_layout
from i2ibench.training.step import check_optimizers, train_step
from i2ibench.translation.inference import inference_mode
from i2ibench.translation.translate_image import translate_image

_SEED = 7
_LARGEST_SECTION = 512
STEPS = 4
STEPS_OF_LEARNING = 30
_ODD = ((37, 50), (65, 64), (9, 70))

Build = Callable[[], TranslationModel]


@dataclass(frozen=True, slots=True)
class Subject:
    """A model on examination: how it is built, how it is called, and where it runs."""

    name: str
    build: Build
    device: str

    def new(self, seed: int = _SEED) -> TranslationModel:
        """Build an instance whose weights are fixed by ``seed``."""
        seed_global_generators(seed)
        return self.build().to(self.device)

    def trainable(self) -> TrainableModel:
        """Build an instance, on the CPU, of a model that is trained."""
        model = self.build()
        assert isinstance(model, TrainableModel)  # noqa: S101
        return model

    def initialised(self) -> tuple[TrainableModel, dict[str, Optimizer]]:
        """Build an instance as a training begins with it, and its optimisers."""
        seed_global_generators(_SEED)
        model = self.trainable()
        model.initialize(torch.Generator().manual_seed(_SEED))
        device = torch.device(self.device)
        lay_out(model.to(device), memory_layout(model, device))
        model.train()
        return model, check_optimizers(model, model.optimizers())


def contract(subject: Subject) -> Iterator[Finding]:
    """Construction, and one translation: shape, range, repeatability, state."""
    model = subject.new()
    if isinstance(model, TrainableModel):
        yield from training_findings(_trial(subject, model), output_alone=True)
        return
    fit(model)
    with evaluating(model):
        yield from translation_findings(model, _drawn(model, 2, subject.device).source)


def training(subject: Subject) -> Iterator[Finding]:
    """Optimisers, phases, one step, and a checkpoint; what ``contract`` found is found again."""
    yield from training_findings(_trial(subject, subject.new()))


def fit(model: TranslationModel) -> None:
    """Fit a closed-form model to pairs that are drawn; others are left as they are."""
    if isinstance(model, FittedModel):
        model.fit((_image(32, 32, seed), _image(32, 32, seed + 50)) for seed in range(4))


def _trial(subject: Subject, model: TranslationModel) -> Trial:
    return Trial(subject.trainable, _drawn(model, 2, subject.device), model.state_dict(), _SEED)


def odd_sizes(subject: Subject) -> Iterator[Finding]:
    """Images of sides that fit no grid."""
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


def batch_sizes(subject: Subject) -> Iterator[Finding]:
    """An image alone and among others; the smallest batches."""
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


def resume(subject: Subject) -> Iterator[Finding]:
    """A training that is stopped and continued, and one that is not."""
    model, optimizers = subject.initialised()
    batch = _drawn(model, max(2, model.minimum_batch), subject.device)
    _train(model, optimizers, batch, range(STEPS))
    half, half_optimizers = subject.initialised()
    _train(half, half_optimizers, batch, range(STEPS // 2))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "last.ckpt"
        save_checkpoint(path, _checkpoint(subject, half, half_optimizers))
        read = load_checkpoint(path)
    resumed, resumed_optimizers = subject.initialised()
    resumed.load_state_dict(dict(read.weights))
    for name, optimizer in resumed_optimizers.items():
        optimizer.load_state_dict(read.optimizers[name])
        lay_out_states(optimizer)
    _train(resumed, resumed_optimizers, batch, range(STEPS // 2, STEPS))
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


def learning(subject: Subject) -> Iterator[Finding]:
    """Whether steps on one batch lower a loss."""
    model, optimizers = subject.initialised()
    batch = _drawn(model, max(2, model.minimum_batch), subject.device)
    first = _train(model, optimizers, batch, range(1))
    for step in range(1, STEPS_OF_LEARNING):
        last = _train(model, optimizers, batch, range(step, step + 1))
        if any(last[name] < first[name] * 0.999 for name in first if name in last):
            return
    shown = ", ".join(f"{name} {first[name]:.4g} to {last[name]:.4g}" for name in last)
    yield Finding(
        "learning",
        f"{named_place(model, 'training_phases')}: {STEPS_OF_LEARNING} steps on one batch lower "
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
    subject: Subject, model: TrainableModel, optimizers: Mapping[str, Optimizer]
) -> Checkpoint:
    return Checkpoint(
        model=subject.name,
        config=config_values(model.config),
        training_id="doctor",
        step=STEPS // 2,
        total_steps=STEPS,
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
