"""A plain folder to a card: which of the known forms of paired data it has.

Nothing is guessed silently: what a folder was taken for stands in the card's title, and a folder
with two readings is an error that lists them.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from i2ibench.data.cards import (
    SPLIT_ALIASES,
    Card,
    Clusters,
    FoldersLayout,
    Groups,
    Layout,
    Split,
    SplitName,
    StripLayout,
    SuffixLayout,
    TableLayout,
)
from i2ibench.data.clusters import CLUSTERS_FILE
from i2ibench.data.images import image_size
from i2ibench.data.layouts import present_name
from i2ibench.data.listing import (
    has_images,
    images_below,
    images_by_id,
    list_images,
    name_not_utf8,
    pass_over,
)
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import DataError
from i2ibench.files import find_file, is_utf8, list_folder

# Source and target, as published data sets name them; compared in lower case.
_KNOWN_SIDES = (
    ("he", "ihc"),
    ("he_20x", "ihc_20x"),
    ("h&e", "ihc"),
    ("a", "b"),
    ("input", "label"),
    ("input", "target"),
    ("input", "output"),
    ("source", "target"),
    ("visible", "infrared"),
)
_ALIASES = tuple(alias for aliases in SPLIT_ALIASES.values() for alias in aliases)
_SPELLINGS = tuple(
    spelling for alias in _ALIASES for spelling in (alias, alias.capitalize(), alias.upper())
)
_SPLIT_AND_SIDE = re.compile(rf"^({'|'.join(_ALIASES)})([_-]?)([^_-].*)$", re.IGNORECASE)
# A damaged file must not decide what the others are.
_TRIED = 5
_BCI_NAME = re.compile(r"^\d+_(?:train|val|test)_(?:0|1\+|2\+|3\+)$")
_HER2 = Groups(name="HER2", pattern=r"_(?P<group>0|1\+|2\+|3\+)$", order=("0", "1+", "2+", "3+"))


def recognise(root: Path) -> Card:
    """Return a card for the folder ``root`` from what lies in it.

    Raises:
        DataError: no known form, or several.
    """
    table = find_file(root, "pairs.csv")
    if table is not None:
        return Card(
            title=f"{root.name}: table {table.name}", layouts=(TableLayout(file=table.name),)
        )
    candidates = list(_candidates(root))
    if not candidates:
        raise DataError(_nothing_found(root))
    if not _same_strips(candidates):
        listed = "; ".join(f"({n}) {layout}" for n, layout in enumerate(candidates, start=1))
        raise DataError(
            f"{root}: can be read in {len(candidates)} ways: {listed}; name one in a card "
            "(TOML) or remove what does not belong"
        )
    layout = candidates[0]  # of several strips in one folder, a direction chooses
    splits = _splits(root, layout)
    _tell_guesses(root, layout, splits)
    return Card(
        title=f"{root.name}: {' or '.join(str(each) for each in candidates)}",
        layouts=tuple(candidates),
        splits=splits,
        groups=_groups(root, layout),
        clusters=Clusters(name="cluster") if find_file(root, CLUSTERS_FILE) else None,
    )


def _tell_guesses(root: Path, layout: Layout, splits: dict[SplitName, Split]) -> None:
    """Warn of what the folder's names do not say: which side is the source, what is scored."""
    if isinstance(layout, FoldersLayout):
        sides = (layout.source, layout.target)
        if tuple(side.replace("{split}", "").strip("/_-").lower() for side in sides) not in (
            _KNOWN_SIDES
        ):
            warnings.warn(
                f"{root}: took {layout.source} as source and {layout.target} as target, by "
                "alphabet; --direction BtoA turns them round",
                stacklevel=2,
            )
    scored = splits.get("test")
    if scored is not None and scored.folder in SPLIT_ALIASES["val"]:
        warnings.warn(
            f"{root}: has no folder 'test'; '{scored.folder}' is the split that is scored",
            stacklevel=2,
        )


