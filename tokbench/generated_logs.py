"""Log lines as servers write them: six kinds, from a fixed seed."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable

from tokbench.parts import ListedPart, Part

LINES = 300
"""Samples of each kind; a stack trace of several lines is one."""

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_HOSTS = ("web-01", "web-02", "db-primary", "cache-7", "ip-10-0-3-17")
_PATHS = ("/api/v1/users/{n}", "/login", "/static/app.{h}.js", "/search?q=desk+lamp&page={n}",
          "/orders/{u}/items", "/healthz", "/", "/api/v2/uploads/{h}")  # fmt: skip
_AGENTS = ("curl/8.5.0", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
           "python-requests/2.32.3", "kube-probe/1.30")  # fmt: skip
_CLASSES = ("OrderService", "SessionStore", "PaymentGateway", "MailQueue", "IndexWriter")
_PACKAGE = "com.shop.core"
_SAYS = ("connection refused", "retrying in {n} ms", "cache miss for key user:{n}",
         "accepted connection from {ip}:{n}", "closing idle session {u}", "took {n} ms",
         "wrote {n} bytes to /var/lib/data/{h}.seg", "checksum mismatch: expected {h}",
         "user {n} logged in", "rate limit exceeded for {ip}", "GC pause 0.{n} s")  # fmt: skip


def _filled(text: str, rng: random.Random) -> str:
    return text.format(
        n=rng.randrange(1, 10 ** rng.randint(1, 6)),
        h=f"{rng.getrandbits(40):010x}",
        u=uuid.UUID(int=rng.getrandbits(128), version=4),
        ip=_address(rng),
    )


def _address(rng: random.Random) -> str:
    start = rng.choice(["192.0.2", "198.51.100", "203.0.113"])  # reserved for documentation
    return f"{start}.{rng.randint(1, 254)}"


def _clock(rng: random.Random) -> str:
    return f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"


def _day(rng: random.Random) -> tuple[int, int, int]:
    return rng.randint(2020, 2031), rng.randint(1, 12), rng.randint(1, 28)


def _iso(rng: random.Random) -> str:
    year, month, day = _day(rng)
    return f"{year}-{month:02}-{day:02}T{_clock(rng)}.{rng.randrange(1000):03}Z"


def _access(rng: random.Random) -> str:
    year, month, day = _day(rng)
    when = f"{day:02}/{_MONTHS[month - 1]}/{year}:{_clock(rng)} +0000"
    verb = rng.choice(["GET", "GET", "GET", "POST", "DELETE"])
    asked = f"{verb} {_filled(rng.choice(_PATHS), rng)} HTTP/1.1"
    status, size = rng.choice([200, 200, 200, 301, 404, 500, 503]), rng.randrange(200_000)
    who = f"{_address(rng)} - {rng.choice(['-', 'deniz', 'olga'])}"
    return f'{who} [{when}] "{asked}" {status} {size} "-" "{rng.choice(_AGENTS)}"'


def _syslog(rng: random.Random) -> str:
    _, month, day = _day(rng)
    program = rng.choice(["sshd", "systemd", "kernel", "cron", "postfix/smtpd"])
    said = _filled(rng.choice(_SAYS), rng)
    where = f"{rng.choice(_HOSTS)} {program}[{rng.randrange(1, 65536)}]"
    return f"{_MONTHS[month - 1]} {day:>2} {_clock(rng)} {where}: {said}"


def _application(rng: random.Random) -> str:
    year, month, day = _day(rng)
    when = f"{year}-{month:02}-{day:02} {_clock(rng)},{rng.randrange(1000):03}"
    level = rng.choice(["INFO ", "DEBUG", "WARN ", "ERROR"])
    thread = rng.choice(["main", f"http-nio-8080-exec-{rng.randint(1, 50)}", "scheduler-1"])
    said = _filled(rng.choice(_SAYS), rng)
    return f"{when} {level} [{thread}] {_PACKAGE}.{rng.choice(_CLASSES)} - {said}"


def _logfmt(rng: random.Random) -> str:
    level, said = rng.choice(["info", "warn", "error"]), _filled(rng.choice(_SAYS), rng)
    trace = f"trace_id={rng.getrandbits(128):032x} span_id={rng.getrandbits(64):016x}"
    cost = f"duration_ms={rng.uniform(0, 900):.3f} attempt={rng.randint(1, 5)}"
    return f'ts={_iso(rng)} level={level} msg="{said}" {trace} {cost}'


def _container(rng: random.Random) -> str:
    year, month, day = _day(rng)
    letter = rng.choice("IWE")
    when = f"{letter}{month:02}{day:02} {_clock(rng)}.{rng.randrange(10**6):06}"
    pod = f"{rng.choice(['api', 'worker'])}-{rng.getrandbits(40):010x}-{rng.getrandbits(20):05x}"
    what = rng.choice(["Started container", "Back-off restarting failed container", "Pulled image"])
    where = f"{rng.choice(['pod_workers', 'kubelet', 'scheduler'])}.go:{rng.randint(20, 1999)}"
    return f'{when} {rng.randint(1, 9999):>7} {where}] "{what}" pod="default/{pod}" year={year}'


def _trace(rng: random.Random) -> str:
    kind = rng.choice(["IllegalStateException", "SocketTimeoutException", "NullPointerException"])
    frames = [
        f"\tat {_PACKAGE}.{name}.{rng.choice(['run', 'flush', 'handle'])}"
        f"({name}.java:{rng.randint(10, 900)})"
        for name in rng.sample(_CLASSES, rng.randint(2, 4))
    ]
    return "\n".join([f"{_iso(rng)} ERROR {kind}: {_filled(rng.choice(_SAYS), rng)}", *frames])


_KINDS: dict[str, Callable[[random.Random], str]] = {
    "access": _access,
    "syslog": _syslog,
    "application": _application,
    "logfmt": _logfmt,
    "container": _container,
    "stack-traces": _trace,
}


def server_logs() -> list[Part]:
    """300 samples of each kind: web access, syslog, an application's log, key=value pairs,
    containers, stack traces. Addresses are those reserved for documentation."""
    parts: list[Part] = []
    for kind, make in _KINDS.items():
        rng = random.Random(f"server-logs {kind}")
        parts.append(ListedPart(kind, [make(rng) for _ in range(LINES)]))
    return parts
