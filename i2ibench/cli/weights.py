"""`i2ibench weights list|fetch|add|verify`: third-party weights that metrics need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from i2ibench.cli.completion import completer
from i2ibench.cli.options import Json, UnverifiedWeights
from i2ibench.cli.terminal import answer, print_json, say, table
from i2ibench.cli.verb import Verb, verb_group

app = verb_group("List, fetch, add and verify the weights that metrics need.")

Name = Annotated[
    str,
    typer.Argument(help="Weights; see: i2ibench weights list", autocompletion=completer("weights")),
]


@app.command("list", cls=Verb)
def list_weights(json: Json = False) -> None:
    """List known weights, what needs them, and whether they are here."""
    from i2ibench.metrics.card import weights_state
    from i2ibench.metrics.networks.known_weights import catalogue, metrics_for, provider

    listed = [
        {
            "name": name,
            "title": entry.title,
            "metrics": metrics_for(name),
            "licence": entry.licence,
            "files": [{"name": f.name, "sha256": f.sha256} for f in entry.files],
            "state": weights_state(name),
            "provider": provider(name),
        }
        for name, entry in catalogue().items()
    ]
    if json:
        print_json(listed)
        return
    rows = [
        [
            *(str(each[key]) for key in ("name", "title")),
            ", ".join(_strings(each["metrics"])),
            _short(each),
            str(each["provider"]),
        ]
        for each in listed
    ]
    answer(table("Weights", ["name", "what they are", "for", "state", "from"], rows))
    say("Looked for in $I2IBENCH_WEIGHTS, the cache, torch hub's folder and installed packages.")


@app.command(cls=Verb)
def fetch(name: Name, json: Json = False) -> None:
    """Download weights into the cache; a broken download is resumed, its hash checked."""
    from i2ibench.metrics.networks.fetch import fetch as fetch_weights

    files = fetch_weights(name, None if json else _report())
    _tell(name, files, json)


@app.command(cls=Verb)
def add(
    name: Name,
    file: Annotated[Path, typer.Argument(help="The file to copy into the cache.")],
    allow_unverified_weights: UnverifiedWeights = False,
    json: Json = False,
) -> None:
    """Add a file that you brought here on another way; it is known by its content."""
    from i2ibench.metrics.networks.weights import add as add_weights

    _tell(name, [add_weights(name, file, allow_unverified=allow_unverified_weights)], json)


@app.command(cls=Verb)
def verify(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Weights; all that are here if left out.", autocompletion=completer("weights")
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check the hashes of weights on this machine; 5 if a file is wrong, 4 if NAME lacks one."""
    from i2ibench.errors import MissingError, VerificationError
    from i2ibench.metrics.networks.weights import check, entry

    checked = check(name)
    if json:
        print_json(checked)
    else:
        rows = [[str(each[key]) for key in ("weights", "path", "state")] for each in checked]
        answer(table("Weights on this machine", ["name", "file", "state"], rows))
    wrong = [each for each in checked if each["state"] not in {"verified", "missing"}]
    if wrong:
        raise VerificationError(
            f"{wrong[0]['path']} is not the known file; remove it and run: "
            f"i2ibench weights fetch {wrong[0]['weights']}"
        )
    missing = [each for each in checked if each["state"] == "missing"]
    if name is not None and missing:
        lacking = missing[0]["weights"]  # of these, or of weights that they need
        files = [each["path"] for each in missing if each["weights"] == lacking]
        needed = (" or " if entry(lacking).any_of else " and ").join(files)
        raise MissingError(
            f"weights {lacking} need {needed}, not found; run: i2ibench weights fetch {lacking}"
        )


def _tell(name: str, files: list[Any], json: bool) -> None:
    if json:
        shown = [{"path": str(f.path), "sha256": f.sha256, "verified": f.verified} for f in files]
        print_json({"name": name, "files": shown})
        return
    for file in files:
        say(f"{file.path} ({'verified' if file.verified else 'NOT verified'})")


def _report() -> Any:
    """Return a progress function that says a download's state at every tenth."""
    told: dict[str, int] = {}

    def report(name: str, done: int, total: int | None) -> None:
        tenth = 10 * done // total if total else done >> 25
        if told.get(name) != tenth:
            told[name] = tenth
            of = f" of {total / 1e6:.1f}" if total else ""
            say(f"{name}: {done / 1e6:.1f}{of} MB")

    return report


def _short(each: dict[str, Any]) -> str:
    state = str(each["state"])
    return (
        "here, verified" if state == "verified" else "not here" if "not found" in state else state
    )


def _strings(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