def _candidates(root: Path) -> Iterator[Layout]:
    folders = _folders(root)
    yield from _sides_then_splits(root, folders)
    yield from _splits_then_sides(root, folders)
    yield from _split_and_side_in_one(root, folders)
    yield from _bare_sides(root, folders)
    yield from _images_in(root, [name for name in folders if name.lower() in _ALIASES])


def _sides_then_splits(root: Path, folders: list[str]) -> Iterator[Layout]:
    """``HE/train``, ``IHC/train``."""
    known = {side for sides in _KNOWN_SIDES for side in sides}
    # An empty folder of a known side counts: that its images are missing shall then be told.
    with_splits = [
        name for name in folders if _splits_in(root / name, even_empty=name.lower() in known)
    ]
    for source, target in _sides(with_splits):
        yield _two_folders(root, f"{source}/{{split}}", f"{target}/{{split}}")


def _splits_then_sides(root: Path, folders: list[str]) -> Iterator[Layout]:
    """``train/HE``, ``train/IHC``."""
    splits = [name for name in folders if name.lower() in _ALIASES]
    sides: list[str] = []
    for split in splits:
        sides += [
            name
            for name in _folders(root / split)
            if name not in sides and has_images(root / split / name)
        ]
    for source, target in _sides(sorted(sides)):
        yield _two_folders(root, f"{{split}}/{source}", f"{{split}}/{target}")


def _split_and_side_in_one(root: Path, folders: list[str]) -> Iterator[Layout]:
    """``trainA``, ``trainB``."""
    found: dict[str, list[str]] = {}
    for name in folders:
        match = _SPLIT_AND_SIDE.match(name)
        if match and has_images(root / name):
            found.setdefault(match[2], []).append(match[3])
    for separator, sides in found.items():
        for source, target in _sides(sorted(set(sides))):
            yield _two_folders(
                root, f"{{split}}{separator}{source}", f"{{split}}{separator}{target}"
            )


def _bare_sides(root: Path, folders: list[str]) -> Iterator[Layout]:
    """``HE``, ``IHC`` with images directly in them: one set without splits."""
    with_images = [
        name for name in folders if name.lower() not in _ALIASES and has_images(root / name)
    ]
    with_images = [name for name in with_images if not _SPLIT_AND_SIDE.match(name)]
    for source, target in _sides(with_images):
        yield _two_folders(root, source, target)


def _images_in(root: Path, splits: list[str]) -> Iterator[Layout]:
    """Images in ``train`` or in the folder itself: strips, or names with ``_real_A``."""
    places = [("{split}", root / name) for name in splits if has_images(root / name)][:1]
    if has_images(root):
        places.append((".", root))
    places += [
        (name, root / name) for name in ("images", "test_latest/images") if has_images(root / name)
    ]
    for folder, place in places:
        images = list_images(place, pass_over)
        stems = [image.stem for image in images]
        if any(stem.endswith("_real_A") for stem in stems):
            yield SuffixLayout(folder=folder)
            continue
        readings = next((found for image in images[:_TRIED] if (found := _readings(image))), ())
        for panels in readings:
            yield StripLayout(folder=folder, panels=panels)


