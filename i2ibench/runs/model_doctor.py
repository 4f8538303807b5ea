"""A model examined: the whole contract, tried in seconds on images that are drawn here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from i2ibench.errors import UsageError
from i2ibench.models.closed_form import OracleModel
from i2ibench.models.findings import Finding, failure
from i2ibench.models.foreign.open_method import open_method
from i2ibench.models.foreign.program import ExternalProgram
from i2ibench.models.interface import TrainableModel, build_model
from i2ibench.runs import model_trials
from i2ibench.runs.doctor import Check
from i2ibench.runs.model_trials import STEPS, STEPS_OF_LEARNING, Build, Subject
from i2ibench.runtime import global_generators_kept

# Every check of the contract, in the order in which they are tried, with what is said where
# nothing is wrong.
_FINE = {
    "contract": "construction, settings, shape, range, repeatability, state",
    "training": "optimisers, phases, one step, a checkpoint loaded into a new instance",
    "odd sizes": "images of sides that fit no grid are translated",
    "batch sizes": "each image of a batch is translated as if it were alone",
    "resume": f"a training stopped after {STEPS // 2} of {STEPS} steps ends in equal weights; "
    "its checkpoint holds no pickled objects",
    "learning": f"{STEPS_OF_LEARNING} steps on one batch lower the losses",
}
_TRIALS: dict[str, Callable[[Subject], Iterator[Finding]]] = {
    "contract": model_trials.contract,
    "training": model_trials.training,
    "odd sizes": model_trials.odd_sizes,
    "batch sizes": model_trials.batch_sizes,
    "resume": model_trials.resume,
    "learning": model_trials.learning,
}
# What has to be right before the others say anything.
_FIRST = ("contract", "training")
_WITHOUT_TRAINING = ("contract", "odd sizes")


class Examination:
    """The contract of one model, check by check; each is tried once.

    Attributes:
        checks: names of those that concern a model of its kind, in order.
    """

    def __init__(self, name: str, build: Build, device: str = "cpu") -> None:
        """Build the model once, to see of which kind it is.

        Args:
            name: what it is called in the lines.
            build: returns a new instance; the seeds of the global generators are set before.
            device: where it is tried.

        Raises:
            UsageError: a program, which only a run can try.
        """
        self._subject = Subject(name, build, device)
        self._found: dict[str, list[Check]] = {}
        with global_generators_kept():
            model = self._subject.new()
        if isinstance(model, ExternalProgram):
            raise UsageError(f"{name} is a program; try it by a run with --limit 4")
        self.is_oracle = isinstance(model, OracleModel)
        self.checks: tuple[str, ...] = (
            ()
            if self.is_oracle
            else tuple(_TRIALS)
            if isinstance(model, TrainableModel)
            else _WITHOUT_TRAINING
        )

    def waits_for(self, check: str) -> str | None:
        """Return the earlier check whose fault has to be mended first, or nothing."""
        for first in _FIRST:
            if first == check:
                return None
            if first in self.checks and any(c.state == "fault" for c in self.found(first)):
                return first
        return None

    def found(self, check: str) -> list[Check]:
        """Try one of ``checks``; return what is wrong, or one line that nothing is."""
        if check not in self._found:
            with global_generators_kept():
                self._found[check] = self._tried(check)
        return self._found[check]

    def _tried(self, check: str) -> list[Check]:
        subject = self._subject
        try:
            found = [*_TRIALS[check](subject)]
        except (Exception, SystemExit) as error:
            found = [failure(subject.build(), "translate", error)]
        if check == "training":
            told = {each.detail for each in self.found("contract")}
            found = [each for each in found if each.text not in told]
        return [
            Check(each.check if check in _FIRST else check, _state(each), each.text)
            for each in found
        ] or [Check(check, "ok", _FINE[check])]


def examine_model(name: str, build: Build, device: str = "cpu") -> list[Check]:
    """Try everything that runs expect of a model; a check a line; see ``Examination``."""
    examination = Examination(name, build, device)
    if examination.is_oracle:
        return [Check("oracle", "ok", f"{name} reads targets; it is shown and never ranked")]
    return [
        line
        for check in examination.checks
        if examination.waits_for(check) is None
        for line in examination.found(check)
    ]


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


def _state(finding: Finding) -> Literal["fault", "note"]:
    return "fault" if finding.stops else "note"
