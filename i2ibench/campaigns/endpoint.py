"""What decides a campaign, named in its file before the first run: one metric, and who is compared.

Whoever looks at many numbers finds one that differs by chance; of the one that was named before,
the test means what it says.
"""

from __future__ import annotations

from typing import Annotated, Any

import pydantic

from i2ibench.campaigns.recipe_keys import RecipeSettings, flat
from i2ibench.settings import Settings


class CellName(Settings):
    """One side of a comparison: a model of the campaign, at its usual settings or at varied ones.

    In the file the varied keys stand beside ``model``, each with its value in ``[[vary]]``.
    """

    model: str
    settings: RecipeSettings = pydantic.Field(default_factory=dict)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _gather(cls, content: Any) -> Any:
        if isinstance(content, str):
            return {"model": content}
        if not isinstance(content, dict):
            return content
        given = {key: value for key, value in content.items() if key != "model"}
        settings = {key: value for key, value in flat(given).items() if "." in key}
        rest = {key: value for key, value in content.items() if key not in settings}
        rest = {key: value for key, value in rest.items() if not isinstance(value, dict)}
        return {**rest, "settings": settings}

    def __str__(self) -> str:
        varied = ", ".join(f"{key.partition('.')[2]} {v}" for key, v in self.settings.items())
        return f"{self.model} ({varied})" if varied else self.model


class Endpoint(Settings):
    """What decides.

    Attributes:
        metric: by its name.
        group: of the pairs, e.g. ``3+``; by default all pairs.
        dataset: of the campaign; by default its first.
        protocol: of the campaign; by default its first.
        compare: the two sides of each comparison.
        secondary: metrics of all pairs that are told beside it, without a claim.
    """

    metric: str
    group: str | None = None
    dataset: str | None = None
    protocol: str | None = None
    compare: Annotated[tuple[tuple[CellName, CellName], ...], pydantic.Field(min_length=1)]

    secondary: tuple[str, ...] = ()

    @property
    def models(self) -> list[str]:
        """The models that are compared."""
        return [side.model for sides in self.compare for side in sides]
