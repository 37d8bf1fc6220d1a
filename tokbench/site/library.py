"""DataTables, as the package `itables` carries it: a script and a style sheet for the pages."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path

from tokbench.errors import UserError

_EXPORT = re.compile(r"\bexport\s*\{([^{}]*)\};?(?=\s*(?:/\*|$))")
_JQUERY = re.compile(r"([\w$]+)\s+as\s+jQuery\b")


@cache
def _folder() -> Path:
    found = importlib.util.find_spec("itables")
    if found is None or found.origin is None:
        raise UserError("itables is not installed; pip install itables")
    return Path(found.origin).parent / "html"


@cache
def script() -> bytes:
    """The library as a classic script that leaves `DataTables.jQuery` behind. It comes as a module,
    which a browser does not load from a folder (file://)."""
    module = (_folder() / "dt_bundle.js").read_text(encoding="utf-8")
    export = _EXPORT.search(module)
    name = _JQUERY.search(export[1]) if export else None
    if export is None or name is None:
        raise UserError("itables: its DataTables is packed in another way than expected")
    body, licences = module[: export.start()], module[export.end() :]
    own = f'(() => {{"use strict";\n{body}\nwindow.DataTables = {{jQuery: {name[1]}}};\n}})();\n'
    return f"{own}{licences}".encode()


@cache
def style() -> bytes:
    """The library's style sheet."""
    return (_folder() / "dt_bundle.css").read_bytes()
