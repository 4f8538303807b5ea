"""Every loss equals an independent computation, in value and gradient."""

from __future__ import annotations

import json
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden_files import golden
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from i2ibench_baselines.losses import (
    gan_loss,
    gaussian_pyramid_loss,
    l1_loss,
    pyramid_losses,
    variance_penalty,
)


@pytest.fixture(scope="module")
def official() -> dict:
    return json.loads(golden("loss_golden.json").read_text())


def golden_tensors(name: str) -> tuple[Tensor, Tensor]:
    stored = np.load(golden(name))
    return torch.from_numpy(stored["fake"]), torch.from_numpy(stored["real"])


def random_pair(
    seed: int, *shape: int, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first, second = (torch.rand(2, *shape, generator=generator, dtype=dtype) * 2 - 1).unbind()
    return first.clone(), second.clone()


def value_and_gradient(
    loss: Callable[[Tensor, Tensor], Tensor], prediction: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    leaf = prediction.clone().requires_grad_()
    value = loss(leaf, target)
    value.backward()
    return value.detach(), leaf.grad


def four_blurs(images: Tensor) -> Tensor:
    """One octave as the paper's code computes it: four 3x3 Gaussian blurs, every second pixel."""
    taps = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64).square().div(-2.0).exp()
    taps = taps / taps.sum()
    channels = images.shape[1]
    kernel = torch.outer(taps, taps).to(images.dtype).expand(channels, 1, 3, 3)
    for _ in range(4):
        padded = F.pad(images, (1, 1, 1, 1), mode="reflect")
        images = F.conv2d(padded, kernel, groups=channels)
    return images[..., ::2, ::2]


def textbook_pyramid(prediction: Tensor, target: Tensor, scales: int = 4) -> list[Tensor]:
    losses = [F.l1_loss(prediction, target)]
    for _ in range(scales - 1):
        prediction, target = four_blurs(prediction), four_blurs(target)
        losses.append(F.l1_loss(prediction, target))
    return losses


def textbook_variance(prediction: Tensor, target: Tensor, unbiased: bool) -> Tensor:
    return (prediction.var(0, unbiased=unbiased) - target.var(0, unbiased=unbiased)).abs().mean()


def test_pyramid_equals_the_official_values_and_gradient(official: dict) -> None:
    prediction, target = golden_tensors("loss_tensors.npz")
    prediction.requires_grad_()
    losses = pyramid_losses(prediction, target)
    for loss, expected in zip(losses, official["pyramid_unweighted"].values(), strict=True):
        assert loss.item() == pytest.approx(expected, rel=1e-5)
    total = sum(25 * loss for loss in losses)
    assert total.item() == pytest.approx(official["pyramid_total_w25"], rel=1e-5)
    total.backward()
    gradient = prediction.grad.abs().sum().item()
    assert gradient == pytest.approx(official["fake_grad_abs_sum"], rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(2, 40),
    width=st.integers(2, 40),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 99),
)
def test_one_collapsed_pass_equals_four_blurs_in_value_and_gradient(
    height: int, width: int, channels: int, seed: int
) -> None:
    prediction, target = random_pair(seed, 2, channels, height, width)
    scales = next(n for n in (4, 3, 2) if min(height, width) > 2 ** (n - 2))

    def weighted(losses: list[Tensor]) -> Tensor:
        return sum((scale + 1) * loss for scale, loss in enumerate(losses))

    ours, our_gradient = value_and_gradient(
        lambda *images: weighted(pyramid_losses(*images, scales=scales)), prediction, target
    )
    expected, gradient = value_and_gradient(
        lambda *images: weighted(textbook_pyramid(*images, scales=scales)), prediction, target
    )
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(our_gradient, gradient, rtol=1e-9, atol=1e-12)


def test_pyramid_keeps_its_digits_under_half_precision_networks() -> None:
    prediction, target = random_pair(3, 2, 3, 64, 64, dtype=torch.float32)
    prediction = prediction.bfloat16()
    expected = [loss.item() for loss in textbook_pyramid(prediction.double(), target.double())]
    with torch.autocast("cpu", torch.bfloat16):
        losses = pyramid_losses(prediction, target)
    assert all(loss.dtype == torch.float32 for loss in losses)
    assert [loss.item() for loss in losses] == pytest.approx(expected, rel=1e-6)


def test_pyramid_does_not_depend_on_the_memory_layout() -> None:
    prediction, target = random_pair(4, 2, 3, 33, 18)
    plain = pyramid_losses(prediction, target)
    last = pyramid_losses(prediction.to(memory_format=torch.channels_last), target)
    torch.testing.assert_close(torch.stack(plain), torch.stack(last), rtol=1e-14, atol=0)


