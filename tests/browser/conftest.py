"""A real browser, or a reason why not; pages are opened from the disk, as users open them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# The first that is there is taken; without any, playwright's own.
_NAMES = ("chromium", "chromium-browser", "google-chrome")
SIZES = {"desktop": (1400, 900), "phone": (390, 844)}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium; skipped where there is none, unless I2IBENCH_BROWSER=needed says to fail."""
    needed = os.environ.get("I2IBENCH_BROWSER") == "needed"
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        if needed:
            raise
        pytest.skip("playwright is not installed: pip install playwright")
    with sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, _NAMES)), None)
        try:
            # Without a user of its own, as in a container, Chromium cannot build its sandbox.
            started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except Error as error:
            if needed:
                raise
            pytest.skip(f"no Chromium (playwright install chromium): {str(error).splitlines()[0]}")
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """A function that opens a file at a size; whatever its console complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def opened(path: Path, state: str = "", size: str = "desktop", **more: Any) -> Any:
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("file:", "data:"))
                else complaints.append(f"asked for {request.url}")
            ),
        )
        page.goto(path.resolve().as_uri() + state)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def serious_faults() -> Callable[[Any], list[str]]:
    """A function that lets axe look through a page; returns what is serious or critical."""
    pytest.importorskip("axe_playwright_python", reason="pip install axe-playwright-python")
    from axe_playwright_python.sync_playwright import Axe

    def look(page: Any) -> list[str]:
        # axe is handed to the page from outside, which its policy does not forbid; what axe would
        # fetch for its look at stylesheets, it does.
        found = Axe().run(page, options={"preload": False}).response["violations"]
        return [
            f"{each['id']}: {each['nodes'][0]['html'][:200]}"
            for each in found
            if each["impact"] in {"serious", "critical"}
        ]

    return look
