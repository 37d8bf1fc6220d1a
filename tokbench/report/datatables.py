"""DataTables as the package `itables` carries it, made into a classic script."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tokbench.errors import UserError
from tokbench.files import read_bytes

_EXPORTS = re.compile(r"\bexport\s*\{([^{}]*)\}\s*;?")
_NAME = re.compile(r"([\w$]+)(?:\s+as\s+([\w$]+))?")


@cache
def script() -> str:
    """The bundle as a script that sets `window.DataTables.jQuery`, safe inside `<script>`.

    Pages opened from a disk may not load modules, so the bundle's one `export` becomes an
    assignment. Raises `UserError` where the bundle is not what is expected.
    """
    path = _folder() / "dt_bundle.js"
    return classic(read_bytes(path).decode("utf-8"), str(path))


def style() -> bytes:
    """Its style sheet."""
    return read_bytes(_folder() / "dt_bundle.css")


def _folder() -> Path:
    found = find_spec("itables")
    if found is None or not found.submodule_search_locations:
        raise UserError("itables is not installed; pip install itables")
    return Path(found.submodule_search_locations[0]) / "html"


def classic(module: str, where: str) -> str:
    """A module with one `export {…}` of jQuery as a classic script; see `script`."""
    exports = _EXPORTS.findall(module)
    names = {
        found[2] or found[1]: found[1]
        for part in (exports[0].split(",") if len(exports) == 1 else [])
        if (found := _NAME.fullmatch(part.strip()))
    }
    if "jQuery" not in names:
        raise UserError(
            f"{where}: has no single export of jQuery as in itables 2.9; "
            "install that version to write reports"
        )
    body = _EXPORTS.sub(lambda _: f";window.DataTables={{jQuery:{names['jQuery']}}};", module)
    # What would end or nest the script element; both stand in strings and patterns only.
    body = re.sub(r"</(?=script)", r"<\\/", body, flags=re.IGNORECASE).replace("<!--", r"<\!--")
    return f"(function(){{{body}\n}})();"
