"""A site says what its board says, number for number, and keeps to its folder and addresses."""

from __future__ import annotations

import json
import shutil
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from drawn_boards import draw_boards, draw_entry
from factories import times

from i2ibench.errors import UsageError
from i2ibench.files import write_json
from i2ibench.leaderboard.board import Board, build_board, read_board
from i2ibench.leaderboard.exports import board_lines
from i2ibench.results.record_files import read_result
from i2ibench.web.site import build_site

SHIPPED = Path(__file__).resolve().parents[2] / "leaderboards"
# What docs/leaderboards.md says of the site of our own boards.
LARGEST = 12 * 2**20
_NUMBERS = (
    *("value", "ci95_low", "ci95_high", "seed_sd", "n", "seeds"),
    *("rank_best", "rank_worst", "simultaneous_best", "simultaneous_worst"),
    *("weights_better_than", "weights_worse_than", "weights_compared_with"),
)
HOSTILE = "<img src=x onerror=alert(1)>\"'&|`x`"


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_boards(tmp_path_factory.mktemp("boards"))


@pytest.fixture
def copied(boards: Path, tmp_path: Path) -> Path:
    """The same boards, to be changed."""
    return shutil.copytree(boards, tmp_path / "boards")


@pytest.fixture(scope="module")
def site(boards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(boards, tmp_path_factory.mktemp("site") / "public").index.parent


class _Page(HTMLParser):
    """The addresses, ids, scripts, tables and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        self.addresses += [str(given[key]) for key in ("href", "src") if given.get(key)]
        self.ids += [str(given["id"])] if given.get("id") else []

    def handle_data(self, data: str) -> None:
        self.text += data


def _page(path: Path) -> _Page:
    return _Page(path.read_text(encoding="utf-8"))


def _check_cells(board: Board, content: dict) -> int:
    """Compare every cell of a site's JSON with the board's own rows; return how many."""
    lines = {
        (x.get("protocol"), x.get("comparable_group"), x["set"], x["method"], x["metric"])
        + ((x.get("signature", ""),) if x["status"] != "reported" else ()): x
        for x in board_lines(board)
    }
    count = 0
    for track in content["tracks"]:
        for table in track["tables"]:
            for row in table["rows"]:
                assert len(row["cells"]) == len(table["columns"])
                for column, cell in zip(table["columns"], row["cells"], strict=True):
                    key = (track["protocol"], None, column["set"], row["method"])
                    line = lines[(*key, column["metric"], column["signature"])]
                    for name in _NUMBERS:
                        assert cell.get(name, 0) == line.get(name, 0), (key, column, name)
                    count += 1
    for group in content["reported"]:
        for row in group["rows"]:
            on = f" (on {row['trained_on']})" if "trained_on" in row else ""
            for column, cell in zip(group["columns"], row["cells"], strict=True):
                key = (None, group["group"], "all", row["method"] + on, column["metric"])
                assert ("value" in cell) == (key in lines)
                if key in lines and cell["value"] != lines[key]["value"]:
                    # Two rows of one name, which differ in nothing that a line says.
                    assert sum(x["method"] == row["method"] for x in group["rows"]) > 1
                count += 1
    return count


def test_every_cell_is_that_of_the_boards_rows(boards: Path, site: Path) -> None:
    content = json.loads((site / "boards" / "drawn.json").read_text())
    assert _check_cells(read_board(boards, "drawn"), content) > 100


@pytest.mark.parametrize("dataset", ["synthetic", "bci"])
def test_every_cell_of_our_own_boards_is_that_of_its_rows(shipped: Path, dataset: str) -> None:
    content = json.loads((shipped / "boards" / f"{dataset}.json").read_text())
    assert _check_cells(read_board(SHIPPED, dataset), content) > 100


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(SHIPPED, tmp_path_factory.mktemp("shipped")).index.parent


def test_the_site_of_our_own_boards_keeps_its_size(shipped: Path) -> None:
    files = [path for path in shipped.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    print(f"site of our own boards: {len(files)} files, {size / 2**20:.1f} MiB")
    assert size < LARGEST
    assert not [p for p in files if p.suffix in {".png", ".jpg", ".webp"}], "pictures are no part"


def test_pages_hold_the_words_of_the_board_without_scripts(site: Path) -> None:
    content = json.loads((site / "boards" / "drawn.json").read_text())
    text = _page(site / "boards" / "drawn.html").text
    for table in content["tracks"][0]["tables"]:
        for row in table["rows"]:
            for cell in row["cells"]:
                for word in ("text", "interval", "place"):
                    assert cell.get(word, "") in text
    assert "Pictures are not stored" in text
    assert "Not computed: FID" in text


def test_every_address_leads_to_a_file_of_the_site(site: Path, shipped: Path) -> None:
    for folder in (site, shipped):
        pages = sorted(folder.rglob("*.html"))
        assert pages
        for path in pages:
            page = _page(path)
            for address in page.addresses:
                if address.startswith(("https://arxiv", "https://doi", "https://github", "data:")):
                    continue
                target, _, anchor = address.partition("#")
                assert not target.startswith(("http", "/", "file:")), address
                found = path if not target else path.parent / unquote(target)
                assert found.is_file(), f"{path}: {address}"
                if anchor and "=" not in anchor:
                    assert anchor in _page(found).ids, f"{path}: {address}"


def test_nothing_inline_runs_on_any_page(shipped: Path) -> None:
    for path in shipped.rglob("*.html"):
        for tag, given in _page(path).tags:
            assert not [name for name in given if name.startswith("on")]
            assert "style" not in given
            assert tag != "style"
            if tag == "script":
                assert given.get("src") or given.get("type") == "application/json"
        assert "default-src 'none'" in unescape(path.read_text(encoding="utf-8"))


def test_the_page_of_a_method_has_its_paper_recipe_and_all_its_results(shipped: Path) -> None:
    page = _page(shipped / "methods" / "pix2pix.html")
    for word in ("eprint = {1611.07004}", "facades, protocol i2i-2", "synthetic, protocol stain-2"):
        assert word in page.text
    for word in ('generator = "unet_128"', "thomasdekerf", "conditional GAN"):
        assert word in page.text
    assert "https://arxiv.org/abs/1611.07004" in page.addresses
    records = [each for each in page.addresses if each.startswith("../results/")]
    assert len(records) > 5


def test_a_record_has_an_address_of_its_own(boards: Path, site: Path) -> None:
    files = sorted((boards / "drawn").glob("copy-*"))
    assert files
    for path in files:
        assert (site / "results" / "drawn" / path.name).read_bytes() == path.read_bytes()


def test_measured_stands_beside_reported(site: Path) -> None:
    text = _page(site / "boards" / "drawn.html").text
    content = json.loads((site / "boards" / "drawn.json").read_text())
    found = content["beside"]
    assert [each["measured"] for each in found] == ["pix2pix"]
    psnr = found[0]["numbers"]["psnr"]
    assert float(psnr["measured"]) - float(psnr["reported"]) == pytest.approx(
        float(psnr["difference"]), abs=0.011
    )
    assert "Measured beside reported" in text


def test_a_table_for_papers_names_its_snapshot(site: Path) -> None:
    snapshot = json.loads((site / "site.json").read_text())["boards"][0]["snapshot"]
    assert (site / "snapshots" / f"{snapshot}.json").is_file()
    table = (site / "boards" / "drawn-i2i-1-1.tex").read_text()
    assert table.startswith(f"% snapshot: snapshots/{snapshot}.json\n")
    assert r"\begin{tabular}" in table


def test_a_site_says_its_address_and_how_it_is_cited(copied: Path, tmp_path: Path) -> None:
    folder = copied
    (folder / "site.toml").write_text(
        'address = "https://example.org/boards/"\ndoi = "10.5281/zenodo.1234567"\n'
        'title = "Boards"\nauthors = ["A. Keeper"]\n'
    )
    index = build_site(folder, tmp_path / "site").index
    tex = next((index.parent / "boards").glob("*.tex")).read_text()
    assert tex.startswith("% snapshot: https://example.org/boards/snapshots/drawn-")
    page = _page(index.parent / "boards" / "drawn.html")
    for word in ("doi = {10.5281/zenodo.1234567}", "author = {A. Keeper}", "snapshot drawn-"):
        assert word in page.text
    assert "https://doi.org/10.5281/zenodo.1234567" in page.addresses
    markdown = build_board(folder, "drawn").read_text()
    assert "(https://example.org/boards/boards/drawn.html)" in markdown


def test_a_site_made_again_touches_nothing_and_keeps_former_snapshots(
    copied: Path, tmp_path: Path
) -> None:
    folder, out = copied, tmp_path / "site"
    build_site(folder, out)
    first = times(out)
    build_site(folder, out)
    assert times(out) == first
    for path in (folder / "drawn").glob("single-*"):
        path.unlink()
    build_site(folder, out)
    assert not list(out.rglob("single*")), "what is no more is gone"
    assert len(list((out / "snapshots").iterdir())) == 2


def test_a_folder_of_somebody_else_is_not_written_over(boards: Path, tmp_path: Path) -> None:
    out = tmp_path / "home"
    out.mkdir()
    (out / "index.html").write_text("mine")
    with pytest.raises(UsageError, match=r"holds index\.html.*name an empty folder"):
        build_site(boards, out)
    assert [path.name for path in out.iterdir()] == ["index.html"]


def test_a_list_of_files_that_leads_elsewhere_removes_nothing_there(
    copied: Path, tmp_path: Path
) -> None:
    folder, out = copied, tmp_path / "site"
    build_site(folder, out)
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    known = json.loads((out / "site.json").read_text())
    write_json(out / "site.json", {**known, "files": ["../mine.txt", str(mine), "gone.html"]})
    build_site(folder, out)
    assert mine.read_text() == "mine"


def test_hostile_names_stay_texts_on_every_page(copied: Path, tmp_path: Path) -> None:
    folder = copied
    method = {"title": f"t{HOSTILE}", "saw_test_targets": False, "family": f"f{HOSTILE}"}
    scores = folder / "drawn" / "paper.json"
    paper = json.loads(scores.read_text())
    paper["entries"][1] |= {"method": HOSTILE, "source": HOSTILE, "remark": HOSTILE}
    write_json(scores, paper)
    draw_entry(folder, "given", 0.5, record={"method": method, "predictions": "external"})
    path = draw_entry(folder, "elsewhere", 0.2)
    found = read_result(path)
    protocol = found.protocol.model_copy(update={"id": f"../../../x/{HOSTILE}"})
    write_json(path, found.model_copy(update={"protocol": protocol}).to_json())
    out = build_site(folder, tmp_path / "site").index.parent
    inside = [*tmp_path.rglob("*.tex")]
    assert len(inside) == 2
    assert {each.parent for each in inside} == {out / "boards"}
    shown = 0
    for path in out.rglob("*.html"):
        page = _page(path)
        assert not [given for tag, given in page.tags if tag == "img"]
        shown += "onerror=alert(1)" in page.text
    assert shown >= 3, "the texts are there"


def test_a_metric_is_defined_once_with_each_of_its_signatures(site) -> None:
    for data in sorted((site / "boards").glob("*.json")):
        board = json.loads(data.read_text())
        text = data.with_suffix(".html").read_text()
        for track in board["tracks"]:
            columns = [column for table in track["tables"] for column in table["columns"]]
            metrics = {column["metric"] for column in columns}
            assert f"What the columns are: {len(metrics)} metrics" in text
            for signature in {column["signature"] for column in columns}:
                assert signature in unescape(text)
        defined = text.split('<dl class="definitions">')[1:]
        titles = [[part.split("</dt>")[0] for part in each.split("<dt>")[1:]] for each in defined]
        assert all(len(each) == len(set(each)) for each in titles)
        assert "lower is better." not in text
