"""Calls of metrics: what goes wrong in them is told with the metric and the pair, never passed on.

A metric that fails, or finds what is no number, ends the evaluation: a pair that is left out or
counted as 0 would make the mean a false one.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import TypeVar

import numpy as np

from i2ibench.errors import DataError, I2IBenchError
from i2ibench.metrics.interface import Metric, PairMetric

T = TypeVar("T")


def guarded(metric: Metric, where: str, call: Callable[[], T]) -> T:
    """Return ``call()``, something that ``metric`` does.

    Args:
        metric: whose doing it is.
        where: goes on after "failed", e.g. ``" on pair 00001"``.
        call: without arguments.

    Raises:
        DataError: any failure of the metric; usage, missing things and memory are raised as they
            are.
    """
    try:
        return call()
    except DataError as error:
        raise DataError(f"metric {metric.name} failed{where}: {error}") from error
    except (I2IBenchError, MemoryError):
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise DataError(f"metric {metric.name} failed{where}: {what}") from error


def check_value(metric: PairMetric, value: object, pair: str) -> float:
    """Return the value of one pair as a float; NaN where the metric is undefined on the pair.

    Raises:
        DataError: it is no number, NaN of a metric that is defined on every pair, or an infinity
            that the metric does not have.
    """
    if not isinstance(value, numbers.Real):
        raise DataError(
            f"metric {metric.name} gave {type(value).__name__} and no number on pair {pair}; "
            "tell its authors"
        )
    value = float(value)
    if math.isfinite(value) or (metric.infinite_when_equal and value == math.inf):
        return value
    if math.isnan(value) and metric.undefined_means:
        return value
    raise DataError(f"metric {metric.name} is {value} on pair {pair}; look at its images")


def check_description(metric: Metric, description: object, pair: str) -> None:
    """Check that what a set metric keeps of one pair holds no NaN.

    Raises:
        DataError: it does.
    """
    if _has_nan(description):
        raise DataError(f"metric {metric.name} found NaN on pair {pair}; look at its images")


def _has_nan(description: object) -> bool:
    if isinstance(description, np.ndarray):
        return description.dtype.kind in "fc" and bool(np.isnan(description).any())
    if isinstance(description, float | np.floating):
        return math.isnan(description)
    if isinstance(description, Mapping):
        return any(map(_has_nan, description.values()))
    if isinstance(description, tuple | list):
        return any(map(_has_nan, description))
    if is_dataclass(description):
        return any(_has_nan(getattr(description, each.name)) for each in fields(description))
    return False
