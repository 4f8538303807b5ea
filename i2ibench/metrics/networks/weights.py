"""Third-party weights: what they are, where they lie, and whether they are what they should be.

A file is looked for in ``$I2IBENCH_WEIGHTS`` (and its sub folder of the entry's name), then in the
cache, then where torch hub keeps downloads, then in installed packages that ship it, then wherever
another entry would keep the same file. It counts only if its SHA-256 is the known one: a wrong file
under the right name would load silently.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.files import atomic_path, cache_folder, chosen_folder, sha256_file
from i2ibench.metrics.networks.known_weights import CatalogueEntry as CatalogueEntry
from i2ibench.metrics.networks.known_weights import CatalogueFile as CatalogueFile
from i2ibench.metrics.networks.known_weights import catalogue as catalogue
from i2ibench.metrics.networks.known_weights import why_unknown

UNVERIFIED_OPTION = "--allow-unverified-weights"


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


def entry(name: str) -> CatalogueEntry:
    """Return the catalogue's entry of ``name``; an unknown name is a ``UsageError``."""
    if name not in catalogue():
        raise UsageError(why_unknown(name, [*catalogue()]))
    return catalogue()[name]


def locate(name: str, *, allow_unverified: bool = False) -> list[WeightsFile]:
    """Return the files of weights ``name``, in the catalogue's order.

    Of an ``any_of`` entry the one file found is returned. With ``allow_unverified`` a file of the
    right name and another content is accepted where no verified one exists.

    Raises:
        MissingError: a file is absent or is not what it should be, or one of weights they need.
    """
    located = _locate(name, allow_unverified)
    for other in entry(name).needs:
        _locate(other, allow_unverified)
    return located


def _locate(name: str, allow_unverified: bool) -> list[WeightsFile]:
    known = entry(name)
    found = [_best(name, file) for file in known.files]
    accepted = [copy for copy in found if copy is not None and (copy.verified or allow_unverified)]
    if known.any_of and accepted:
        return [min(accepted, key=lambda copy: not copy.verified)]
    if len(accepted) == len(known.files):
        return accepted
    for file, copy in zip(known.files, found, strict=True):
        if copy is not None and not copy.verified and not allow_unverified:
            raise _wrong(name, file, copy)
    absent = [file for file, copy in zip(known.files, found, strict=True) if copy is None]
    raise _not_found(name, absent)


def lacking(name: str) -> list[CatalogueFile]:
    """Return the files of weights ``name`` of which no verified copy is on this machine.

    Of an ``any_of`` entry none where one of them is here, else all.
    """
    known = entry(name)
    found = {file: _best(name, file) for file in known.files}
    absent = [file for file, copy in found.items() if copy is None or not copy.verified]
    return [] if known.any_of and len(absent) < len(found) else absent


