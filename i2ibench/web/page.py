"""What every page shares: templates that escape what they are given, one look, data for scripts.

A page is a folder: ``index.html`` and beside it ``assets/``. It opens from the disk, from any web
server and without scripts, and asks nothing of another address.
"""

from __future__ import annotations

import importlib.resources
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from i2ibench import provenance
from i2ibench.escaping import visible
from i2ibench.files import write_bytes

ASSETS = "assets"
# "file:" beside 'self': opened from the disk, a page has no origin of its own, and Firefox then
# lets 'self' stand for nothing.
POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; "
    "img-src 'self' file: data:; base-uri 'none'; form-action 'none'"
)
_ALWAYS = ("page.css", "page.js")


def render_page(
    template: str, *, assets: str = f"{ASSETS}/", package: str = "i2ibench.web", **context: Any
) -> str:
    """Return the HTML of a page; ``template`` extends ``page.html.j2``.

    Every text is escaped, and what it holds of unseen characters is made visible, unless it is
    ``Markup``.

    Args:
        template: a file in ``templates/`` of ``package``.
        assets: where the stylesheet lies, seen from the page, with a final slash.
        package: whose templates are looked at first; those of ``i2ibench.web`` follow.
        context: what the template names; ``title`` always, ``sections`` (anchor and name) for the
            contents.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(each) for each in dict.fromkeys((package, "i2ibench.web"))]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_seen,
    )
    shared = {
        "sections": (),
        "policy": POLICY,
        "version": provenance.package_version("i2ibench"),
    }
    given = {**shared, **context, "assets": assets}
    return environment.get_template(template).render(given)


def write_page(
    folder: Path, html: str, scripts: Sequence[str] = (), name: str = "index.html"
) -> Path:
    """Write a page with its stylesheet and scripts; the page last, and only what has changed.

    Args:
        folder: of the page.
        html: its content.
        scripts: further files of ``i2ibench/web/assets``.
        name: of the page's file.
    """
    write_assets(folder / ASSETS, scripts)
    page = folder / name
    write_if_changed(page, html.encode("utf-8"))
    return page


def write_assets(folder: Path, scripts: Sequence[str] = ()) -> None:
    """Write the stylesheet, the script that all pages share, and further ``scripts``."""
    source = importlib.resources.files("i2ibench.web") / "assets"
    for name in (*_ALWAYS, *scripts):
        write_if_changed(folder / name, (source / name).read_bytes())


def write_if_changed(path: Path, content: bytes) -> None:
    """Write a file atomically, unless it holds these bytes: a page made again touches nothing."""
    if not path.is_file() or path.read_bytes() != content:
        write_bytes(path, content)


def data_block(name: str, value: Any) -> Markup:
    """Return JSON for a script as ``<script type="application/json" id=name>``.

    Nothing in it can end the block; texts are made visible as in HTML, and a number that JSON has
    not is null, or the text ``"inf"`` or ``"-inf"``.
    """
    text = json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup('<script type="application/json" id="{}">{}</script>').format(
        name,
        Markup(text),  # noqa: S704 - escaped above, as JSON is
    )


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {visible(str(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def _seen(value: Any) -> Any:
    """Make what the eye cannot see in a text visible; lines stay lines, markup stays as it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "\n".join(map(visible, value.split("\n")))
    return value