@pytest.mark.parametrize("batch", [2, 4])
@pytest.mark.parametrize("unbiased", [True, False])
def test_variance_penalty_equals_the_golden_values(
    official: dict, batch: int, unbiased: bool
) -> None:
    name = "loss_tensors.npz" if batch == 2 else f"loss_tensors_b{batch}.npz"
    value, gradient = value_and_gradient(
        lambda *images: variance_penalty(*images, unbiased), *golden_tensors(name)
    )
    expected = official[f"variance_b{batch}"]["unbiased" if unbiased else "biased"]
    assert [value.item(), gradient.abs().sum().item()] == pytest.approx(expected, rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(batch=st.integers(2, 6), seed=st.integers(0, 99), unbiased=st.booleans())
def test_variance_penalty_equals_torch_var_in_value_and_gradient(
    batch: int, seed: int, unbiased: bool
) -> None:
    pair = random_pair(seed, batch, 3, 5, 7)
    ours, our_gradient = value_and_gradient(
        lambda *images: 3.0 * variance_penalty(*images, unbiased), *pair
    )
    expected, gradient = value_and_gradient(
        lambda *images: 3.0 * textbook_variance(*images, unbiased), *pair
    )
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(our_gradient, gradient, rtol=1e-9, atol=1e-15)


def test_at_batch_two_unbiased_is_exactly_twice_biased() -> None:
    prediction, target = random_pair(5, 2, 3, 8, 8)
    assert variance_penalty(prediction, target, True) == 2 * variance_penalty(
        prediction, target, False
    )


def test_variance_of_nearly_equal_bright_images_does_not_cancel() -> None:
    # E[x^2] - E[x]^2 in float32 would lose every digit of a variance of 1e-8 around 1.
    generator = torch.Generator().manual_seed(6)
    noise = torch.randn(4, 3, 16, 16, generator=generator, dtype=torch.float64)
    prediction = (1.0 - 1e-4 * noise.abs()).float()
    target = torch.ones_like(prediction)
    expected = textbook_variance(prediction.double(), target.double(), True)
    assert variance_penalty(prediction, target).item() == pytest.approx(expected.item(), rel=1e-5)


def test_variance_penalty_widens_half_precision_and_returns_its_gradient() -> None:
    prediction, target = random_pair(7, 2, 3, 16, 16, dtype=torch.float32)
    prediction = prediction.bfloat16().requires_grad_()
    value = variance_penalty(prediction, target)
    expected = textbook_variance(prediction.detach().double(), target.double(), True)
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    assert prediction.grad.dtype == torch.bfloat16


def test_variance_penalty_of_one_image_is_refused() -> None:
    with pytest.raises(ValueError, match="batch of at least 2"):
        variance_penalty(*random_pair(8, 1, 3, 4, 4))


@pytest.mark.parametrize("kind", ["vanilla", "lsgan"])
@pytest.mark.parametrize("real", [True, False])
def test_gan_loss_equals_the_official_one(kind: str, real: bool) -> None:
    stored = np.load(golden("patchgan_ndf8_outputs.npz"))["y_train_b2"]
    information = json.loads(golden("arch_info.json").read_text())
    expected = information["ganloss"][kind]["real" if real else "fake"]
    logits = torch.from_numpy(stored)
    assert gan_loss(logits, real, kind).item() == pytest.approx(expected, rel=1e-6)


def test_losses_of_half_precision_are_computed_in_float32() -> None:
    prediction, target = (image.bfloat16() for image in random_pair(9, 1, 3, 8, 8))
    exact = F.l1_loss(prediction.double(), target.double()).item()
    assert l1_loss(prediction, target).item() == pytest.approx(exact, rel=1e-6)
    assert gan_loss(prediction, True).dtype == torch.float32


@pytest.mark.parametrize(("height", "width"), [(64, 48), (37, 50), (3, 5)])
def test_the_gaussian_pyramid_is_that_of_opencv(height: int, width: int) -> None:
    prediction, target = random_pair(3, 2, 3, height, width, dtype=torch.float32)
    weights = (0.5, 0.25, 2.0)
    expected = []
    taps = np.array([1, 4, 6, 4, 1]) / 16
    for made, wanted in zip(prediction, target, strict=True):
        images = [image.permute(1, 2, 0).numpy().astype(np.float64) for image in (made, wanted)]
        levels = []
        for _ in weights[:-1]:
            blurred = [cv2.sepFilter2D(image, -1, taps, taps) for image in images]
            levels.append(np.abs(blurred[0] - blurred[1]).mean())
            images = [cv2.pyrDown(image) for image in images]
        levels.append(np.abs(images[0] - images[1]).mean())
        expected.append(np.mean(np.multiply(weights, levels)))
    found = float(gaussian_pyramid_loss(prediction, target, weights))
    assert found == pytest.approx(np.mean(expected), rel=1e-5)
