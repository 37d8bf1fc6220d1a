"""Constructs of JSON and of log lines, by plain lexical rules."""

from __future__ import annotations

import json
import re

VERSION = 1
"""Raised whenever a rule changes."""

JSON = ("key", "string", "number", "literal", "punctuation", "whitespace")
LOG = ("timestamp", "hex-id", "number", "word", "punctuation", "whitespace")

_JSON = re.compile(
    rb"""(?P<string>"(?:[^"\\]|\\.)*")(?P<colon>[ \t\r\n]*:)?"""
    rb"|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    rb"|(?P<literal>true|false|null)"
    rb"|(?P<punctuation>[\[\]{},:])",
    re.DOTALL,
)

_CLOCK = rb"[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?"
_ZONE = rb"(?:Z|[ ]?[+-][0-9]{2}:?[0-9]{2})?"
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_LOG = re.compile(
    rb"(?P<timestamp>[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}(?:[T ]" + _CLOCK + _ZONE + rb")?"
    rb"|[0-9]{2}/" + _MONTH + rb"/[0-9]{4}:" + _CLOCK + _ZONE + rb"|" + _MONTH + rb"[ ]{1,2}"
    rb"[0-9]{1,2}[ ]" + _CLOCK + rb"|" + _CLOCK + _ZONE + rb")"
    rb"|(?P<hex>0[xX][0-9a-fA-F]+"
    rb"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    rb"|(?<![0-9A-Za-z_])(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{7,}(?![0-9A-Za-z_]))"
    rb"|(?P<number>[0-9]+(?:\.[0-9]+)*)"
    rb"|(?P<word>[A-Za-z_\x80-\xff]+)"
    rb"|(?P<punctuation>[!-/:-@\[-^`{-~])"
)

Leaves = list[tuple[int, int, int]]
"""(start, stop, construct number) in bytes, in order."""


def json_leaves(raw: bytes) -> Leaves | None:
    """Strings that a colon follows are keys; None where the text is not JSON."""
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        return None
    leaves: Leaves = []
    for found in _JSON.finditer(raw):
        kind = found.lastgroup
        if kind == "colon":
            leaves.append((*found.span("string"), JSON.index("key")))
            leaves.append((found.end() - 1, found.end(), JSON.index("punctuation")))
        else:
            leaves.append((*found.span(), JSON.index(str(kind))))
    return leaves


def log_leaves(raw: bytes) -> Leaves:
    """Time stamps, then hexadecimal ids (0x…, UUIDs, seven or more digits with letter and
    figure), then numbers (dotted ones, so versions and IPv4 addresses, too), then words."""
    kinds = {"timestamp": 0, "hex": 1, "number": 2, "word": 3, "punctuation": 4}
    return [(*m.span(), kinds[str(m.lastgroup)]) for m in _LOG.finditer(raw)]
