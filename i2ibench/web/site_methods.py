"""What a site says of a method beside its numbers: origin, kind, budget, recipe, records."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from i2ibench.files import is_safe_name, sha256_bytes
from i2ibench.leaderboard import remarks
from i2ibench.leaderboard.rows import Row
from i2ibench.results.method_cards import MethodCard, bibtex, card_bibtex, method_card
from i2ibench.results.methods import has_given_weights
from i2ibench.results.record import STATUSES, Result
from i2ibench.wording import duration

NOT_STATED = "not stated"
# Bounds of the filter by training time, in seconds.
_TIMES = ((600, "up to 10 min"), (3600, "up to 1 h"), (36_000, "up to 10 h"))
TIMES = ("none", *(words for _, words in _TIMES), "more than 10 h", NOT_STATED)


def method_facts_of(row: Row) -> dict[str, Any]:
    """Return what is known of a row as JSON values."""
    result = row.result
    card, said = method_card(result.model.name), result.model.method or {}
    seconds = remarks.mean_cost(row, "train_seconds")
    how = how_made(result)
    return {
        "label": row.label,
        "model": result.model.name,
        "page": f"{slug(result.model.name)}.html",
        "kind": remarks.kind(row) or "method",
        "signs": dict(remarks.signs(row)),
        "status": min((entry.result.status for entry in row.entries), key=STATUSES.index),
        "family": str(said.get("family") or card.family or NOT_STATED),
        "made": how,
        "licence": str(said.get("licence") or card.licence or NOT_STATED),
        "title": str(said.get("title") or ""),
        "authors": [str(each) for each in said.get("authors") or card.authors],
        "links": _links(said, card),
        "budget": remarks.budget(row),
        "time": _time(seconds, how),
        "training_seconds": seconds,
        "training_time": duration(seconds),
        "parameters": remarks.parameters(row),
        "hardware": remarks.device(row),
        "recipe": recipe_text(result),
        "entries": [
            {
                "name": entry.path.stem,
                "seed": entry.result.seed,
                "status": entry.result.status,
                "created": entry.result.created,
                "run_id": entry.result.run_id,
                "record": f"results/{entry.path.parent.name}/{entry.path.name}",
                "scores": f"results/{entry.path.parent.name}/{entry.path.stem}.csv"
                if entry.pair_scores is not None
                else None,
            }
            for entry in row.entries
        ],
    }


def how_made(result: Result) -> str:
    """Say how a method came about: ``trained``, ``closed form``, or what was given."""
    if result.model.is_external:
        return "given predictions"
    if has_given_weights(result):
        return "given weights"
    return "trained" if result.training else "closed form"


def recipe_text(result: Result) -> str:
    """Return the settings that were asked for as TOML, nothing where no experiment is recorded."""
    asked = result.experiment or {}
    model = asked.get("model")
    config = model.get("config") if isinstance(model, Mapping) else None
    tables = {"model": config, "training": asked.get("training"), "images": asked.get("images")}
    parts = []
    for name, table in tables.items():
        if isinstance(table, Mapping) and table:
            lines = [
                f"{key} = {json.dumps(value, ensure_ascii=False)}"
                for key, value in sorted(table.items())
                if value is not None and not isinstance(value, Mapping)
            ]
            parts.append("\n".join([f"[{name}]", *lines]))
    return "\n\n".join(parts)


def bibtex_of(name: str, facts: Mapping[str, Any]) -> str:
    """Return the BibTeX of a method: of its declared paper, else of what its authors say."""
    found = card_bibtex(name, method_card(name))
    if found or not facts["title"]:
        return found
    links: Mapping[str, str] = facts["links"]
    return bibtex(
        name,
        {
            "title": facts["title"],
            "author": " and ".join(facts["authors"]),
            "url": links.get("paper") or links.get("code"),
        },
    )


def slug(name: str) -> str:
    """Return the file name of a method's page: its name, or where that cannot be one, its hash."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", name)
    if plain == name.lower() and is_safe_name(name):
        return name
    return f"{plain.lower().strip('.-')[:60] or 'method'}-{sha256_bytes(name.encode())[:8]}"


def _links(said: Mapping[str, Any], card: MethodCard) -> dict[str, str]:
    links = {
        "paper": said.get("paper") or card.paper,
        "code": said.get("code") or card.code,
    }
    return {
        name: str(address)
        for name, address in links.items()
        if str(address or "").startswith(("https://", "http://"))
    }


def _time(seconds: float | None, how: str) -> str:
    if how == "closed form":
        return "none"
    if seconds is None or how != "trained":
        return NOT_STATED
    return next((words for bound, words in _TIMES if seconds <= bound), "more than 10 h")
