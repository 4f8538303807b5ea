"""Names that no group may have, because tables use them for all pairs and for means of groups."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from i2ibench.errors import DataError
from i2ibench.escaping import is_seen, visible

_TAKEN = frozenset({"", "all", "overall", "macro", "macro mean", "mean of levels"})


def check_group_names(groups: Iterable[str], where: Path | str | None) -> None:
    """Raise ``DataError`` where a group is called like a column of its own, or not to be seen."""
    for group in groups:
        if " ".join(group.split()).casefold() in _TAKEN:
            raise DataError(
                f"{where}: a group is called {group!r}, which stands for all pairs or for a mean "
                "of groups in tables; rename it"
            )
        if not all(map(is_seen, group)):
            raise DataError(
                f"{where}: the name of a group holds characters that are not seen: "
                f"{visible(group)}; rename it"
            )
