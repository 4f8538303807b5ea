"""What every page shares: texts of others stay texts, nothing comes from another address."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest
from factories import times

from i2ibench.web.page import data_block, render_page, write_page

HOSTILE = "</script><script>alert(1)</script>&\u202e\x1b[2J"


def test_a_page_asks_nothing_of_another_address(tmp_path: Path) -> None:
    page = write_page(tmp_path, render_page("page.html.j2", title="a page"))
    text = page.read_text(encoding="utf-8")
    for address in re.findall(r'(?:href|src)="([^"]*)"', text):
        assert address.startswith(("#", "data:")) or (tmp_path / address).is_file()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_text(encoding="utf-8")
        assert "//" not in re.sub(r"^\s*//.*$|; // .*$", "", content, flags=re.MULTILINE)


def test_nothing_inline_runs(tmp_path: Path) -> None:
    html = render_page("page.html.j2", title="a page")
    assert "unsafe-inline" not in html
    assert "script-src 'self'" in unescape(html)
    assert not re.search(r"<style|style=|\son\w+=", html)
    assert all(re.match(r"<script src=", each) for each in re.findall(r"<script.*?>", html))


def test_a_hostile_title_stays_text() -> None:
    html = render_page("page.html.j2", title=HOSTILE, sections=[("a", HOSTILE)])
    assert "alert(1)</script>" not in html
    assert "\u202e" not in html
    assert "\x1b" not in html


@pytest.mark.parametrize("value", [HOSTILE, {HOSTILE: [HOSTILE]}, "<!--<script>", "]]>"])
def test_nothing_in_data_ends_its_block(value: object) -> None:
    block = data_block("pairs", value)
    inner = re.fullmatch(r'<script type="application/json" id="pairs">(.*)</script>', str(block))
    assert inner is not None
    assert not set("<>&\u202e\x1b") & set(inner[1])
    json.loads(inner[1])


def test_numbers_that_json_has_not_are_told_apart() -> None:
    text = str(data_block("x", [float("nan"), float("inf"), -float("inf"), 1.5]))
    assert '[null,"inf","-inf",1.5]' in text


def test_a_page_made_again_touches_nothing(tmp_path: Path) -> None:
    html = render_page("page.html.j2", title="a page")
    write_page(tmp_path, html)
    first = times(tmp_path)
    write_page(tmp_path, html)
    assert times(tmp_path) == first
