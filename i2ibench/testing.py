"""What the tests of a model's own package call: ``check_model``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


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
    from i2ibench.models.config import parse_config
    from i2ibench.models.foreign.plain_module import adapted
    from i2ibench.models.interface import TranslationModel, construct
    from i2ibench.runs.model_doctor import examine_model, examine_named

    given = settings or {}
    if isinstance(model, str):
        checks = examine_named(model, {f"model.{key}": each for key, each in given.items()}, device)
    else:
        name = model.__name__
        kind = model if issubclass(model, TranslationModel) else adapted(model)
        config = parse_config(name, kind.Config, given)
        checks = examine_model(name, lambda: construct(name, kind, config), device)
    faults = [f"{each.subject}: {each.detail}" for each in checks if each.state == "fault"]
    if faults:
        raise AssertionError("\n".join(faults))
