"""Folders on disk to image pairs, for each form in which paired data sets are distributed."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from i2ibench.data.cards import FoldersLayout, Layout, StripLayout, SuffixLayout, TableLayout
from i2ibench.data.headers import IMAGE_SUFFIXES
from i2ibench.data.images import image_size
from i2ibench.data.pairs import ImagePair, ImageRef
from i2ibench.errors import DataError
from i2ibench.files import is_safe_name

# At most this many ids stand in a message.
_SHOWN = 3

# What happens with a fault of the data: raise it, or (in an audit) note it and go on without the
# file it names.
OnFault = Callable[[DataError], None]


def raise_fault(fault: DataError) -> None:
    """Stop at the first fault."""
    raise fault


def list_pairs(
    layout: Layout,
    root: Path,
    split: str,
    names: Sequence[str],
    on_fault: OnFault = raise_fault,
) -> list[ImagePair]:
    """Return the pairs of one split, sorted by id.

    Args:
        layout: the form on disk.
        root: the data set's folder.
        split: the split's name, as rows of a table have it.
        names: folder names the split may have.
        on_fault: called with each fault; the file it names is then left out.

    Raises:
        DataError: an id lacks a partner, stands twice or is unsafe as a file name; a strip's width
            is not a multiple of its panels; a table lacks a column or names a missing file.
    """
    if isinstance(layout, TableLayout):
        return _from_table(root / layout.file, names, on_fault)
    name = present_name(layout, root, names)
    if name is None:
        raise DataError(f"{root}: no folder of split '{split}' for {layout}")
    if isinstance(layout, StripLayout):
        return _from_strips(layout, _below(root, layout.folder, name), on_fault)
    if isinstance(layout, SuffixLayout):
        return _from_suffixes(layout, _below(root, layout.folder, name), on_fault)
    source, target = _below(root, layout.source, name), _below(root, layout.target, name)
    return _join(
        images_by_id(source, layout.source_suffix, on_fault),
        images_by_id(target, layout.target_suffix, on_fault),
        source,
        target,
        on_fault,
    )


def present_name(layout: Layout, root: Path, names: Sequence[str]) -> str | None:
    """Return the first of ``names`` under which ``layout`` has a folder (or rows), else None.

    Folders may also be spelt ``Train`` or ``TRAIN``; the name is returned as it is on disk.
    """
    if isinstance(layout, TableLayout):
        return next((name for name in names if name in table_splits(root / layout.file)), None)
    folders = (
        (layout.source, layout.target) if isinstance(layout, FoldersLayout) else (layout.folder,)
    )
    if not any("{split}" in folder for folder in folders):
        # Without a folder a split there is one set, to be scored.
        names = [name for name in names if name == "test"]
    for name in names:
        for spelling in (name, name.capitalize(), name.upper()):
            if any(_below(root, folder, spelling).is_dir() for folder in folders):
                return spelling
    return None


def list_images(folder: Path, on_fault: OnFault = raise_fault) -> list[Path]:
    """Return the image files directly in ``folder``, sorted by name.

    Hidden files, files of other formats (labels, ``Thumbs.db``) and nested folders are left out.

    Raises:
        DataError: the folder is missing, or a link leads nowhere.
    """
    try:
        found = [
            path
            for path in folder.iterdir()
            if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
        ]
    except OSError as error:
        on_fault(DataError(f"{folder}: cannot be listed ({error.strerror or error})"))
        return []
    images = []
    for path in sorted(found):
        if path.is_file():
            images.append(path)
        elif path.is_symlink() and not path.exists():
            on_fault(
                DataError(f"{path}: a link that leads nowhere; restore its target or remove it")
            )
    return images


def images_by_id(
    folder: Path, suffix: str = "", on_fault: OnFault = raise_fault
) -> dict[str, Path]:
    """Return the images of ``folder`` whose name ends in ``suffix``, by id.

    The id is the name without extension and ``suffix``, in Unicode's composed form: macOS stores
    decomposed names, and a copied half of a data set must still find its partners.

    Raises:
        DataError: two files have one id (``a.png`` and ``a.jpg``), or an id is unsafe.
    """
    found: dict[str, Path] = {}
    for path in list_images(folder, on_fault):
        if not path.stem.endswith(suffix):
            continue
        identifier = unicodedata.normalize("NFC", path.stem[: len(path.stem) - len(suffix)])
        if not is_safe_name(identifier):
            on_fault(
                DataError(
                    f"{path}: '{identifier}' is not safe as a file name on every system; rename it"
                )
            )
        elif identifier in found:
            on_fault(
                DataError(
                    f"{path}: has the same id '{identifier}' as {found[identifier].name}; "
                    "remove one"
                )
            )
        else:
            found[identifier] = path
    return found


def table_splits(file: Path) -> set[str]:
    """Return the splits of a table; a table without that column is one test split."""
    return {_row_split(row) for row in _rows(file)}


def panel_boxes(path: Path, panels: int) -> list[tuple[int, int, int, int]]:
    """Return the boxes of ``panels`` panels of equal width."""
    width, height = image_size(ImageRef(path))
    if width % panels:
        raise DataError(
            f"{path}: its width of {width} px does not divide into {panels} panels of equal width"
        )
    step = width // panels
    return [(index * step, 0, (index + 1) * step, height) for index in range(panels)]


def _from_strips(layout: StripLayout, folder: Path, on_fault: OnFault) -> list[ImagePair]:
    source, target = layout.indices
    pairs = []
    for identifier, path in sorted(images_by_id(folder, on_fault=on_fault).items()):
        try:
            boxes = panel_boxes(path, len(layout.panels))
        except DataError as fault:
            on_fault(fault)
            continue
        pairs.append(
            ImagePair(identifier, ImageRef(path, boxes[source]), ImageRef(path, boxes[target]))
        )
    return pairs


def _from_suffixes(layout: SuffixLayout, folder: Path, on_fault: OnFault) -> list[ImagePair]:
    sources = images_by_id(folder, layout.source, on_fault)
    targets = images_by_id(folder, layout.target, on_fault)
    return _join(
        sources, targets, folder / f"*{layout.source}", folder / f"*{layout.target}", on_fault
    )


def _join(
    sources: dict[str, Path],
    targets: dict[str, Path],
    source_of: Path,
    target_of: Path,
    on_fault: OnFault,
) -> list[ImagePair]:
    for found, others, missing_in in (
        (sources, targets, target_of),
        (targets, sources, source_of),
    ):
        alone = sorted(found.keys() - others.keys())
        for identifier in alone:
            of_several = f" ({_some(alone)} of {len(found)} without one)" if alone[1:] else ""
            on_fault(
                DataError(
                    f"{found[identifier]}: no partner in {missing_in}{of_several}; add it or "
                    "remove the file"
                )
            )
    return [
        ImagePair(identifier, ImageRef(sources[identifier]), ImageRef(targets[identifier]))
        for identifier in sorted(sources.keys() & targets.keys())
    ]


def _from_table(file: Path, names: Sequence[str], on_fault: OnFault) -> list[ImagePair]:
    pairs: dict[str, ImagePair] = {}
    for line, row in enumerate(_rows(file), start=2):
        if _row_split(row) not in names:
            continue
        try:
            pair = _table_pair(file, line, row)
            if pair.id in pairs:
                raise DataError(f"{file}, line {line}: id '{pair.id}' stands twice in its split")
        except DataError as fault:
            on_fault(fault)
            continue
        pairs[pair.id] = pair
    return [pairs[identifier] for identifier in sorted(pairs)]


def _row_split(row: dict[str, str]) -> str:
    return (row.get("split") or "test").lower()


def _table_pair(file: Path, line: int, row: dict[str, str]) -> ImagePair:
    source, target = (_table_path(file, line, row.get(side)) for side in ("source", "target"))
    identifier = unicodedata.normalize("NFC", row.get("id") or source.stem)
    if not is_safe_name(identifier):
        raise DataError(f"{file}, line {line}: id '{identifier}' is not safe as a file name")
    return ImagePair(
        identifier,
        ImageRef(source),
        ImageRef(target),
        row.get("group") or None,
        row.get("cluster") or None,
    )


def _rows(file: Path) -> Iterable[dict[str, str]]:
    return read_table(file, required=("source", "target"))


def read_table(file: Path, required: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV (comma, semicolon or tab) with a header; names in lower case, values stripped.

    Raises:
        DataError: unreadable, or a required column is missing.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: not a readable CSV in UTF-8 ({error})") from None
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(text.splitlines(), delimiter=delimiter)
    header = [name.strip().lower() for name in next(reader, [])]
    missing = [name for name in required if name not in header]
    if missing:
        raise DataError(f"{file}: lacks the column {' and '.join(missing)}; it has {header}")
    rows = []
    for values in reader:
        if any(value.strip() for value in values):
            stripped = (value.strip() for value in values)
            rows.append(dict(zip(header, stripped, strict=False)))
    return rows


def _table_path(file: Path, line: int, value: str | None) -> Path:
    if not value:
        raise DataError(f"{file}, line {line}: source or target is empty")
    path = file.parent / value
    if not path.is_file():
        raise DataError(f"{file}, line {line}: {value}: no such file")
    return path


def _below(root: Path, folder: str, split: str) -> Path:
    # Not str.format: a folder's name may hold other braces.
    return root / folder.replace("{split}", split)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
