"""Files written whole or not at all, hashes, and names that are safe as file names."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2ibench.durable import atomic_folder as atomic_folder
from i2ibench.durable import atomic_path as atomic_path
from i2ibench.errors import DataError
from i2ibench.escaping import is_seen
from i2ibench.reading import open_regular, reading
from i2ibench.reading import read_json as read_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What file managers and office programs leave beside the files of a user.
_OF_THE_SYSTEM = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini"})

# Everything that some file system refuses or that could leave the folder a name is joined to.
_UNSAFE_NAME = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')

# Names that Windows keeps for devices, with any suffix.
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{kind}{number}" for kind in ("COM", "LPT") for number in "0123456789¹²³"]
)


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write ``content`` as UTF-8 atomically, with ``\\n`` line ends on every platform."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON with sorted keys, atomically; refuses NaN and Infinity."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """Return the project's one JSON form: sorted keys, two spaces, a final newline."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as ``.npy`` atomically; a full disk is an ``OSError``.

    Arrays are kept in caches alone, so a power cut may take one away again. ``numpy.save`` hands a
    file's data to C, where the error of a last, buffered block is lost.
    """
    import numpy as np

    array = np.ascontiguousarray(array)
    with atomic_path(path, lasting=False) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.reshape(-1).view(np.uint8).data)


def map_array(path: Path) -> NDArray[Any]:
    """Map a ``.npy`` file, not writable; one that is not whole is a ``DataError`` that names it."""
    import numpy as np

    # A header is read as Python's source, so a damaged one can end in any error of its readers.
    with reading(path, "a readable .npy file", remedy="delete it"):
        open_regular(path).close()
        kept = np.load(path, mmap_mode="r", allow_pickle=False)
        size = path.stat().st_size
    # numpy maps what the header tells of and does not look at what follows.
    if not isinstance(kept, np.memmap) or size != kept.offset + kept.nbytes:
        raise DataError(f"{path}: not one whole array; delete it")
    return np.asarray(kept)


def sha256_bytes(content: bytes) -> str:
    """Return the hexadecimal SHA-256 of ``content``."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, read in blocks.

    Blocks are large, because after each this thread may have to wait for its turn.

    Raises:
        DataError: it is a folder, a pipe or a device.
        OSError: it cannot be read; names the file.
    """
    digest = hashlib.sha256()
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        block = memoryview(bytearray(min(max(size, 1 << 12), 1 << 24)))
        while count := _read_into(file, block, path):
            digest.update(block[:count])
    return digest.hexdigest()


def _read_into(file: BufferedReader, block: memoryview, path: Path) -> int:
    try:
        return file.readinto(block)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def sha256_json(value: Any) -> str:
    """Return the SHA-256 of a JSON value in compact canonical form (sorted keys)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return sha256_bytes(text.encode("utf-8"))


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies directly in a folder, each sorted by name.

    Attributes:
        files: visible regular files of a wanted suffix; a link counts as what it leads to.
        others: visible regular files of other suffixes.
        folders: visible folders.
        unusable: what has a wanted suffix and is no file: links that lead nowhere, and pipes,
            sockets and devices, which would be waited for or read without end.
    """

    files: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    unusable: tuple[Path, ...] = ()


def visible_files(
    folder: Path, suffixes: Collection[str] | None = None, *, missing_ok: bool = False
) -> tuple[Path, ...]:
    """Return the files of ``list_folder``: visible, regular and of one of the suffixes."""
    return list_folder(folder, suffixes, missing_ok=missing_ok).files


def list_folder(
    folder: Path, suffixes: Collection[str] | None = None, *, missing_ok: bool = False
) -> Listing:
    """List a folder by the one rule of what counts as a file of the user.

    Hidden are names that begin with a point, which includes what a cut write left
    (``.x.tmp.json``), the companions of macOS (``._x.png``) and ``.ipynb_checkpoints``; and
    ``Thumbs.db``, ``desktop.ini`` and the lock files of office programs.

    Args:
        folder: the folder.
        suffixes: the suffixes wanted, in lower case with their point; None for all.
        missing_ok: whether a folder that is not there counts as an empty one.

    Raises:
        DataError: the folder cannot be listed.
    """
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - sorted as texts, also on Windows
    except FileNotFoundError as error:
        if missing_ok:
            return Listing()
        raise DataError(f"{folder}: cannot be listed ({error.strerror or error})") from None
    except (OSError, ValueError) as error:  # a name that no system has, with a NUL in it
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{printable(folder)}: cannot be listed ({reason})") from None
    found: dict[str, list[Path]] = {"files": [], "others": [], "folders": [], "unusable": []}
    for path in (folder / name for name in names if is_visible(name)):
        wanted = suffixes is None or path.suffix.lower() in suffixes
        kind = _kind(path)
        if kind == "file":
            found["files" if wanted else "others"].append(path)
        elif kind == "folder":
            found["folders"].append(path)
        elif wanted:
            found["unusable"].append(path)
    return Listing(**{key: tuple(paths) for key, paths in found.items()})


def find_file(folder: Path, name: str) -> Path | None:
    """Return the visible file of a name, however it is capitalised; None where there is none."""
    if (folder / name).is_file():
        return folder / name
    found = visible_files(folder, missing_ok=True) if folder.is_dir() else ()
    return next((path for path in found if path.name.casefold() == name.casefold()), None)


def is_visible(name: str) -> bool:
    """Whether a file of this name counts as the user's own, see ``list_folder``."""
    return not name.startswith((".", "~$")) and name.lower() not in _OF_THE_SYSTEM


def composed(text: str) -> str:
    """Return ``text`` in Unicode's composed form, in which names are compared everywhere.

    macOS stores decomposed names, which look the same and are other strings.
    """
    return unicodedata.normalize("NFC", text)


def is_utf8(name: str | Path) -> bool:
    """Whether a name can be written in UTF-8: one of bytes of another encoding cannot."""
    try:
        str(name).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str | Path) -> str:
    r"""Return a name as messages and JSON can hold it: bytes that are not UTF-8 as ``\xe9``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _kind(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return ""
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else ""


def cache_folder() -> Path:
    """Return ``$I2IBENCH_CACHE``, or the user's cache folder of this platform."""
    chosen = chosen_folder("I2IBENCH_CACHE")
    if chosen is not None:
        return chosen
    import platformdirs

    return Path(platformdirs.user_cache_dir("i2ibench"))


def chosen_folder(variable: str) -> Path | None:
    """Return the folder that an environment variable names, None where it is not set."""
    chosen = os.environ.get(variable)
    # Not Path.expanduser(): it raises for a user it does not know.
    return Path(os.path.expanduser(chosen)) if chosen else None  # noqa: PTH111


def is_safe_name(name: str) -> bool:
    """Whether ``name`` can be a file name anywhere and cannot leave its folder.

    Unseen characters and those that turn the direction of writing are refused besides: two names
    could look alike.
    """
    return (
        0 < len(name.encode("utf-8", "surrogatepass")) <= 200
        and name not in {".", ".."}
        and name == name.strip()
        and not name.startswith("-")
        and not name.endswith(".")
        and not _UNSAFE_NAME.search(name)
        and name.partition(".")[0].rstrip().upper() not in _DEVICES
        and all(map(is_seen, name))
    )
