"""Third-party weights: what they are, where they lie, and whether they are what they should be.

A file is looked for in ``$I2IBENCH_WEIGHTS`` (and its sub folder of the entry's name), then in the
cache, then where torch hub keeps downloads, then in installed packages that ship it. It counts
only if its SHA-256 is the known one: a wrong file under the right name would load silently.
"""

from __future__ import annotations

import importlib.resources
import importlib.util
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pydantic

from i2ibench import registry
from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.files import atomic_path, cache_folder, sha256_file
from i2ibench.registry import tomllib

UNVERIFIED_OPTION = "--allow-unverified-weights"


class CatalogueFile(pydantic.BaseModel):
    """One file of a catalogue entry; ``packaged`` are ``module:path`` of packages shipping it."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str = pydantic.Field(pattern=r"^[0-9a-f]{64}$")
    also_named: tuple[str, ...] = ()
    bytes: int | None = None
    urls: tuple[str, ...] = ()
    packaged: tuple[str, ...] = ()


class CatalogueEntry(pydantic.BaseModel):
    """Weights by name: all ``files`` are needed, or one of them where ``any_of`` is set."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    title: str
    metrics: tuple[str, ...]
    licence: str
    any_of: bool = False
    files: tuple[CatalogueFile, ...]


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file found on this machine.

    Attributes:
        path: where it lies.
        sha256: of its content.
        verified: whether that is a known hash.
        mark: how the weights stand in a signature: the first digits of the hash of the
            catalogue's first file, whichever of several equivalent files this is; the file's own
            after a warning where it is not verified.
    """

    path: Path
    sha256: str
    verified: bool
    mark: str


@cache
def catalogue() -> dict[str, CatalogueEntry]:
    """Return the known weights by name."""
    text = importlib.resources.files(__package__).joinpath("weights.toml").read_text("utf-8")
    return {name: CatalogueEntry(**entry) for name, entry in tomllib.loads(text).items()}


def entry(name: str) -> CatalogueEntry:
    """Return the catalogue's entry of ``name``; an unknown name is a ``UsageError``."""
    if name not in catalogue():
        raise UsageError(registry.unknown_name("weights", name, [*catalogue()]))
    return catalogue()[name]


def locate(name: str, *, allow_unverified: bool = False) -> list[WeightsFile]:
    """Return the files of weights ``name``, in the catalogue's order.

    Of an ``any_of`` entry the one file found is returned. With ``allow_unverified`` a file of the
    right name and another content is accepted where no verified one exists.

    Raises:
        MissingError: a file is absent or is not what it should be.
    """
    known = entry(name)
    found = [_find(name, file, allow_unverified) for file in known.files]
    if known.any_of:
        best = [file for file in found if file is not None and file.verified]
        best = best or [file for file in found if file is not None]
        if best:
            return best[:1]
        raise _not_found(name)
    complete = [file for file in found if file is not None]
    if len(complete) < len(known.files):
        raise _not_found(name)
    return complete


def present(name: str) -> list[Path]:
    """Return the files that may be weights ``name``; none where a needed one is absent.

    Their content is not looked at.
    """
    known = entry(name)
    found = [[p for p in candidates(name, file) if p.is_file()] for file in known.files]
    enough = any(found) if known.any_of else all(found)
    return [path for paths in found for path in paths] if enough else []


def add(name: str, path: Path, *, allow_unverified: bool = False) -> WeightsFile:
    """Copy ``path`` into the cache as a file of weights ``name``, known by its content.

    Raises:
        DataError: unreadable, or of unknown content and not allowed; an unverified file takes
            the place of the catalogue's file of the same name, else of the first.
    """
    known = entry(name)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    digest = sha256_file(path)
    match = next((file for file in known.files if file.sha256 == digest), None)
    if match is None and not allow_unverified:
        wanted = " or ".join(f"{file.name} (sha256 {file.sha256[:8]}...)" for file in known.files)
        raise DataError(
            f"{path}: sha256 {digest[:8]}... is none of {name}'s files, {wanted}; "
            f"{UNVERIFIED_OPTION} takes it all the same"
        )
    verified = match is not None
    if match is None:
        named = (f for f in known.files if path.name in (f.name, *f.also_named))
        match = next(named, known.files[0])
    place = weights_cache() / name / match.name
    with atomic_path(place) as temporary:
        shutil.copyfile(path, temporary)
    return _weights_file(name, place, digest, verified=verified)


def check(name: str | None = None) -> list[dict[str, str]]:
    """Return each weights file on this machine with its state, ``"verified"`` or what it is.

    Raises:
        UsageError: unknown name.
        MissingError: none of ``name`` is on this machine.
    """
    checked = []
    for each in [name] if name is not None else [*catalogue()]:
        for file in entry(each).files:
            for path in dict.fromkeys(candidates(each, file)):
                if path.is_file():
                    digest = sha256_file(path)
                    state = "verified" if digest == file.sha256 else f"unknown: {digest[:8]}..."
                    checked.append({"weights": each, "path": str(path), "state": state})
    if name is not None and not checked:
        raise _not_found(name)
    return checked


def weights_cache() -> Path:
    """Return the folder that fetched and added weights are kept in."""
    return cache_folder() / "weights"


def candidates(name: str, file: CatalogueFile) -> Iterator[Path]:
    """Yield where ``file`` may lie, in the order of precedence; paths may not exist."""
    names = (file.name, *file.also_named)
    chosen = os.environ.get("I2IBENCH_WEIGHTS")
    if chosen:
        own = Path(chosen).expanduser()
        yield from (folder / n for folder in (own / name, own) for n in names)
    yield from (weights_cache() / name / n for n in names)
    yield from (_torch_hub() / n for n in names)
    for packaged in file.packaged:
        module, _, inner = packaged.partition(":")
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.submodule_search_locations:
            yield Path(spec.submodule_search_locations[0]) / inner


def _find(name: str, file: CatalogueFile, allow_unverified: bool) -> WeightsFile | None:
    """Return the first verified candidate, else the first unverified one where allowed."""
    wrong: WeightsFile | None = None
    for path in candidates(name, file):
        if not path.is_file():
            continue
        digest = sha256_file(path)
        if digest == file.sha256:
            return _weights_file(name, path, digest, verified=True)
        wrong = wrong or _weights_file(name, path, digest, verified=False)
    if wrong is not None and not allow_unverified:
        raise MissingError(
            f"{wrong.path} is not the known {file.name}: sha256 {wrong.sha256[:8]}..., expected "
            f"{file.sha256[:8]}...; replace it (i2ibench weights fetch {name}), or accept it with "
            f"{UNVERIFIED_OPTION}"
        )
    return wrong


def _weights_file(name: str, path: Path, digest: str, *, verified: bool) -> WeightsFile:
    known = entry(name)
    if not verified:
        mark = f"unverified-{digest[:8]}"
    else:
        mark = known.files[0].sha256[:8] if known.any_of else digest[:8]
    return WeightsFile(path, digest, verified, mark)


def _not_found(name: str) -> MissingError:
    # Stands in records and boards: no path of this machine.
    return MissingError(f"weights {name} not found; run: i2ibench weights fetch {name}")


def _torch_hub() -> Path:
    """Return torch hub's download folder without importing torch."""
    home = os.environ.get("TORCH_HOME")
    if home is None:
        home = str(Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch")
    return Path(home).expanduser() / "hub" / "checkpoints"
