"""Settings whose content is hashed into ids that must outlive new fields."""

from __future__ import annotations

from typing import Any, ClassVar

import pydantic


class HashedSettings(pydantic.BaseModel):
    """Frozen settings; a field that was added later is left out while it has its default.

    Ids of runs, hashes of protocols and manifests of predictions are older than such a field.

    Attributes:
        added_later: names of these fields.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    added_later: ClassVar[frozenset[str]] = frozenset()

    @pydantic.model_serializer(mode="wrap")
    def _without_later_defaults(
        self, serialize: pydantic.SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        content: dict[str, Any] = serialize(self)
        fields = type(self).model_fields
        return {
            name: value
            for name, value in content.items()
            if name not in self.added_later or getattr(self, name) != fields[name].default
        }
