"""Data behind URLs: the numbers of the same file here, read where it is measured."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
import zstandard
from mocks.command import called, refused
from mocks.evidence import make_task
from mocks.images import picture
from mocks.jobs import METRICS, numbers
from PIL import Image
from pyarrow import parquet

from tokbench import remote
from tokbench.bench import Job
from tokbench.dataset import open_dataset
from tokbench.errors import MissingExtra
from tokbench.runner import evaluate

pytest.importorskip("aiohttp", reason="aiohttp is not installed: extra remote")
LINES = [f"line {number} sätır {number * number}" for number in range(1200)]


class Server(ThreadingHTTPServer):
    """A store: files by path, with tags and ranges; counts the bytes that it has given."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.tag, self.given, self.breaks = "one", 0, False

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def _answer(self, body: bool) -> None:
        content = self.server.files.get(self.path.removeprefix("/"))
        if content is None or (body and self.server.breaks):
            self.send_response(404 if content is None else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        span = self.headers.get("Range", "").removeprefix("bytes=")
        if span:
            first, _, last = span.partition("-")
            stop = min(int(last) + 1 if last else len(content), len(content))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{stop - 1}/{len(content)}")
            content = content[int(first) : stop]
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{self.server.tag}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.server.given += len(content)
            self.wfile.write(content)

    def log_message(self, *given: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    remote.kept_open.cache_clear()
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def _parquet() -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table({"text": LINES}), file, row_group_size=500)
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for number in range(34):
            coded = io.BytesIO()
            Image.fromarray(picture(number)).save(coded, "png")
            member = tarfile.TarInfo(f"{number:03}.png")
            member.size = len(coded.getvalue())
            tar.addfile(member, io.BytesIO(coded.getvalue()))
    return file.getvalue()


TEXT = "\n".join(LINES).encode()
JSON_LINES = "".join(json.dumps({"text": line}) + "\n" for line in LINES).encode()
FILES = {
    "a.txt": lambda: TEXT,
    "a.txt.gz": lambda: gzip.compress(TEXT),
    "a.jsonl.zst": lambda: zstandard.compress(JSON_LINES),
    "a.parquet": _parquet,
    "a.tar": _tar,
}


def of(data: str | Path, shard_samples: int = 400) -> Job:
    modality = "image" if str(data).endswith(".tar") else "text"
    metrics = METRICS["image"] if modality == "image" else ["counts", "bytes-per-token"]
    spec = "mocks.images:Levels" if modality == "image" else "bytes"
    made = make_task(metrics, modality=modality, shard_samples=shard_samples)
    return Job(spec, made, str(data))


@pytest.mark.parametrize("name", FILES)
def test_a_url_gives_the_record_of_the_same_file(name: str, server: Server, tmp_path: Path) -> None:
    server.files[name] = FILES[name]()
    (tmp_path / name).write_bytes(server.files[name])
    here, _ = evaluate(of(tmp_path / name), tmp_path / "here")
    far, path = evaluate(of(server.url(name)), tmp_path / "far")
    assert numbers(far) == numbers(here)
    refused_why = called("submit", path, "--to", tmp_path / "board")
    assert refused_why.code == 2


def test_workers_read_for_themselves(server: Server, tmp_path: Path) -> None:
    server.files["a.txt"] = TEXT
    alone, _ = evaluate(of(server.url("a.txt")), tmp_path / "alone")
    server.given = 0
    spread, _ = evaluate(of(server.url("a.txt")), tmp_path / "spread", workers=2)
    assert numbers(spread) == numbers(alone)
    assert server.given >= 2 * len(TEXT)  # each has hashed it too


def test_slices_of_one_file_are_not_fetched_twice(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["a.txt"] = text = TEXT * 10
    monkeypatch.setattr(remote, "HASHED", 0)
    evaluate(of(server.url("a.txt"), shard_samples=20_000), tmp_path / "runs")
    assert server.given <= 2 * len(text)  # once for the plan, once to measure


def test_large_files_are_known_by_their_tag(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["a.txt"] = TEXT
    by_content = open_dataset(server.url("a.txt")).fingerprint
    assert server.given >= len(TEXT)
    monkeypatch.setattr(remote, "HASHED", 0)
    found = []
    for tag in ("one", "one", "two"):
        server.given, server.tag = 0, tag
        found.append(open_dataset(server.url("a.txt")).fingerprint)
        assert server.given == 0
    assert found[0] == found[1]
    assert len({by_content, *found}) == 3


def test_memory_and_file_urls(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    memory = fsspec.filesystem("memory")
    for name, text in (("eng_Latn.txt", b"one\ntwo\n"), ("tur_Latn.txt", b"bir\niki\n")):
        (tmp_path / "set" / name).write_bytes(text)
        memory.pipe(f"/set/{name}", text)
    far, here = (open_dataset(str(place)) for place in ("memory://set", tmp_path / "set"))
    assert (far.fingerprint, far.groups, far.parallel) == (here.fingerprint, here.groups, True)
    assert open_dataset(f"file://{tmp_path}/set").fingerprint == here.fingerprint


def test_what_cannot_be_read_is_one_line(server: Server, tmp_path: Path) -> None:
    eval_ = ("eval", "bytes", "--task", "text", "--out", tmp_path / "runs", "--data")
    refused(called(*eval_, server.url("none.txt")), "none.txt: nothing is there")
    refused(called(*eval_, "nosuch://a/b.txt"), "nosuch://a/b.txt: cannot be reached: ")
    refused(called(*eval_, "http://127.0.0.1:9/a.txt"), "http://127.0.0.1:9/a.txt")
    server.files["a.txt"] = TEXT
    refused(called(*eval_, server.url("a.txt"), "--split", "dev"), "--split dev", "no splits")
    server.files["a.mp4"] = b"x"
    refused(called(*eval_, server.url("a.mp4")), "videos behind a URL are not read")
    server.breaks = True
    refused(called(*eval_, server.url("a.txt")), "a.txt: cannot read: 503")


def test_a_scheme_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    known = sys.modules["fsspec.registry"]._registry  # those that were imported before
    monkeypatch.delitem(known, "s3", raising=False)
    with pytest.raises(MissingExtra, match=r"s3fs.*pip install 'tokbench\[remote\]'"):
        remote.located("s3://bucket/key.txt")
