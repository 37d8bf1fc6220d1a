"""Data that is there at once: made from installed packages, the machine itself, or a seed."""

from __future__ import annotations

import random
import re
import sys
import sysconfig
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tokbench.files import builtin
from tokbench.parts import ListedPart, Part, StreamPart
from tokbench.readers import Found, binary

MOST_OF_TERRITORIES = 0.9
"""Share of the territories a CLDR locale must name to be used."""


def read(found: Found, fields: dict[str, str]) -> list[Part]:
    """The reader of generated sets; their parts come from the manifest's `generator`."""
    return []


def cldr_names() -> list[Part]:
    """Territory and language names in every CLDR locale of `babel` that names over 90 % of
    the territories: parallel text in about 160 languages, one name a sample.

    Groups are FLORES codes: language by `cldr-codes.tsv`, script by CLDR's likely subtags.
    """
    from babel import Locale, localedata

    rows = (builtin("data_manifests") / "embedded" / "cldr-codes.tsv").read_text(encoding="utf-8")
    codes = dict(line.split("\t") for line in rows.splitlines()[1:])
    english = Locale("en")
    territories = sorted(str(t) for t in english.territories if re.fullmatch("[A-Z]{2}", str(t)))
    keys = [("territories", t) for t in territories]
    keys += [("languages", code) for code in sorted(english.languages) if "_" not in code]
    parts: dict[str, Part] = {}
    for identifier in sorted(localedata.locale_identifiers()):
        pieces = identifier.split("_")
        if len(pieces) > 2 or (len(pieces) == 2 and len(pieces[1]) != 4):
            continue  # regional variants repeat their language
        locale = Locale.parse(identifier)
        named = {"territories": locale.territories, "languages": locale.languages}
        known = sum(1 for t in territories if t in named["territories"])
        if known <= MOST_OF_TERRITORIES * len(territories):
            continue
        group = _flores_code(identifier, codes)
        names = [
            (number, name)
            for number, (kind, key) in enumerate(keys)
            if (name := named[kind].get(key))
        ]
        if group not in parts:
            parts[group] = ListedPart(group, [n for _, n in names], [i for i, _ in names])
    return [parts[group] for group in sorted(parts)]


def _flores_code(identifier: str, codes: dict[str, str]) -> str:
    from babel.core import get_global

    language, _, script = identifier.partition("_")
    if not script:
        likely = get_global("likely_subtags").get(language, "")
        script = next((piece for piece in likely.split("_")[1:] if len(piece) == 4), "Latn")
    return f"{codes.get(language, language)}_{script}"


_STDLIB_LEFT_OUT = {
    "site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "turtledemo",
    "ensurepip", "tkinter", "__pycache__", "encodings", "pydoc_data",
}  # fmt: skip


def python_stdlib() -> list[Part]:
    """Source code of the running interpreter's standard library, one module a sample; tests,
    generated tables and demonstrations left out."""
    root = Path(sysconfig.get_path("stdlib"))
    paths = [
        path
        for path in sorted(root.rglob("*.py"))
        if not _STDLIB_LEFT_OUT & set(path.relative_to(root).parts)
    ]

    def iterate(path: Path) -> Iterator[str]:
        with tokenize.open(path) as file:  # honours the coding line
            yield file.read()

    return [StreamPart("", paths, iterate)]


def executables() -> list[Part]:
    """This machine's own binaries as bytes: the interpreter and its extension modules, the
    first 256 KiB of each, four MiB together."""
    interpreter = Path(sys.executable).resolve()
    modules = Path(sysconfig.get_path("stdlib")) / "lib-dynload"
    paths = [interpreter, *sorted(p for p in modules.glob("*") if p.is_file())]
    chosen, room = [], 4 << 20
    for path in paths:
        if path.is_file() and room > 0:
            chosen.append(("", path))
            room -= min(path.stat().st_size, 256 << 10)
    return binary(chosen, {"most": str(256 << 10)})


NUMBERS = 500
"""Samples of each kind of number."""


def numbers() -> list[Part]:
    """Numbers as people and programs write them, 500 of each kind, seeded."""
    rng = random.Random(20250101)

    def whole(digits: int) -> int:
        return rng.randrange(10 ** (digits - 1), 10**digits)

    def separated(value: int, separator: str) -> str:
        return f"{value:,}".replace(",", separator)

    kinds = {
        "integers": lambda: str(whole(rng.randint(1, 12))),
        "separated": lambda: separated(
            whole(rng.randint(4, 12)), rng.choice([",", ".", " ", "\u202f", "'"])
        ),
        "decimals": lambda: f"{rng.uniform(0, 1000):.{rng.randint(1, 8)}f}",
        "scientific": lambda: f"{rng.uniform(-9.99, 9.99):.{rng.randint(1, 6)}e}",
        "dates": lambda: rng.choice(["{y:04}-{m:02}-{d:02}", "{d}.{m}.{y}", "{m}/{d}/{y}"]).format(
            y=rng.randint(1800, 2100), m=rng.randint(1, 12), d=rng.randint(1, 28)
        ),
        "times": lambda: f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}",
        "hexadecimal": lambda: f"0x{whole(rng.randint(4, 16)):x}",
        "arithmetic": lambda: (
            f"{(a := whole(rng.randint(1, 6)))} + {(b := whole(rng.randint(1, 6)))} = {a + b}"
        ),
    }
    return [ListedPart(kind, [make() for _ in range(NUMBERS)]) for kind, make in kinds.items()]
