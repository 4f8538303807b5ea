"""`i2ibench protocols [NAME [NAME]]`: the protocols, one card, or two side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from i2ibench.cli.completion import completer
from i2ibench.cli.difference import difference_json, show_difference
from i2ibench.cli.options import Json
from i2ibench.cli.terminal import answer, escape, print_json, table
from i2ibench.errors import UsageError


def protocols(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME [NAME]]",
            help="Show this protocol, or two side by side.",
            autocompletion=completer("protocols"),
        ),
    ] = None,
    runs: Annotated[
        list[Path] | None,
        typer.Option(
            "--scores",
            help="A finished run; give two, and the difference of their scores is shown.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the protocols, show one, or compare two and what they do to a model's scores.

    i2ibench protocols i2i-1 bci-2022

    i2ibench protocols --scores runs/synthetic/varpyramid/AAA --scores runs/synthetic/varpyramid/BBB
    """
    if runs:
        _compare_runs(runs, json)
    elif not names:
        _list(json)
    elif len(names) <= 2:
        _show(names, json)
    else:
        raise UsageError(f"one protocol or two, not {len(names)}")


def _list(json: bool) -> None:
    from i2ibench import registry

    rows = [
        [each, registry.protocols.summary(each), registry.protocols.entry(each).provider]
        for each in registry.protocols.names()
    ]
    if json:
        keys = ("name", "title", "provider")
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
    else:
        answer(table("Protocols", ["name", "what it is", "from"], rows))


def _show(names: list[str], json: bool) -> None:
    from i2ibench.evaluation.protocol import load_protocol
    from i2ibench.evaluation.protocol_comparison import (
        protocol_card,
        protocol_facts,
        signature_rows,
    )

    loaded = [load_protocol(name) for name in names]
    if json:
        cards = [protocol_card(protocol) for protocol in loaded]
        print_json(cards[0] if len(cards) == 1 else cards)
        return
    defined = signature_rows(loaded)
    facts = [protocol_facts(protocol) for protocol in loaded]
    if len(loaded) == 1:
        answer(loaded[0].description, lead=f"[bold]{escape(loaded[0].id)}[/] ")
    rows = [[key, *(each[key] for each in facts)] for key in facts[0] if key != "id"]
    answer(table("Protocol", ["", *(protocol.id for protocol in loaded)], rows))
    columns = ["metric", "under", "signature"]
    if len(loaded) == 1:
        columns, defined = ["metric", "signature"], [[row[0], row[2]] for row in defined]
    answer(table("Definitions of the metrics, before weights are loaded", columns, defined))


def _compare_runs(runs: list[Path], json: bool) -> None:
    from i2ibench.evaluation.protocol_comparison import compare_scores
    from i2ibench.results.one_model import check_one_model
    from i2ibench.results.record_files import read_result, result_file

    if len(runs) != 2:
        raise UsageError("give --scores twice: two finished runs of one model and data set")
    results = [read_result(result_file(run)) for run in runs]
    first, second = results
    check_one_model(first, second)
    rows = compare_scores(first.metrics, second.metrics)
    ids = [first.protocol.id, second.protocol.id]
    if json:
        print_json(difference_json(ids, rows))
    else:
        where = f"{first.dataset.name}/{first.dataset.split}"
        show_difference(f"{first.model.name} on {where}", ids, rows)