def _readings(image: Path) -> tuple[tuple[str, ...], ...]:
    """Return the panels of a strip in each way it can be read; none where it is no strip.

    Pairs of 60 x 40 side by side are as wide as three square panels.
    """
    try:
        width, height = image_size(ImageRef(image))
    except DataError:
        return ()
    if width == 2 * height:
        return (("A", "B"),)
    if width % height or width < 2 * height:
        return ()
    panels = tuple(str(index + 1) for index in range(width // height))
    return (panels,) if width % 2 else (panels, ("A", "B"))


def _same_strips(candidates: list[Layout]) -> bool:
    """Whether all are readings of the same files, or there is only one."""
    if len(candidates) == 1:
        return True
    strips = [each for each in candidates if isinstance(each, StripLayout)]
    return len(strips) == len(candidates) and len({each.folder for each in strips}) == 1


def _sides(names: list[str]) -> list[tuple[str, str]]:
    """Return the (source, target) readings of folder names; known names win over unknown ones."""
    by_lower = {name.lower(): name for name in names}
    known = [
        (by_lower[source], by_lower[target])
        for source, target in _KNOWN_SIDES
        if source in by_lower and target in by_lower
    ]
    return known or list(combinations(names, 2))


def _two_folders(root: Path, source: str, target: str) -> FoldersLayout:
    """Return the layout, with the endings to strip of names like ``1_A`` and ``1_B``."""
    for alias in _SPELLINGS:
        folders = [root / side.replace("{split}", alias) for side in (source, target)]
        if not all(folder.is_dir() for folder in folders):
            continue
        sources, targets = (images_by_id(folder, on_fault=pass_over) for folder in folders)
        if not sources or not targets or sources.keys() & targets.keys():
            break
        endings = _common_ending(sources), _common_ending(targets)
        if all(endings):
            return FoldersLayout(
                source=source, target=target, source_suffix=endings[0], target_suffix=endings[1]
            )
    return FoldersLayout(source=source, target=target)


def _common_ending(names: dict[str, Path]) -> str:
    """Return the ``_word`` all names end in, or nothing."""
    endings = {re.sub(r"^.*(?=_[^_]+$)", "", name) for name in names}
    ending = endings.pop()
    return ending if not endings and ending.startswith("_") else ""


def _splits(root: Path, layout: Layout) -> dict[SplitName, Split]:
    """A set with ``train`` and ``val`` but no ``test`` is scored on ``val``."""
    present: dict[SplitName, str] = {
        split: name
        for split, aliases in SPLIT_ALIASES.items()
        if (name := present_name(layout, root, aliases)) is not None
    }
    if "val" in present and "test" not in present:
        present["test"] = present.pop("val")
    return {split: Split(folder=name) for split, name in present.items()}


def _groups(root: Path, layout: Layout) -> Groups | None:
    """HER2 levels, where the names are those of BCI."""
    if not isinstance(layout, FoldersLayout | StripLayout):
        return None
    folder = layout.source if isinstance(layout, FoldersLayout) else layout.folder
    for alias in _SPELLINGS:
        place = root / folder.replace("{split}", alias)
        if place.is_dir():
            images = list_images(place, pass_over)
            # Most, not all: a name without its level shall be told, not hide those of the others.
            if 2 * sum(bool(_BCI_NAME.match(image.stem)) for image in images) > len(images):
                return _HER2
    return None


def _splits_in(folder: Path, even_empty: bool) -> list[str]:
    return [
        name
        for name in _folders(folder)
        if name.lower() in _ALIASES and (even_empty or has_images(folder / name))
    ]


def _folders(folder: Path) -> list[str]:
    folders = list_folder(folder).folders
    for path in folders:
        if not is_utf8(path.name):
            raise name_not_utf8(path)
    return [path.name for path in folders]


def _nothing_found(root: Path) -> str:
    inside = (", ".join(_folders(root)[:6]) or "no folders") + _what_is_there(root)
    return (
        f"{root}: no form of paired images is recognised (it holds {inside}); "
        "known are A/train and B/train, train/A and train/B, trainA and trainB, side-by-side files "
        "in train/, names in _real_A and _real_B, and pairs.csv; for another form write a card "
        "(TOML)"
    )


def _what_is_there(root: Path) -> str:
    """Say why the images of a folder make no pairs, where one of them shows it."""
    splits = [root / name for name in _folders(root) if name.lower() in _ALIASES]
    for folder in (root, *splits):
        for image in list_images(folder, pass_over)[:1]:
            with contextlib.suppress(DataError):
                width, height = image_size(ImageRef(image))
                place = ' and folder = "."' if folder == root else ""
                return (
                    f"; {image.relative_to(root)} has {width} x {height} px, which is no row of "
                    "squares: where each file is a pair side by side, a card says so with "
                    f'[[layouts]] kind = "strip"{place}; pairs one above the other are not read'
                )
    nested = next(images_below(root), None)
    if nested is not None and len(nested.relative_to(root).parts) > 2:
        return f"; images lie deeper than they are read, as {nested.relative_to(root)}"
    return ""