def present(name: str) -> list[Path]:
    """Return the files that may be weights ``name``; none where a needed one is absent.

    Their content is not looked at.
    """
    paths: list[Path] = []
    for each in (name, *entry(name).needs):
        known = entry(each)
        found = [[p for p in candidates(each, file) if p.is_file()] for file in known.files]
        if not (any(found) if known.any_of else all(found)):
            return []
        paths += [path for places in found for path in places]
    return paths


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

    With ``name`` also the files of it, and of what it needs, that are nowhere: with state
    ``"missing"`` and the file's name as path.

    Raises:
        UsageError: unknown name.
    """
    checked: list[dict[str, str]] = []
    for each in [name, *entry(name).needs] if name is not None else [*catalogue()]:
        known = entry(each)
        copies = {file: [*_copies(each, file)] for file in known.files}
        for copy in (copy for found in copies.values() for copy in found):
            state = "verified" if copy.verified else f"unknown: {copy.sha256[:8]}..."
            checked.append({"weights": each, "path": str(copy.path), "state": state})
        if name is not None and not (known.any_of and any(copies.values())):
            absent = [file.name for file, found in copies.items() if not found]
            checked += [{"weights": each, "path": file, "state": "missing"} for file in absent]
    return checked


def weights_cache() -> Path:
    """Return the folder that fetched and added weights are kept in."""
    return cache_folder() / "weights"


def candidates(name: str, file: CatalogueFile) -> list[Path]:
    """Return where ``file`` may lie, in the order of precedence; paths may not exist."""
    same = (
        (other, twin)
        for other, known in catalogue().items()
        for twin in known.files
        if twin.sha256 == file.sha256
    )
    places = [*_places(name, file), *(path for each in same for path in _places(*each))]
    return [*dict.fromkeys(places)]


def _places(name: str, file: CatalogueFile) -> Iterator[Path]:
    """Yield the places of entry ``name`` itself."""
    names = (file.name, *file.also_named)
    own = chosen_folder("I2IBENCH_WEIGHTS")
    if own is not None:
        yield from (folder / n for folder in (own / name, own) for n in names)
    yield from (weights_cache() / name / n for n in names)
    yield from (_torch_hub() / n for n in names)
    for packaged in file.packaged:
        module, _, inner = packaged.partition(":")
        yield from (folder / inner for folder in _package_folders(module))


def _package_folders(module: str) -> Iterator[Path]:
    """Yield where an installed package lies; nothing of it is imported."""
    package, *inner = module.split(".")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return
    if spec is not None:
        yield from (Path(place, *inner) for place in spec.submodule_search_locations or ())


def _copies(name: str, file: CatalogueFile) -> Iterator[WeightsFile]:
    """Yield what lies where ``file`` may lie, verified or not."""
    own = {*_places(name, file)}
    for path in candidates(name, file):
        if path.is_file():
            digest = sha256_file(path)
            # A wrong file among another entry's weights was refused or accepted there, not here.
            if digest == file.sha256 or path in own:
                yield _weights_file(name, path, digest, verified=digest == file.sha256)


def _best(name: str, file: CatalogueFile) -> WeightsFile | None:
    """Return the first verified copy, else the first of another content, else None."""
    wrong: WeightsFile | None = None
    for copy in _copies(name, file):
        if copy.verified:
            return copy
        wrong = wrong or copy
    return wrong


def _weights_file(name: str, path: Path, digest: str, *, verified: bool) -> WeightsFile:
    known = entry(name)
    if not verified:
        mark = f"unverified-{digest[:8]}"
    else:
        mark = known.files[0].sha256[:8] if known.any_of else digest[:8]
    return WeightsFile(path, digest, verified, mark)


def _wrong(name: str, file: CatalogueFile, copy: WeightsFile) -> MissingError:
    how = f"fetch {name}" if file.urls else f"add {name} FILE"
    problem = (
        f"is not the known {file.name}: sha256 {copy.sha256[:8]}..., expected "
        f"{file.sha256[:8]}...; replace it (i2ibench weights {how}), or accept it with "
        f"{UNVERIFIED_OPTION}"
    )
    return MissingError(f"{copy.path} {problem}", reason=f"a file of weights {name} {problem}")


def _not_found(name: str, absent: list[CatalogueFile]) -> MissingError:
    any_of = entry(name).any_of
    nowhere = [file.name for file in absent if not file.urls]
    if not nowhere or (any_of and len(nowhere) < len(absent)):
        return MissingError(f"weights {name} not found; run: i2ibench weights fetch {name}")
    return MissingError(
        f"weights {name} not found, and no address is known of "
        f"{(' or ' if any_of else ' and ').join(nowhere)}; bring it here and run: "
        f"i2ibench weights add {name} FILE"
    )


def _torch_hub() -> Path:
    """Return torch hub's download folder without importing torch."""
    home = chosen_folder("TORCH_HOME")
    if home is None:
        home = (chosen_folder("XDG_CACHE_HOME") or Path("~/.cache")) / "torch"
    return Path(os.path.expanduser(home)) / "hub" / "checkpoints"  # noqa: PTH111
