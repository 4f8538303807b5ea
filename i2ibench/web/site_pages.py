"""The pages of a site from a board's JSON values: filters, plots, citation, a page a method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from i2ibench import registry
from i2ibench.leaderboard.reported_table import BESIDE
from i2ibench.leaderboard.site_facts import BOARDS, SiteFacts
from i2ibench.metrics.presentation import metric_title
from i2ibench.results.method_cards import bibtex, method_card
from i2ibench.web.page import render_page
from i2ibench.web.rank_plot import rank_plot
from i2ibench.web.site_methods import NOT_STATED, TIMES, bibtex_of, slug
from i2ibench.web.site_tables import Json
from i2ibench.wording import NO_VALUE, count

_FILTERS = (
    ("family", "family"),
    ("made", "trained or not"),
    ("licence", "licence of the code"),
    ("time", "training time"),
)
_NAMES = {"dataset": "data set", "protocol": "protocol", "status": "status"}


def board_page(
    board: Json, datasets: Sequence[str], contents: str, cited: Json, facts: SiteFacts
) -> str:
    """Return the HTML of one board."""
    methods = {track["id"]: {m["label"]: m for m in track["methods"]} for track in board["tracks"]}
    everything = [method for track in board["tracks"] for method in track["methods"]]
    statuses = [*dict.fromkeys(method["status"] for method in everything)]
    sets = {t["set"]: t["title"] for track in board["tracks"] for t in track["tables"]}
    sections = [("board", "Measured" if board["tracks"] else "Measured: none yet")]
    sections += [("compare", "Compared")] if board["tracks"] else []
    sections += [("beside", "Beside reported")] if board["beside"] else []
    sections += [("reported", "Reported")] if board["reported"] else []
    return render_page(
        "site_board.html.j2",
        assets="../assets/",
        root="../",
        here="board",
        title=board["dataset"],
        sections=[*sections, ("cite", "How to cite")],
        board=_with_places(board),
        contents=contents,
        datasets=datasets,
        methods=methods,
        sets=[*sets.items()],
        statuses=[*statuses, *(["reported"] if board["reported"] else [])],
        filters=filters_of(everything, ()) if everything else [],
        plots={track["id"]: _plots(track) for track in board["tracks"]},
        definitions={track["id"]: _definitions(track) for track in board["tracks"]},
        downloads={track["id"]: _downloads(board, track["id"]) for track in board["tracks"]},
        reported_downloads=_downloads(board, None),
        beside_metrics=BESIDE,
        slug=slug,
        citation=cited,
        doi=facts.doi,
    )


def filters_of(rows: Sequence[Mapping[str, Any]], first: Sequence[str]) -> list[Any]:
    """Return name, label and values of each filter over ``rows``; those of one value are useless.

    ``first``: keys that stand before the usual ones.
    """
    listed = [*((key, _NAMES[key]) for key in (*first, *(("status",) if first else ()))), *_FILTERS]
    made = []
    for key, label in listed:
        values = {str(row[key]) for row in rows}
        ordered = [v for v in TIMES if v in values] if key == "time" else sorted(values)
        if len(values) > 1:
            made.append((key, label, ordered))
    return made


def entry_rows(boards: Iterable[Json]) -> list[Json]:
    """Return one row a method and board, measured ones first, then what was reported."""
    measured, reported = [], []
    for board in boards:
        page = f"{BOARDS}/{quote(board['dataset'])}.html"
        for track in board["tracks"]:
            table = track["tables"][0]
            cells = {row["method"]: row["cells"] for row in table["rows"]}
            for facts in track["methods"]:
                note = "" if facts["kind"] == "method" else facts["kind"]
                measured.append(
                    {
                        **facts,
                        "method": facts["label"],
                        "dataset": board["dataset"],
                        "protocol": track["protocol"],
                        "link": f"{page}#track={quote(track['id'])}",
                        "note": ", ".join(filter(None, [note, *facts["signs"]])),
                        "decides": _decides(table, cells[facts["label"]]),
                    }
                )
        for group in board["reported"]:
            reported += [_reported_row(board, group, row, page) for row in group["rows"]]
    return measured + reported


def citation(facts: SiteFacts, board: Json | None, snapshot: str | None) -> Json:
    """Return how a board, or the whole site, is cited: words, BibTeX, and where it stays."""
    authors = list(facts.authors) or ["The i2ibench maintainers"]
    name = facts.title if board is None else f"{facts.title}: {board['dataset']}"
    newest = str((board or {}).get("newest") or "")[:10]
    held = "" if board is None else f"{count(board['entries'], 'measured entry')}"
    held = held.replace("entrys", "entries")
    words = f"{', '.join(authors)}. {name}."
    note = ", ".join(filter(None, [f"snapshot {snapshot}" if snapshot else "", held]))
    address = facts.address
    if address and board is not None:
        address = facts.board_address(board["dataset"])
    return {
        "words": f"{words}{' ' + note[0].upper() + note[1:] + '.' if note else ''}"
        f"{' Newest entry of ' + newest + '.' if newest else ''} Cite the papers of the methods "
        "and of the data set beside it.",
        "snapshot": snapshot,
        "snapshot_link": f"../snapshots/{quote(snapshot)}.json" if snapshot else None,
        "bibtex": bibtex(
            "i2ibench-boards" if board is None else f"i2ibench-{board['dataset']}",
            {
                "title": name,
                "author": " and ".join(authors),
                "year": newest[:4] or None,
                "url": address,
                "doi": facts.doi,
                "note": note,
            },
        ),
    }


def method_pages(boards: Sequence[Json]) -> dict[str, str]:
    """Return the pages of all methods that are measured, or known and reported, by file name."""
    measured: dict[str, list[Json]] = {}
    reported: dict[str, list[Json]] = {}
    for board in boards:
        for track in board["tracks"]:
            for facts in track["methods"]:
                measured.setdefault(facts["model"], []).append(_result(board, track, facts))
        for group in board["reported"]:
            for row in group["rows"]:
                if row.get("model"):
                    reported.setdefault(row["model"], []).append(
                        {
                            "dataset": board["dataset"],
                            "method": row["method"],
                            "source": row["source"],
                            "numbers": _numbers(group, row),
                        }
                    )
    return {
        f"{slug(name)}.html": _method_page(name, measured.get(name, []), reported.get(name, []))
        for name in sorted({*measured, *reported})
    }


def _method_page(name: str, measured: Sequence[Json], reported: Sequence[Json]) -> str:
    card = method_card(name)
    known: Json = measured[0]["facts"] if measured else {}
    links = {"paper": card.paper, "code": card.code, **known.get("links", {})}
    facts = {
        "summary": registry.models.summary(name) if name in registry.models else "",
        "title": known.get("title") or card.title,
        "authors": known.get("authors") or list(card.authors),
        "venue": card.venue,
        "family": known.get("family") or card.family or NOT_STATED,
        "licence": known.get("licence") or card.licence or NOT_STATED,
        "links": links,
    }
    sections = [("about", "What it is"), ("results", "All its results")]
    return render_page(
        "site_method.html.j2",
        assets="../assets/",
        root="../",
        here="method",
        title=name,
        name=name,
        sections=[*sections, *([("reported", "Reported")] if reported else [])],
        facts=facts,
        bibtex=bibtex_of(name, facts),
        measured=measured,
        reported=reported,
    )


def _result(board: Json, track: Json, facts: Json) -> Json:
    """Return a method's numbers on one track: the main columns, a row a set of pairs."""
    columns = [each for each in track["tables"][0]["columns"] if each["main"]]
    rows = []
    for table in track["tables"]:
        places = {each["metric"]: place for place, each in enumerate(table["columns"])}
        cells = next(row["cells"] for row in table["rows"] if row["method"] == facts["label"])
        found = [
            _named(table, cells, places[each["metric"]]) if each["metric"] in places else None
            for each in columns
        ]
        rows.append((table["title"], found))
    return {
        "dataset": board["dataset"],
        "track": track,
        "facts": facts,
        "link": f"{BOARDS}/{quote(board['dataset'])}.html#track={quote(track['id'])}",
        "columns": columns,
        "rows": rows,
    }


