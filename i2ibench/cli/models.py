"""`i2ibench models [NAME]`: the translation methods, or one method's card."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from i2ibench.cli.completion import completer
from i2ibench.cli.options import Json
from i2ibench.cli.terminal import answer, print_json, table


def models(
    name: Annotated[
        str | None,
        typer.Argument(help="Show this model's settings.", autocompletion=completer("models")),
    ] = None,
    json: Json = False,
) -> None:
    """List the models, or show what one is, what it needs, and its settings.

    i2ibench models cyclegan
    """
    from i2ibench import registry

    if name is None:
        rows = [
            [each, registry.models.summary(each), registry.models.entry(each).provider]
            for each in registry.models.names()
        ]
        if json:
            keys = ("name", "summary", "provider")
            print_json([dict(zip(keys, row, strict=True)) for row in rows])
        else:
            answer(table("Models", ["name", "what it is", "from"], rows))
        return

    from i2ibench.models.card import model_card
    from i2ibench.models.foreign.open_method import open_method

    name = open_method(name).name
    card = model_card(name)
    if json:
        print_json(card)
        return
    answer(f": {card['description']}\n", lead=f"[bold]{name}[/]")
    answer(table("Card", ["fact", "value"], _facts(name, card)))
    if not card["settings"]:
        return
    settings = [
        [key, str(value["default"]), str(value["description"])]
        for key, value in card["settings"].items()
    ]
    answer(
        table(
            "Settings (override with --set model.KEY=VALUE)",
            ["key", "default", "meaning"],
            settings,
        )
    )


def _facts(name: str, card: dict[str, Any]) -> list[list[str]]:
    from i2ibench.results.method_cards import method_card

    source = method_card(name)
    facts = {
        "family": source.family,
        "paper": source.paper or "",
        "official code": source.code or "",
        "licence": source.licence,
        "trained": "by a recipe" if card["trainable"] else "no",
        "smallest batch": str(card["minimum_batch"] or ""),
        "stochastic": "yes: seeded by pair id" if card["stochastic"] else "no",
        "reads the target": "yes: an oracle, never ranked" if card["uses_target"] else "no",
        "from": card["from"],
    }
    return [[fact, value] for fact, value in facts.items() if value]
