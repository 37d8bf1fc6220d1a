"""JSON as programs write it: records of six kinds, from a fixed seed."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable
from typing import Any

from tokbench.parts import ListedPart, Part

RECORDS = 150
"""Records of each kind."""

_FIRST = "Amina Bruno Chloé Deniz Elif Fatou Goran Hana Ivo Jun Kofi Lena Mateo Noor Olga".split()
_LAST = "Aydın Brandt Castro Dvořák Eze Fischer García Haddad Ito Jansen Kaya Lindqvist".split()
_CITIES = [
    ("Izmir", 38.42, 27.14),
    ("Porto", 41.15, -8.61),
    ("Osaka", 34.69, 135.50),
    ("Nairobi", -1.29, 36.82),
    ("Lima", -12.05, -77.04),
    ("Tallinn", 59.44, 24.75),
]
_GOODS = "desk lamp,steel bottle,wool blanket,USB-C cable,paper notebook,rain jacket".split(",")
_SERVICES = "billing checkout inventory mailer search sessions uploads".split()
_TOOLS = ("get_weather", "search_documents", "send_email", "create_event", "run_query")
_NOTES = (
    "Ring twice.",
    'Said "later"; call back',
    "Line one\nline two",
    "Path C:\\temp\\new",
    "50 % off, today only",
    "Gruß aus Köln",
    "保証期間は一年です",
    "tab\tseparated",
)


def _person(rng: random.Random) -> tuple[str, str]:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    plain = f"{first}.{last}".lower().encode("ascii", "ignore").decode()
    return f"{first} {last}", f"{plain}@mail.example"


def _moment(rng: random.Random) -> str:
    day = f"{rng.randint(2019, 2031)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    clock = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
    return f"{day}T{clock}Z"


def _id(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _user(rng: random.Random) -> Any:
    name, mail = _person(rng)
    city, north, east = rng.choice(_CITIES)
    return {
        "id": rng.randrange(1, 10**6), "uuid": _id(rng), "name": name, "email": mail,
        "active": rng.random() < 0.8, "roles": rng.sample(["admin", "editor", "viewer"], 2),
        "address": {"city": city, "postalCode": f"{rng.randrange(10**5):05}"},
        "location": {"lat": north, "lon": east}, "lastLogin": _moment(rng),
        "referredBy": rng.choice([None, _id(rng)]),
    }  # fmt: skip


def _order(rng: random.Random) -> Any:
    lines: list[dict[str, Any]] = [
        {"sku": f"{rng.choice('ABC')}-{rng.randrange(10**4):04}", "title": rng.choice(_GOODS),
         "quantity": rng.randint(1, 9), "unit_price": round(rng.uniform(1, 250), 2)}
        for _ in range(rng.randint(1, 4))
    ]  # fmt: skip
    total = round(sum(line["quantity"] * line["unit_price"] for line in lines), 2)
    return {
        "order_id": f"ORD-{rng.randrange(10**8):08}", "created_at": _moment(rng), "lines": lines,
        "currency": rng.choice(["EUR", "TRY", "USD", "JPY"]), "total": total,
        "paid": rng.random() < 0.9, "note": rng.choice([*_NOTES, None]),
    }  # fmt: skip


def _event(rng: random.Random) -> Any:
    return {
        "ts": rng.randrange(1_550_000_000_000, 1_930_000_000_000), "type": rng.choice(
            ["page_view", "click", "add_to_cart", "search", "error"]),
        "session": f"{rng.getrandbits(64):016x}", "properties": {
            "path": f"/{rng.choice(_SERVICES)}/{rng.randrange(10**4)}",
            "duration_ms": rng.randrange(4000), "viewport": [rng.choice([360, 768, 1440]), 900],
            "score": rng.choice([rng.random(), 1e-7 * rng.randrange(99), -rng.random()]),
        },
    }  # fmt: skip


def _tool_call(rng: random.Random) -> Any:
    city = rng.choice(_CITIES)[0]
    arguments = {"query": rng.choice([*_GOODS, *_NOTES]), "city": city, "limit": rng.randint(1, 50)}
    call = {"name": rng.choice(_TOOLS), "arguments": json.dumps(arguments, ensure_ascii=False)}
    return {
        "role": "assistant", "content": None, "tool_calls": [
            {"id": f"call_{rng.getrandbits(96):024x}", "type": "function", "function": call}],
    }  # fmt: skip


def _schema(rng: random.Random) -> Any:
    kinds = ["string", "integer", "number", "boolean"]
    names = rng.sample(["name", "limit", "offset", "userId", "start_date", "tags", "isOpen"], 4)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
        "title": f"{rng.choice(_SERVICES)} request", "required": names[:2],
        "additionalProperties": False, "properties": {
            name: {"type": rng.choice(kinds), "description": rng.choice(_NOTES)} for name in names},
    }  # fmt: skip


def _settings(rng: random.Random) -> Any:
    return {
        service: {"enabled": rng.random() < 0.7, "replicas": rng.randint(1, 12),
                  "image": f"registry.example/{service}:{rng.randint(0, 9)}.{rng.randint(0, 30)}.0",
                  "env": {"LOG_LEVEL": rng.choice(["debug", "info", "warn"]),
                          "TIMEOUT_SECONDS": str(rng.choice([5, 30, 120]))},
                  "ports": sorted(rng.sample(range(8000, 8100), 2))}
        for service in rng.sample(_SERVICES, 3)
    }  # fmt: skip


_KINDS: dict[str, tuple[Callable[[random.Random], Any], int | None]] = {
    "users": (_user, None),
    "orders": (_order, 2),
    "events": (_event, None),
    "tool-calls": (_tool_call, None),
    "schemas": (_schema, 2),
    "settings": (_settings, 4),
}
"""How each kind is made, and the blanks of a level of indentation (None: one line)."""


def json_records() -> list[Part]:
    """150 records of six kinds; users, events and tool calls on one line, orders, schemas and
    settings indented; half of the events and tool calls without blanks, a third with `\\u`
    escapes."""
    parts: list[Part] = []
    for kind, (make, indent) in _KINDS.items():
        rng = random.Random(f"json-records {kind}")
        texts = []
        for number in range(RECORDS):
            tight = indent is None and kind != "users" and number % 2 == 0
            texts.append(
                json.dumps(
                    make(rng),
                    indent=indent,
                    ensure_ascii=number % 3 == 0,
                    separators=(",", ":") if tight else None,
                )
            )
        parts.append(ListedPart(kind, texts))
    return parts
