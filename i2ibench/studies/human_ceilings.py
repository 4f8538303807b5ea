"""How far people agree on the question that a study asks, as published: no method can be above."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A published agreement of readers: who, on what, how far, and where it is read."""

    readers: str
    cases: str
    agreement: str
    source: str


# By the name of the groups.
_CEILINGS = {
    "HER2": (
        Ceiling(
            "18 specialised pathologists",
            "170 biopsies",
            "overall agreement 28.8 % in four categories, 46.5 % in three; below 1 % for 1+, 3.6 % "
            "for 2+; Fleiss kappa within 0 of 0.49",
            "Robbins et al. 2023, Modern Pathology",
        ),
        Ceiling(
            "16 UK experts",
            "50 slides",
            "all agree on 6 %, every one of them 3+; on 86 % when scored as 0 against others",
            "Zaakouk et al. 2023, The Breast",
        ),
    )
}


def ceilings(group_name: str | None) -> tuple[Ceiling, ...]:
    """Return what is known of readers of these levels."""
    return _CEILINGS.get(group_name or "", ())
