"""What mkdocs calls: pages made from the code, and files beside docs/ that are pages too."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
import reference

ROOT = Path(__file__).resolve().parents[2]


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that no file of docs/ holds."""
    pages = {
        "reference/command-line.md": reference.command_line(),
        "reference/python.md": reference.python_interface(),
        "reference/metrics.md": reference.cards(
            "metrics", "Every metric", "What `i2ibench metrics NAME` prints."
        ),
        "reference/protocols.md": reference.cards(
            "protocols", "Every protocol", "What `i2ibench protocols NAME` prints."
        ),
        "design.md": (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
        "security.md": (ROOT / "SECURITY.md").read_text(encoding="utf-8"),
        "changes.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
    }
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Name files of the repository that are no pages, instead of linking to them."""
    out = r"\.\./" * (page.file.src_uri.count("/") + 1)
    return re.sub(rf"\[([^\]]*)\]\({out}([^)]*)\)", _named, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Keep words of commands whole, such as ``--dataset``: browsers break a line at a hyphen."""
    return re.sub(r"(?<=<code>)[^<\n]+(?=</code>)", _whole_words, html)


def _whole_words(code: re.Match[str]) -> str:
    return re.sub(r"\S*-\S{1,24}", r'<span class="word">\g<0></span>', code[0])


def _named(link: re.Match[str]) -> str:
    """Return the text of a link and, where it says another thing, the file."""
    text, file = link[1], link[2]
    return text if file.rstrip("/").endswith(text.strip("`")) else f"{text} (`{file}`)"
