"""The contract of a model as tests of its authors: one test a check, by a marker and a fixture.

pytest loads this module in every run of an environment that holds i2ibench. So it imports neither
torch nor anything of i2ibench before a marked test is there.

Arguments of the marker are named, because pytest takes ``@pytest.mark.i2ibench_model(MyNet)`` for a
decoration of the class.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from i2ibench.runs.model_doctor import Examination

_MARKER = "i2ibench_model"
_FIXTURE = "i2ibench_check"
# As in ``model_doctor``, which would import torch.
CHECKS = ("contract", "training", "odd sizes", "batch sizes", "resume", "learning")
# What cannot even be built is a line of text instead.
_EXAMINATIONS = pytest.StashKey[list[tuple[pytest.Mark, "Examination | str"]]]()


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marker means."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(*, model, settings=None, device='cpu'): make a test of each check that "
        f"i2ibench expects of the model; the test takes the fixture {_FIXTURE} and calls it",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each marked model and check."""
    if _FIXTURE not in metafunc.fixturenames:
        return
    marks = list(metafunc.definition.iter_markers(_MARKER))[::-1]
    if not marks or any(each.args or "model" not in each.kwargs for each in marks):
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid}: {_FIXTURE} needs a named model; write "
            f"@pytest.mark.{_MARKER}(model=MyNet)"
        )
    metafunc.parametrize(
        _FIXTURE,
        [(mark, check) for mark in marks for check in CHECKS],
        ids=[
            f"{_called(mark)}-{check}" if len(marks) > 1 else check
            for mark in marks
            for check in (each.replace(" ", "-") for each in CHECKS)
        ],
        indirect=True,
    )


@pytest.fixture
def i2ibench_check(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Return what tries one check of the marked model; a fault fails the test with its line."""
    mark, check = request.param

    def try_it() -> None:
        __tracebackhide__ = True
        examination = _examination(request.config, mark)
        if isinstance(examination, str):
            if check == CHECKS[0]:
                pytest.fail(examination, pytrace=False)
            pytest.skip(f"{_called(mark)}: mend {CHECKS[0]} first")
        if check not in examination.checks:
            pytest.skip(f"{_called(mark)} is not trained: no {check} to try")
        if first := examination.waits_for(check):
            pytest.skip(f"{_called(mark)}: mend {first} first")
        found = examination.found(check)
        for note in (each for each in found if each.state == "note"):
            warnings.warn(note.detail, stacklevel=2)
        faults = [f"{each.subject}: {each.detail}" for each in found if each.state == "fault"]
        if faults:
            pytest.fail("\n".join(faults), pytrace=False)

    return try_it


def _examination(config: pytest.Config, mark: pytest.Mark) -> Examination | str:
    """Return the examination of a mark, the same for all its checks: each is tried once."""
    from i2ibench.errors import I2IBenchError
    from i2ibench.testing import examination_of

    known = config.stash.setdefault(_EXAMINATIONS, [])
    for other, examination in known:
        if other is mark:
            return examination
    made: Examination | str
    try:
        made = examination_of(**mark.kwargs)
    except I2IBenchError as error:
        made = str(error)
    known.append((mark, made))
    return made


def _called(mark: pytest.Mark) -> str:
    model = mark.kwargs["model"]
    return str(getattr(model, "__name__", model))
