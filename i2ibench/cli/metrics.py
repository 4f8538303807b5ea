"""`i2ibench metrics [NAME]`: the metrics, or one metric's card."""

from __future__ import annotations

from typing import Annotated

import typer

from i2ibench.cli.completion import completer
from i2ibench.cli.options import Json
from i2ibench.cli.terminal import answer, print_json, table

_KINDS = {
    "pair": "one value a pair; the score of a set is their mean",
    "set": "one value for a set of pairs",
}


def metrics(
    name: Annotated[
        str | None,
        typer.Argument(help="Show this metric's card.", autocompletion=completer("metrics")),
    ] = None,
    json: Json = False,
) -> None:
    """List the metrics, or show how one is defined and what it needs.

    i2ibench metrics ssim
    """
    if name is None:
        _list(json)
        return
    from i2ibench.metrics.card import metric_card

    card = metric_card(name)
    if json:
        print_json(card)
        return
    answer(f"{card['description']}\n", lead=f"[bold]{name}[/] ")
    facts = [
        ["title in tables", card["title"]],
        ["what", _KINDS.get(card["kind"], card["kind"])],
        ["unit", card["unit"] or "none"],
        ["better", card["better"] or "neither: it describes"],
        ["digits", "about four significant" if card["digits"] is None else str(card["digits"])],
        ["runs a network", "yes, on the device" if card["runs_network"] else "no"],
        ["smallest side", f"{card['minimum_size']} px"],
        ["signature", card["signature"]],
        *[[f"weights {each}", state] for each, state in card["weights"].items()],
        *[[f"setting {key}", str(each["default"])] for key, each in card["settings"].items()],
        ["from", card["provider"]],
    ]
    answer(table("Card", ["fact", "value"], facts))


def _list(json: bool) -> None:
    from i2ibench import registry

    rows = [
        [each, registry.metrics.summary(each), registry.metrics.entry(each).provider]
        for each in registry.metrics.names()
    ]
    if json:
        keys = ("name", "summary", "provider")
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
    else:
        answer(table("Metrics", ["name", "what it is", "from"], rows))
