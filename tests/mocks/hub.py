"""A server that answers for one dataset as the Hugging Face Hub does, as far as reading goes."""

from __future__ import annotations

import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

DATASET = "someone/corpus"
COMMIT = "c" * 40


class Hub(ThreadingHTTPServer):
    """files: of the dataset, by path; those of `LARGE` formats lie in large-file storage."""

    LARGE = (".parquet", ".tar")

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.files: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def entry(self, path: str) -> dict[str, Any] | None:
        """What is said of a file or folder."""
        if path in self.files:
            content = self.files[path]
            found = {
                "type": "file", "path": path, "size": len(content),
                "oid": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
            }  # fmt: skip
            if path.endswith(self.LARGE):
                oid = hashlib.sha256(content).hexdigest()
                found["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 134}
            return found
        if any(name.startswith(f"{path}/") for name in self.files):
            return {"type": "directory", "path": path, "size": 0, "oid": "0" * 40}
        return None

    def tree(self, folder: str, recursive: bool) -> list[dict[str, Any]] | None:
        """What lies in a folder."""
        above = f"{folder}/" if folder else ""
        below = [name for name in self.files if name.startswith(above)]
        folders = {
            str(parent) for name in below for parent in PurePosixPath(name).parents[:-1]
            if str(parent).startswith(above) and str(parent) != folder
        }  # fmt: skip
        found = sorted(folders | set(below))
        if not recursive:
            found = [path for path in found if "/" not in path[len(above) :]]
        return [self.entry(path) or {} for path in found] if below else None


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        path, asked = unquote(place.path), parse_qs(place.query)
        if found := re.fullmatch(rf"/api/datasets/{DATASET}/tree/[^/]+/?(.*)", path):
            tree = self.server.tree(found[1], asked.get("recursive") == ["True"])
            self._json(tree) if tree is not None else self._nothing("EntryNotFound")
        elif re.fullmatch(rf"/api/datasets/{DATASET}(/revision/main)?", path):
            self._json({"id": DATASET, "sha": COMMIT, "private": False, "tags": []})
        elif found := re.fullmatch(rf"/datasets/{DATASET}/resolve/[^/]+/(.*)", path):
            content = self.server.files.get(found[1])
            self._file(content) if content is not None else self._nothing("EntryNotFound")
        else:
            self._nothing("RepoNotFound")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        entries = [self.server.entry(path.rstrip("/")) for path in asked.get("paths", [])]
        self._json([entry for entry in entries if entry])

    def _json(self, found: Any) -> None:
        self._send(200, json.dumps(found).encode(), {"Content-Type": "application/json"})

    def _nothing(self, code: str) -> None:
        self._send(404, b"{}", {"X-Error-Code": code, "X-Error-Message": code})

    def _file(self, content: bytes) -> None:
        said = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not said:
            return self._send(200, content, {})
        first, last = int(said[1]), min(int(said[2] or len(content)), len(content) - 1)
        if first >= len(content):
            return self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        part = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        return self._send(206, content[first : last + 1], part)

    def _send(self, code: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *given: object) -> None:
        pass
