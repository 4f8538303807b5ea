"""Which files of a folder are images, by which id, and what is left out of it.

What stops a reading is a fault (``DataError``). What is left out and stops nothing is told too, as
``LeftOut``: nothing of a data set disappears in silence.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from i2ibench.data.headers import IMAGE_SUFFIXES
from i2ibench.errors import DataError
from i2ibench.files import composed, is_safe_name, is_utf8, is_visible, list_folder, printable
from i2ibench.wording import count, some

# At most this many names stand in a message.
_SHOWN = 3
# Images in nested folders are counted up to this number.
_MOST_NESTED = 10_000
# What lies beside images and cannot be one.
_TEXTS = frozenset(
    """
    .cfg .css .csv .db .geojson .gz .htm .html .ini .js .json .lock .log .md .md5 .py .rst .sh
    .sha256 .tar .toml .tsv .txt .xls .xlsx .xml .yaml .yml .zip
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What is not read and stops nothing: a warning here, a finding of an audit.

    Attributes:
        message: one line that begins with the file or folder.
        check: the check of an audit that it belongs to.
    """

    message: str
    check: str = "pairing"

    def __str__(self) -> str:
        return self.message


# What happens with a fault of the data, or with what is left out: raise and warn, or (in an audit)
# note it and go on without the file it names.
OnFault = Callable[[DataError | LeftOut], None]


def raise_fault(fault: DataError | LeftOut) -> None:
    """Stop at the first fault; warn of what is left out."""
    if isinstance(fault, LeftOut):
        warnings.warn(fault.message, stacklevel=2)
    else:
        raise fault


def pass_over(_: DataError | LeftOut) -> None:
    """Leave all to whoever opens the pairs."""


def list_images(folder: Path, on_fault: OnFault = raise_fault) -> list[Path]:
    """Return the image files directly in ``folder``, sorted by name; see ``tell_left_out``.

    Raises:
        DataError: the folder is missing, a link leads nowhere, what is called like an image is a
            pipe or a device, or a name is not UTF-8.
    """
    try:
        listing = list_folder(folder, IMAGE_SUFFIXES)
    except DataError as fault:
        on_fault(fault)
        return []
    for path in listing.unusable:
        what = (
            "a link that leads nowhere; restore its target or remove it"
            if path.is_symlink() and not path.exists()
            else "not a regular file; remove it"
        )
        on_fault(DataError(f"{printable(path)}: {what}"))
    images = []
    for path in listing.files:
        if is_utf8(path.name):
            images.append(path)
        else:
            on_fault(name_not_utf8(path))
    return images


def name_not_utf8(path: Path) -> DataError:
    """Return the fault of a name whose bytes are of another encoding."""
    return DataError(f"{printable(path)}: its name is not UTF-8; rename it, e.g. with convmv")


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
        stem, ending = composed(path.stem), composed(suffix)
        if not stem.endswith(ending):
            continue
        identifier = stem[: len(stem) - len(ending)]
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


def has_images(folder: Path) -> bool:
    """Whether images lie directly in ``folder``."""
    return folder.is_dir() and bool(list_folder(folder, IMAGE_SUFFIXES).files)


def tell_left_out(folder: Path, on_fault: OnFault = raise_fault) -> None:
    """Tell of files in ``folder`` that no reader takes for images, and of images further below."""
    if not folder.is_dir():
        return
    others = [path for path in list_folder(folder, IMAGE_SUFFIXES).others if not _is_text(path)]
    if others:
        suffixes = Counter(path.suffix.lower() or "no suffix" for path in others)
        kinds = ", ".join(f"{printable(suffix)} {n}" for suffix, n in sorted(suffixes.items()))
        on_fault(
            LeftOut(
                f"{printable(folder)}: {count(len(others), 'file')} of unknown suffix "
                f"({kinds}) left out: {some([printable(path.name) for path in others], _SHOWN)}; "
                "convert images to PNG"
            )
        )
    nested = list(islice(images_below(folder), _MOST_NESTED))
    if nested:
        more = "at least " if len(nested) == _MOST_NESTED else ""
        on_fault(
            LeftOut(
                f"{printable(nested[0])}: images in nested folders are not read "
                f"({more}{len(nested)} below {printable(folder)})"
            )
        )


def images_below(folder: Path, but: Collection[str] = ()) -> Iterator[Path]:
    """Yield the images in visible folders below ``folder``, at any depth, but those named."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if is_visible(name) and not (Path(place) == folder and name in but)
        )
        # What a link leads to is looked at, and not what lies below it: links may lead in a circle.
        for link in (Path(place) / name for name in folders):
            if link.is_symlink() and not folder.resolve().is_relative_to(link.resolve()):
                yield from list_folder(link, IMAGE_SUFFIXES, missing_ok=True).files
        if Path(place) != folder:
            for name in sorted(files):
                if is_visible(name) and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                    yield Path(place) / name


def _is_text(path: Path) -> bool:
    return path.suffix.lower() in _TEXTS