def _named(table: Json, cells: Sequence[Json], place: int) -> Json:
    """Return a cell that says where its number is over other pairs than its row."""
    apart = table["columns"][place]["set"] != table["set"]
    return {**cells[place], "of": "mean of levels"} if apart else cells[place]


def _with_places(board: Json) -> Json:
    """Return the board with, for scripts, the places of the rows that a row is surely before."""
    tracks = []
    for track in board["tracks"]:
        place = {method["label"]: str(i) for i, method in enumerate(track["methods"])}
        tables = [
            {
                **table,
                "rows": [
                    {
                        **row,
                        "cells": [
                            {
                                **cell,
                                "ahead": " ".join(
                                    place[name] for name in cell.get("surely_better_than", ())
                                ),
                            }
                            for cell in row["cells"]
                        ],
                    }
                    for row in table["rows"]
                ],
            }
            for table in track["tables"]
        ]
        tracks.append({**track, "tables": tables})
    return {**board, "tracks": tracks}


def _plots(track: Json) -> dict[str, list[Any]]:
    links = {method["label"]: f"../methods/{quote(method['page'])}" for method in track["methods"]}
    found = {}
    for table in track["tables"]:
        drawn = (
            rank_plot(table, index, links)
            for index, column in enumerate(table["columns"])
            if column["ranked"]
        )
        found[table["set"]] = [plot for plot in drawn if plot]
    return found


