"""`i2ibench models [NAME]`: the translation methods, or one method's card."""

from __future__ import annotations

from typing import Annotated

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
    """List the models, or show one with its settings."""
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
