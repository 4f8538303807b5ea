"""What an audit tells: findings with the files they are about, and the facts they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from i2ibench.notebook import Printed, Table
from i2ibench.wording import count

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        check: the check that found it, e.g. ``"duplicates"``.
        severity: an ``error`` makes a number wrong or stops a run; a ``warning`` is to be known.
        message: one line.
        files: the files it is about, relative to the data set's folder where possible.
    """

    check: str
    severity: Severity
    message: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class AuditReport(Printed):
    """The outcome of an audit.

    Attributes:
        name: the data set's name.
        root: its folder.
        layout: the form on disk it was read in.
        findings: errors first.
        facts: by split: pairs, groups, clusters, sizes, formats, alignment and colour.
        pictures: names of the pictures written, if any.
        seconds: wall-clock time.
    """

    name: str
    root: str
    layout: str
    findings: tuple[Finding, ...]
    facts: Mapping[str, Mapping[str, object]]
    seconds: float
    pictures: tuple[str, ...] = field(default=())

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are errors."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that are warnings."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    def _lines(self) -> Sequence[str]:
        splits = [f"{split} {count(int(f'{n}'), 'pair')}" for split, n in self._pairs().items()]
        first = f", the first: {self.findings[0].message}" if self.findings else ""
        found = f"{count(len(self.errors), 'error')}, {count(len(self.warnings), 'warning')}{first}"
        return [f"audit of {self.name} in {self.root}", ", ".join(splits) or "no pairs", found]

    def _tables(self) -> Sequence[Table]:
        rows = [[each.message, each.check, each.severity] for each in self.findings]
        return [("", ["finding", "check", "severity"], rows)] if rows else []

    def _pairs(self) -> dict[str, object]:
        return {split: facts["pairs"] for split, facts in self.facts.items()}

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON values."""
        return {
            "schema": 1,
            "name": self.name,
            "root": self.root,
            "layout": self.layout,
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "findings": [
                {
                    "check": finding.check,
                    "severity": finding.severity,
                    "message": finding.message,
                    "files": list(finding.files),
                }
                for finding in self.findings
            ],
            "facts": {split: dict(facts) for split, facts in self.facts.items()},
            "pictures": list(self.pictures),
            "seconds": round(self.seconds, 1),
        }