def _definitions(track: Json) -> list[Json]:
    """Return each metric once, with its signatures and the set that each is first shown of."""
    titles = {table["set"]: table["title"] for table in track["tables"]}
    found: dict[str, Json] = {}
    for column in (column for table in track["tables"] for column in table["columns"]):
        known = found.setdefault(column["metric"], {**column, "signatures": {}})
        known["signatures"].setdefault(column["signature"], titles.get(column["set"], ""))
    return [*found.values()]


def _downloads(board: Json, track: str | None) -> list[tuple[str, str]]:
    base = quote(board["dataset"])
    links = [("CSV", f"{base}.csv"), ("JSON", f"{base}.json")]
    return links if track is None else [*links, ("LaTeX", f"{base}-{quote(track)}.tex")]


def _decides(table: Json, cells: Sequence[Json]) -> str:
    """Say a row's number in the column that orders the table, with the metric's name."""
    for column, cell in zip(table["columns"], cells, strict=True):
        if column["metric"] == table["ordered_by"]:
            words = [column["title"], cell["text"], cell.get("place", "")]
            return " ".join(filter(None, words))
    return NO_VALUE


def _reported_row(board: Json, group: Json, row: Json, page: str) -> Json:
    return {
        "method": row["method"],
        "page": f"{slug(row['model'])}.html" if row.get("model") else "",
        "dataset": board["dataset"],
        "protocol": group["title"],
        "link": f"{page}#reported",
        "note": f"on {row['trained_on']}" if row.get("trained_on") else "",
        "status": "reported",
        "family": method_card(row["model"]).family if row.get("model") else NOT_STATED,
        "made": NOT_STATED,
        "licence": NOT_STATED,
        "time": NOT_STATED,
        "training_time": NO_VALUE,
        "training_seconds": None,
        "title": row["source"],
        "decides": _numbers(group, row, most=1),
    }


def _numbers(group: Json, row: Json, most: int = 4) -> str:
    shown = [
        f"{metric_title(column['metric'])} {cell['text']}"
        for column, cell in zip(group["columns"], row["cells"], strict=True)
        if "value" in cell
    ]
    return ", ".join(shown[:most])
