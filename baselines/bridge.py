"""The Brownian bridge between a source and a target: its schedules, training terms and samples.

Li et al. 2023 (arXiv:2205.07680), BBDM. The process starts at the target x0 (t = 0) and ends near
the source y (t = T - 1); at t its mean is (1 - m_t) x0 + m_t y and its variance
2 (m_t - m_t^2) times ``largest_variance``. Pure functions of tensors; every draw is handed in, the
network is any function of (x_t, y, t). Images are ``(N, C, H, W)`` in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

Objective = Literal["grad", "noise", "ysubx"]
Mixing = Literal["linear", "sin"]
# Of m_t from one time to the next in the schedule ``sin``.
_GROWTH = 1.0075
# From (x_t, y, t) to the objective; t is int64 (N,).
Denoiser = Callable[[Tensor, Tensor, Tensor], Tensor]


class Bridge(NamedTuple):
    """The schedule of a bridge; each is float32 (T,).

    Attributes:
        m: the share of the source in the mean, m_t.
        variance: delta_t.
        variance_between: delta_{t|t-1}, of x_t given x_{t-1} (eq. 7).
        posterior_variance: of x_{t-1} given x_t, x0 and y (eq. 12).
    """

    m: Tensor
    variance: Tensor
    variance_between: Tensor
    posterior_variance: Tensor

    def to(self, device: torch.device) -> Bridge:
        """Return the schedule on another device."""
        return Bridge(*(each.to(device) for each in self))


def make_bridge(
    steps: int = 1000, mixing: Mixing = "linear", largest_variance: float = 1.0
) -> Bridge:
    """Return the schedule of ``steps`` times, computed in float64 as in the official code.

    ``linear``: m_t from 0.001 to 0.999. ``sin``, as that code calls it: m_t grows by 0.75 % a
    time and ends at 0.999, so that most times lie near the target.
    """
    if mixing == "linear":
        m = np.linspace(0.001, 0.999, steps)
    else:
        m = _GROWTH ** np.linspace(0, steps, steps)
        m = m / m[-1]
        m[-1] = 0.999
    before = np.append(0.0, m[:-1])
    variance = 2.0 * (m - m**2) * largest_variance
    variance_before = np.append(0.0, variance[:-1])
    between = variance - variance_before * ((1.0 - m) / (1.0 - before)) ** 2
    posterior = between * variance_before / variance
    parts = (m, variance, between, posterior)
    return Bridge(*(torch.tensor(each, dtype=torch.float32) for each in parts))


def sampling_times(steps: int, total: int = 1000) -> list[int]:
    """Return the times of sampling from the last, ``total`` - 1, to 0: ``steps`` of them.

    Evenly spaced down to above 1, rounded towards 0, then 1 and 0 (the official ``linear``).
    ``steps`` of ``total`` and more take every time.
    """
    if steps >= total:
        return [*range(total - 1, -1, -1)]
    count = max(1, steps - 2)
    # In whole numbers: floats would end just below some of the official times.
    spaced = ((total - 1) * (count - number) // count for number in range(count))
    return [*(time for time in spaced if time > 1), 1, 0]


def noised(bridge: Bridge, x0: Tensor, y: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """Return x_t of targets ``x0`` and sources ``y`` at times ``t`` (N,) (eq. 5)."""
    m, sigma = _at(bridge.m, t), _at(bridge.variance, t).sqrt()
    return (1.0 - m) * x0 + m * y + sigma * noise


def objective(
    bridge: Bridge, x0: Tensor, y: Tensor, t: Tensor, noise: Tensor, kind: Objective = "grad"
) -> Tensor:
    """Return what the network learns to say of x_t.

    ``grad``: x_t - x0 = m_t (y - x0) + sigma_t e (eq. 13); ``noise``: e; ``ysubx``: y - x0.
    """
    if kind == "noise":
        return noise
    if kind == "ysubx":
        return y - x0
    return _at(bridge.m, t) * (y - x0) + _at(bridge.variance, t).sqrt() * noise


def implied_target(
    bridge: Bridge, x_t: Tensor, y: Tensor, t: Tensor, said: Tensor, kind: Objective = "grad"
) -> Tensor:
    """Return the target x0 that follows from what the network ``said`` of ``x_t``."""
    if kind == "grad":
        return x_t - said
    if kind == "ysubx":
        return y - said
    m, sigma = _at(bridge.m, t), _at(bridge.variance, t).sqrt()
    return (x_t - m * y - sigma * said) / (1.0 - m)


def sample(
    bridge: Bridge,
    y: Tensor,
    denoise: Denoiser,
    draw: Callable[[Tensor], Tensor],
    *,
    times: list[int],
    eta: float = 1.0,
    clip: bool = True,
    kind: Objective = "grad",
) -> Tensor:
    """Return one target drawn for each source of ``y``.

    Args:
        bridge: on the device of ``y``.
        y: the sources, at which the walk begins.
        denoise: the network.
        draw: returns standard normal values of the shape of its argument; called once for each
            time but the last.
        times: see ``sampling_times``.
        eta: factor on the noise of each step; 0 draws nothing that counts.
        clip: whether each implied target is cut to [-1, 1].
        kind: what the network says.
    """
    x = y
    for now, later in zip(times, [*times[1:], None], strict=True):
        t = torch.full((len(y),), now, dtype=torch.int64, device=y.device)
        x0 = implied_target(bridge, x, y, t, denoise(x, y, t), kind)
        if clip:
            x0 = x0.clamp(-1.0, 1.0)
        if later is None:
            return x0
        x = _stepped(bridge, x, x0, y, now, later, eta, draw(x))
    return x


def _stepped(
    bridge: Bridge,
    x: Tensor,
    x0: Tensor,
    y: Tensor,
    now: int,
    later: int,
    eta: float,
    noise: Tensor,
) -> Tensor:
    """Return x at the ``later`` time, nearer to the target (section 3.3, accelerated sampling)."""
    m, m_later = bridge.m[now], bridge.m[later]
    variance, variance_later = bridge.variance[now], bridge.variance[later]
    share = (1.0 - m) ** 2 / (1.0 - m_later) ** 2
    drawn = (variance - variance_later * share) * variance_later / variance
    kept = ((variance_later - drawn) / variance).sqrt()
    mean = (1.0 - m_later) * x0 + m_later * y + kept * (x - (1.0 - m) * x0 - m * y)
    return mean + eta * drawn.sqrt() * noise


def _at(schedule: Tensor, t: Tensor) -> Tensor:
    """Return the values at times ``t``, to be multiplied with images."""
    return schedule[t].view(-1, 1, 1, 1)
