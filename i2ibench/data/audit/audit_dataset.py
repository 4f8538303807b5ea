"""The audit of a data set: list, look at every pair once, check, report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from i2ibench.data.audit import checks
from i2ibench.data.audit.duplicates import find_twins
from i2ibench.data.audit.findings import AuditReport, Finding
from i2ibench.data.audit.measure import PairFacts, measure_pairs
from i2ibench.data.audit.pictures import draw_offenders
from i2ibench.data.dataset import Dataset
from i2ibench.data.headers import IMAGE_SUFFIXES
from i2ibench.data.pairs import ImagePair
from i2ibench.errors import DataError
from i2ibench.files import write_json
from i2ibench.provenance import stopwatch

# (pairs looked at, pairs in all)
Progress = Callable[[int, int], None]


def audit_dataset(
    dataset: Dataset,
    *,
    output: str | Path | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """Check a data set in all its splits.

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
        root=str(root),
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
    for split in dataset.splits:
        found = dataset.list_split(
            split, on_fault=lambda fault: findings.append(_fault("pairing", fault, root))
        )
        if not found.pairs:
            findings.append(Finding("pairing", "error", f"split {split} holds no pairs"))
        listed += [(split, pair) for pair in found.pairs]
        layouts.append(str(found.layout))
    for folder in sorted({pair.source.path.parent for _, pair in listed}):
        nested = next(_nested_images(folder), None)
        if nested is not None:
            findings.append(
                Finding(
                    "pairing",
                    "warning",
                    f"{show(nested)}: images in nested folders are not read",
                    (show(nested),),
                )
            )
    return listed, findings, "; ".join(dict.fromkeys(layouts))


def _nested_images(folder: Path) -> Iterator[Path]:
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in sorted(inner.iterdir()):
            if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != ".":
                yield path


def _fault(check: str, fault: DataError, root: Path) -> Finding:
    message = str(fault).replace(f"{root}/", "")
    return Finding(check, "error", message, (message.split(": ", 1)[0],))
