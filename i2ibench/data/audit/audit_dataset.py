"""The audit of a data set: list, look at every pair once, check, report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from i2ibench.data.audit import checks
from i2ibench.data.audit.duplicates import find_twins
from i2ibench.data.audit.findings import AuditReport, Finding
from i2ibench.data.audit.measure import PairFacts, measure_pairs
from i2ibench.data.audit.pictures import draw_offenders
from i2ibench.data.dataset import Dataset
from i2ibench.data.listing import LeftOut
from i2ibench.data.pairs import ImagePair
from i2ibench.data.scale import scaled
from i2ibench.errors import DataError
from i2ibench.files import printable, write_json
from i2ibench.provenance import stopwatch

# (pairs looked at, pairs in all)
Progress = Callable[[int, int], None]


def audit(
    name_or_path: str | Path,
    *,
    output: str | Path | None = None,
    direction: str | None = None,
    data_root: str | Path | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """Check a data set, by name or path, in all its splits.

    >>> report = i2ibench.audit("my-data")
    >>> report.errors
    ()

    Takes what ``Dataset.open`` and ``audit_dataset`` take, and raises what they raise.
    """
    opened = Dataset.open(name_or_path, direction=direction, data_root=data_root, limit=limit)
    return audit_dataset(opened, output=output, progress=progress)


def audit_dataset(
    dataset: Dataset,
    *,
    output: str | Path | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """Check a data set in all its splits.

    >>> i2ibench.audit_dataset(i2ibench.Dataset.open("my-data", limit=2)).name
    'my-data'

    Args:
        dataset: its ``limit`` looks at the first pairs of each split only.
        output: where to write ``audit.json`` and pictures of the worst offenders.
        progress: called with the number of pairs looked at, and of all.

    Raises:
        UsageError, MissingError: as ``Dataset.split``.
        DataError: the folder is not recognised as paired images at all. Every other fault of the
            data is a finding, not an exception.
    """
    with stopwatch() as watch:
        output = None if output is None else Path(output)
        root = dataset.place

        def show(path: Path) -> str:
            return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)

        listed, findings, layout = _list(dataset, root, show)
        listed, told = _scaled(dataset, listed)
        findings += told
        measured: list[PairFacts] = []
        total = len(listed)
        report_done = None if progress is None else lambda done: progress(done, total)
        for outcome in measure_pairs(listed, report_done):
            if isinstance(outcome, DataError):
                findings.append(_fault("unreadable", outcome, root))
            else:
                measured.append(outcome)
        twins = find_twins(measured)
        findings += checks.check_sizes(measured, dataset.card, show)
        findings += checks.check_files(measured, show)
        findings += checks.check_content(measured, show)
        findings += checks.check_twins(twins, show)
        clusters = dataset.card.clusters.name if dataset.card.clusters else "cluster"
        findings += checks.check_clusters(measured, clusters, show)
        findings += checks.check_alignment(measured, show)
        findings += checks.check_drift(measured)
        if dataset.limit is None:
            findings += checks.check_counts(measured, dataset.card)
        pictures = draw_offenders(measured, twins, output) if output is not None else []
        splits: dict[str, list[PairFacts]] = {split: [] for split in dataset.splits}
        for facts in measured:
            splits[facts.split].append(facts)
    report = AuditReport(
        name=dataset.name,
        root=printable(root),
        layout=layout,
        findings=tuple(sorted(findings, key=lambda finding: finding.severity)),
        facts={split: checks.describe_split(pairs) for split, pairs in splits.items() if pairs},
        seconds=watch.seconds,
        pictures=tuple(pictures),
    )
    if output is not None:
        write_json(output / "audit.json", report.as_json())
    return report


def _list(
    dataset: Dataset, root: Path, show: Callable[[Path], str]
) -> tuple[list[tuple[str, ImagePair]], list[Finding], str]:
    """Return (split, pair) of every pair that can be joined, and what keeps others from it."""
    findings: list[Finding] = []
    listed: list[tuple[str, ImagePair]] = []
    layouts = []
    for split in dataset.splits or ("test",):  # without any, the error says why
        found = dataset.list_split(
            split, on_fault=lambda fault: findings.append(_fault("pairing", fault, root))
        )
        if not found.pairs:
            findings.append(Finding("pairing", "error", f"split {split} holds no pairs"))
        listed += [(split, pair) for pair in found.pairs]
        layouts.append(str(found.layout))
    # Each split tells anew what is said of all.
    findings = list(dict.fromkeys(findings))
    return listed, findings, "; ".join(dict.fromkeys(layouts))


def _fault(check: str, fault: DataError | LeftOut, root: Path) -> Finding:
    message = printable(str(fault).replace(f"{root}/", ""))
    files = (message.split(": ", 1)[0],)
    if isinstance(fault, LeftOut):
        return Finding(fault.check, "warning", message, files)
    return Finding(check, "error", message, files)


def _scaled(
    dataset: Dataset, listed: list[tuple[str, ImagePair]]
) -> tuple[list[tuple[str, ImagePair]], list[Finding]]:
    """Return the pairs with the scale of their 16-bit files, and what is to be said of it."""
    scales = dataset.scales([pair for _, pair in listed])
    pairs = scaled([pair for _, pair in listed], scales)
    findings = [
        Finding("scale", "warning", scale.told(f"{side}s"))
        for side, scale in scales.items()
        if scale.is_guessed
    ]
    return [(split, pair) for (split, _), pair in zip(listed, pairs, strict=True)], findings
