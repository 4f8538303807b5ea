"""The page of a study: it knows names of images and what to ask, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from i2ibench.web.page import data_block, render_page, write_page

IMAGES = "images"


def write_study_page(folder: Path, study: str, page: Mapping[str, Any]) -> Path:
    """Write ``index.html`` and its assets; ``page`` is what the key holds under that name."""
    ratings = sum(map(len, page["ratings"]))
    preferences = sum(map(len, page["preferences"]))
    html = render_page(
        "study.html.j2",
        title="Reader study",
        study=study,
        level_name=page["level_name"],
        ratings=ratings,
        preferences=preferences,
        data=data_block("study", {"id": study, "images": f"{IMAGES}/", **page}),
    )
    return write_page(folder, html, ["study.css", "study.js"])
