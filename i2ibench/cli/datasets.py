"""`i2ibench datasets [NAME]`: the catalogue, one data set's card, fetching and drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from i2ibench.cli.completion import completer
from i2ibench.cli.options import DataRoot, Direction, Json, Settings, parse_settings
from i2ibench.cli.terminal import answer, err, print_json, say, table
from i2ibench.errors import UsageError


def datasets(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Show this data set; also a folder, CSV or card.",
            autocompletion=completer("datasets"),
        ),
    ] = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Download it, where its authors allow that.")
    ] = False,
    allow_unchecked: Annotated[
        bool,
        typer.Option(
            "--allow-unchecked",
            help="With --fetch: also over plain http where no hash is known, so that nothing "
            "tells whether the archive was changed on the way.",
        ),
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Draw the synthetic data set into this folder, see --set."),
    ] = None,
    settings: Settings = None,
    direction: Direction = None,
    data_root: DataRoot = None,
    json: Json = False,
) -> None:
    """List the data sets, show one, fetch one, or draw synthetic pairs.

    i2ibench datasets facades --fetch

    i2ibench datasets synthetic --to my_pairs --set size=512 --set section_offset=12
    """
    if name is None:
        if fetch or to is not None:
            raise UsageError("name the data set, e.g. i2ibench datasets facades --fetch")
        _list(json)
    elif fetch:
        _fetch(name, data_root, allow_unchecked, json)
    elif to is not None:
        _draw(name, to, parse_settings(settings), json)
    else:
        _show(name, direction, data_root, json)


def _list(json: bool) -> None:
    from i2ibench.data.describe import list_datasets

    listed = list_datasets()
    if json:
        print_json(listed)
        return
    rows = [
        [
            each["name"],
            each["title"],
            " / ".join(f"{split} {'?' if n is None else n}" for split, n in each["pairs"].items()),
            each["place"],
        ]
        for each in listed
    ]
    answer(table("Data sets", ["name", "what it is", "pairs", "where"], rows))
    say("A folder, a CSV of pairs or a card of your own works wherever a name does.")


def _show(name: str, direction: str | None, data_root: Path | None, json: bool) -> None:
    from i2ibench.data.dataset import Dataset
    from i2ibench.data.describe import describe_dataset

    opened = Dataset.open(name, direction=direction, data_root=data_root, draw=False)
    found = describe_dataset(opened)
    if json:
        print_json(found)
        return
    card = found["card"]
    rows = [["where", found["place"] or "not on this machine"]]
    rows += [["form on disk", layout] for layout in found["layouts"]]
    rows += [["pairs", _pairs(card.get("splits", {}), found["pairs_here"])]]
    rows += [
        [key, str(card[key])]
        for key in ("source", "target", "direction", "licence", "citation", "home", "obtain")
        if key in card
    ]
    if card.get("publishable") is not None:
        rows += [["its images", f"may {'' if card['publishable'] else 'not '}be published"]]
    rows += [["note", note] for note in card.get("notes", [])]
    answer(table(f"{found['name']}: {card['title']}", ["", ""], rows))


def _pairs(splits: dict[str, Any], here: dict[str, int]) -> str:
    names = [*splits, *(split for split in here if split not in splits)]
    texts = []
    for split in names:
        expected = splits.get(split, {}).get("pairs")
        known = "" if expected is None else f" of {expected} expected"
        texts.append(f"{split} {here.get(split, 'none')}{known}")
    return ", ".join(texts)


def _fetch(name: str, data_root: Path | None, allow_unchecked: bool, json: bool) -> None:
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    from i2ibench.data.fetch import fetch_dataset

    columns = ("[progress.description]{task.description}", BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=err()) as progress:
        task = progress.add_task(name, total=None)
        fetched = fetch_dataset(
            name,
            data_root=data_root,
            allow_unchecked=allow_unchecked,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if not fetched.hash_was_known:
        say(
            f"nobody has published this archive's hash; sha256 {fetched.sha256} is recorded in "
            "download.json",
            lead="[yellow]warning:[/] ",
        )
    say(f"{name} is in {fetched.folder}")
    if json:
        print_json({"name": name, "folder": str(fetched.folder), "sha256": fetched.sha256})


def _draw(name: str, folder: Path, options: dict[str, Any], json: bool) -> None:
    from i2ibench.data.resolve import catalogue_card
    from i2ibench.data.synthetic.drawing import SyntheticOptions
    from i2ibench.data.synthetic.generate import generate

    declared = catalogue_card(name).synthetic
    if declared is None:
        raise UsageError(f"--to draws synthetic pairs; '{name}' is not drawn")
    chosen = SyntheticOptions.parse({**declared, **options})
    generate(folder, chosen)
    say(f"{chosen.train + chosen.val + chosen.test} pairs are in {folder}")
    if json:
        print_json({"folder": str(folder), "options": chosen.model_dump()})
