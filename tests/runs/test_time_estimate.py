"""A long training says after its first steps when it will end, once."""

from __future__ import annotations

from datetime import datetime

import pytest

from i2ibench.runs.time_estimate import TimeEstimate, estimate, memory_in_use

NOON = datetime(2026, 3, 1, 12, 0)


def told(times, total, first=1):
    """Return what is said while steps end at ``times``, and the steps that were passed on."""
    clock, said, passed = iter(times), [], []
    follow = TimeEstimate(
        lambda step, *_: passed.append(step), said.append, lambda: next(clock), lambda: NOON
    )
    for step in range(first, first + len(times)):
        follow(step, total, {"L1": 0.5})
    return [text.partition(";")[0] for text in said], passed


def test_the_first_step_is_left_out_and_the_line_stands_once():
    # Nine seconds for the first step, then two each.
    said, passed = told([9.0, 11.0, 13.0, 15.0, 17.0, 19.0], 1804)
    assert said == ["1,800 steps left, 2 s each: about 1 h 0 min, until 13:00"]
    assert passed == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("times", "total"),
    [([0.0, 2.0, 4.0, 6.0], 20), ([0.0, 0.1, 0.2, 0.3], 10**6), ([0.0, 90.0], 10**3)],
)
def test_nothing_is_said_of_a_short_training_or_too_early(times, total):
    assert told(times, total)[0] == []


def test_a_continued_training_counts_what_is_left():
    assert told([0.0, 3.0, 6.0, 9.0], 1000, first=900)[0] == [
        "97 steps left, 3 s each: about 5 min, until 12:04"
    ]


def test_losses_that_come_in_groups_are_measured_by_their_groups():
    # Of a GPU: twenty steps are told at once, every ten seconds.
    said, _ = told([0.0] * 20 + [10.0], 20_020)
    assert said == ["19,999 steps left, 0.5 s each: about 2 h 47 min, until 14:46"]


@pytest.mark.parametrize(
    ("steps", "seconds", "line"),
    [
        (8800, 0.54, "8,800 steps left, 0.54 s each: about 1 h 19 min, until 13:19"),
        (10**6, 0.012, "1,000,000 steps left, 12 ms each: about 3 h 20 min, until 15:20"),
        (10**6, 0.5, "1,000,000 steps left, 0.5 s each: about 5 d 18 h, until 2026-03-07 06:53"),
    ],
)
def test_the_line(steps, seconds, line):
    assert estimate(steps, seconds, NOON) == line
    assert estimate(steps, seconds, NOON, 3 << 30) == f"{line}; 3.0 GiB of memory"


def test_memory_is_that_of_this_process():
    assert memory_in_use() > 10 << 20
