"""What the tests of a model's own package call; ``i2ibench.pytest_plugin`` makes a test of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from i2ibench.runs.model_doctor import Examination


def check_model(
    model: str | type[nn.Module], settings: Mapping[str, Any] | None = None, *, device: str = "cpu"
) -> None:
    """Try all that runs expect of a model, as ``i2ibench doctor --model`` does; takes seconds.

    >>> from i2ibench.testing import check_model
    >>> check_model("pix2pix", {"generator": "resnet_6blocks", "ngf": 2, "ndf": 2})

    Args:
        model: a registered name, ``mynet.py:MyNet``, or the class itself.
        settings: of the model; small ones make the test quick.
        device: where it is tried.

    Raises:
        AssertionError: a line for each fault.
        UsageError: an unknown model or setting.
    """
    examination = examination_of(model, settings, device=device)
    faults = [
        f"{each.subject}: {each.detail}"
        for check in examination.checks
        if examination.waits_for(check) is None
        for each in examination.found(check)
        if each.state == "fault"
    ]
    if faults:
        raise AssertionError("\n".join(faults))


def examination_of(
    model: str | type[nn.Module], settings: Mapping[str, Any] | None = None, *, device: str = "cpu"
) -> Examination:
    """Return the contract of a model, to be tried check by check; arguments as of ``check_model``.

    Raises:
        UsageError: an unknown model or setting.
    """
    from i2ibench.models.config import parse_config
    from i2ibench.models.foreign.open_method import open_method
    from i2ibench.models.foreign.plain_module import adapted
    from i2ibench.models.interface import TranslationModel, build_model, construct
    from i2ibench.runs.model_doctor import Examination

    given = dict(settings or {})
    if isinstance(model, str):
        found = open_method(model).name
        return Examination(found, lambda: build_model(found, given), device)
    name = model.__name__
    kind = model if issubclass(model, TranslationModel) else adapted(model)
    config = parse_config(name, kind.Config, given)
    return Examination(name, lambda: construct(name, kind, config), device)
