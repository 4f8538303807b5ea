"""The Brownian bridge equals the official code's, for all its objectives and schedules."""

from __future__ import annotations

import pytest
import torch
from golden_files import described, tensors
from torch import Tensor

from i2ibench_baselines.bridge import (
    implied_target,
    make_bridge,
    noised,
    objective,
    sample,
    sampling_times,
)

OBJECTIVES = ["grad", "noise", "ysubx"]


def denoiser(x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
    """The formula of the stored outputs, which stands for a network."""
    return 0.3 * x_t - 0.2 * y + 0.001 * t.float().sqrt().view(-1, 1, 1, 1)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("mixing", ["linear", "sin"])
def test_schedules_are_the_official_ones(mixing: str) -> None:
    stored, bridge = tensors("bbdm_bridge.npz"), make_bridge(1000, mixing)
    names = ("m_t", "variance_t", "variance_t_tminus", "posterior_variance_t")
    for name, found in zip(names, bridge, strict=True):
        close(found, stored[f"{mixing}_{name}"])


@pytest.mark.parametrize("steps", [5, 20, 200])
def test_sampling_visits_the_official_times(steps: int) -> None:
    assert sampling_times(steps) == described("bbdm_bridge.json")[f"steps_{steps}"]


def test_every_time_is_visited_where_as_many_steps_are_asked_for() -> None:
    assert sampling_times(1000) == [*range(999, -1, -1)]
    assert sampling_times(10, 10) == [*range(9, -1, -1)]
    for steps in range(3, 12):
        times = sampling_times(steps, 11)
        assert times[0] == 10 and times[-1] == 0 and times == sorted(set(times), reverse=True)


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_noised_images_objectives_and_losses_are_the_official_ones(kind: str) -> None:
    stored, bridge = tensors("bbdm_bridge.npz"), make_bridge()
    x0, y, noise, t = (stored[name] for name in ("x0", "y", "noise", "t"))
    x_t = noised(bridge, x0, y, t, noise)
    wanted = objective(bridge, x0, y, t, noise, kind)
    said = denoiser(x_t, y, t)
    close(x_t, stored[f"{kind}_x_t"])
    close(wanted, stored[f"{kind}_objective"])
    close(implied_target(bridge, x_t, y, t, said, kind), stored[f"{kind}_x0_recon"])
    loss = (wanted - said).abs().mean().item()
    assert loss == pytest.approx(described("bbdm_bridge.json")[f"{kind}_loss"], rel=1e-5)


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_whole_samples_from_given_draws_are_the_official_ones(kind: str) -> None:
    stored = tensors("bbdm_bridge.npz")
    draws = iter(stored[f"{kind}_sample_draws"])
    made = sample(
        make_bridge(),
        stored["y"],
        denoiser,
        lambda like: next(draws),
        times=sampling_times(20),
        clip=described("bbdm_bridge.json")[f"{kind}_clip"],
        kind=kind,
    )
    close(made, stored[f"{kind}_sample"])
    assert next(draws, None) is None


@pytest.mark.parametrize("kind", OBJECTIVES)
@pytest.mark.parametrize("mixing", ["linear", "sin"])
def test_a_network_that_knows_the_target_reaches_it(kind: str, mixing: str) -> None:
    draw = torch.Generator().manual_seed(0)
    x0, y = (torch.rand(2, 2, 3, 4, 4, generator=draw) * 2 - 1).unbind()
    bridge = make_bridge(50, mixing)

    def knows(x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        if kind == "grad":
            return x_t - x0
        if kind == "ysubx":
            return y - x0
        m, sigma = (each[t].view(-1, 1, 1, 1) for each in (bridge.m, bridge.variance.sqrt()))
        return (x_t - (1 - m) * x0 - m * y) / sigma

    made = sample(bridge, y, knows, torch.randn_like, times=sampling_times(10, 50), kind=kind)
    torch.testing.assert_close(made, x0, rtol=0, atol=1e-4)


def test_without_eta_nothing_drawn_counts() -> None:
    y = torch.rand(1, 3, 4, 4)
    times = sampling_times(20)
    first, second = (
        sample(make_bridge(), y, denoiser, torch.randn_like, times=times, eta=eta)
        for eta in (0.0, 0.0)
    )
    assert torch.equal(first, second)
    other = sample(make_bridge(), y, denoiser, torch.randn_like, times=times)
    assert not torch.equal(first, other)
