"""Pages of a site, in the browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def browser(browser: Callable[..., Any]) -> Callable[..., Any]:
    """`browser(site, "tasks/x.html", width=390, dark=True)` gives playwright's page."""

    def opened(site: Path, path: str, width: int = 1280, dark: bool = False) -> Any:
        return browser(site / path, folder=site, width=width, dark=dark)

    return opened
