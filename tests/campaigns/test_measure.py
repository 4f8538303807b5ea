"""Seconds a step are those between steps, also where a GPU's are told in bursts."""

from __future__ import annotations

import pytest

from i2ibench.campaigns.measure import StepClock
from i2ibench.errors import Interrupted


class Time:
    """A clock that a training moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now


@pytest.mark.parametrize("burst", [1, 20])
def test_the_mean_of_the_steps_is_measured_however_they_are_told(burst):
    time = Time()
    clock = StepClock(time)
    told = 0
    with pytest.raises(Interrupted):
        for step in range(1, 1000):
            time.now += 5.0 if step <= 3 else 0.25  # the first are slower
            if step % burst == 0:
                for each in range(step - burst + 1, step + 1):
                    clock.training(each, 1000, {})
                    told = each
    assert clock.seconds == pytest.approx(0.25, rel=0.01)
    assert 20 <= clock.steps <= 80 and told < 120


def test_of_slow_steps_fewer_are_measured():
    time = Time()
    clock = StepClock(time)
    with pytest.raises(Interrupted):
        for step in range(1, 1000):
            time.now += 30.0
            clock.training(step, 1000, {})
    assert clock.seconds == pytest.approx(30.0) and clock.steps == 3
