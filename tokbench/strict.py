"""Strict decoding of TOML and JSON: unknown keys and wrong types name their place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tokbench.errors import UserError, near
from tokbench.files import read_bytes

T = TypeVar("T")

_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`(?: - at `\$\.?(.*)`)?$")
_PLACED = re.compile(r"(.*?) - at `\$\.?(.*)`$")


def load_toml(path: Path, kind: type[T]) -> T:
    """Decode a TOML file into the struct `kind`.

    Raises `UserError` with file, place and near match:
    `tasks/text/x.toml: metrics[2]: no key 'nmae'; did you mean 'name'?`
    """
    import tomllib

    try:
        table = tomllib.loads(read_bytes(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid TOML: {error}") from error
    return convert(table, kind, str(path))


def load_json(content: bytes, kind: type[T], where: str) -> T:
    """Decode JSON bytes into the struct `kind`; errors as in `load_toml`."""
    try:
        return msgspec.json.decode(content, type=kind)
    except RecursionError as error:
        raise UserError(f"{where}: not valid JSON: nested too deep") from error
    except msgspec.ValidationError as error:
        raise UserError(_explain(error, kind, where)) from error
    except msgspec.DecodeError as error:
        raise UserError(f"{where}: not valid JSON: {error}") from error


def convert(value: Any, kind: type[T], where: str) -> T:
    """Decode plain Python data into the struct `kind`; errors as in `load_toml`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UserError(_explain(error, kind, where)) from error


def _explain(error: msgspec.ValidationError, kind: type, where: str) -> str:
    message = str(error)
    if unknown := _UNKNOWN.match(message):
        name, place = unknown.groups()
        hint = near(name, _field_names(kind))
        return f"{where}: {place + ': ' if place else ''}no key '{name}'{hint}"
    if placed := _PLACED.match(message):
        text, place = placed.groups()
        return f"{where}: {place}: {text[:1].lower() + text[1:]}"
    return f"{where}: {message[:1].lower() + message[1:]}"


def _field_names(kind: Any) -> set[str]:
    """The keys of a struct and of every struct nested in it."""
    names: set[str] = set()
    waiting, seen = [msgspec.inspect.type_info(kind)], set()
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in seen:
                continue
            seen.add(info.cls)
            names.update(field.encode_name for field in info.fields)
            waiting.extend(field.type for field in info.fields)
        for part in ("item_type", "key_type", "value_type"):
            if hasattr(info, part):
                waiting.append(getattr(info, part))
        for part in ("item_types", "types"):
            waiting.extend(getattr(info, part, ()))
    return names
