"""A browser for the tests of pages: Debian's chromium, driven by playwright."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Opened = Callable[..., Any]

POINTS = """cells => cells.map(cell => {
  const text = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT).nextNode();
  const range = document.createRange(), point = text.data.indexOf('.');
  range.setStart(text, 0);
  range.setEnd(text, point < 0 ? text.length : point);
  return Math.round(2 * range.getBoundingClientRect().right) / 2; })"""
"""Where the decimal point of each cell is, or would be."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless browser, started once; without one the test is skipped."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium here: this test opens a page")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, headless=True, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def browser(chromium: Any) -> Iterator[Opened]:
    """Open a file: `browser(path, width=390, dark=True)` gives playwright's page. The test fails
    on an error in its console, on a dialog and on a request for anything but files of the page's
    folder (or of `folder`)."""
    contexts, wrong = [], []

    def heard(message: Any) -> None:
        if message.type in ("error", "warning"):
            wrong.append(f"console: {message.text}")

    def asked(request: Any, folder: Path) -> None:
        if not request.url.startswith((folder.as_uri(), "data:", "blob:")):
            wrong.append(f"request: {request.url[:200]}")

    def opened(
        path: Path, folder: Path | None = None, width: int = 1280, height: int = 900,
        dark: bool = False,
    ) -> Any:  # fmt: skip
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        root = (folder or path.parent).resolve()
        page.on("console", heard)
        page.on("dialog", lambda dialog: wrong.append("a dialog opened") or dialog.dismiss())
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("request", lambda request: asked(request, root))
        page.goto(path.resolve().as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []
