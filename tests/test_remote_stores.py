"""Files and folders behind URLs, on a web server and in stores: the numbers of those here."""

from __future__ import annotations

import functools
import io
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import fsspec
import pyarrow as pa
import pytest
from mocks.archives import shard
from mocks.command import called, refused
from mocks.evidence import make_task
from mocks.hub import DATASET, Hub
from mocks.jobs import METRICS, SPECS, job, numbers
from pyarrow import parquet

from tokbench import remote
from tokbench.bench import Job
from tokbench.dataset import open_dataset
from tokbench.remote_folders import below
from tokbench.runner import evaluate


def files_below(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def of(data: str | Path, modality: str = "text") -> Job:
    metrics = METRICS[modality] if modality != "text" else ["counts", "bytes-per-token"]
    shards = {"shard_samples": {"text": 400, "image": 4, "audio": 2}[modality]}
    spec = SPECS[modality] if modality != "text" else "bytes"
    return Job(spec, make_task(metrics, modality=modality, **shards), str(data))


def without_place(found: Any) -> dict[str, Any]:
    """The numbers, without what the place's own hash goes into."""
    left = numbers(found)
    for name in ("key", "signature", "evidence"):
        left.pop(name)
    left["about"] = found.about.tokenizer, found.about.task, found.about.dataset.samples
    return left


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Pictures in folders, hidden files, notes of one."""
    job(tmp_path, "image")
    folder = tmp_path / "image-data"
    (folder / "below").mkdir()
    (folder / "05.png").rename(folder / "below" / "a b.png")
    shutil.copy(folder / "06.png", folder / ".hidden.png")
    (folder / "LICENCE.txt").write_text("mine")
    noted = {"name": "below/a b", "words": [{"text": "word", "box": [0, 0, 9, 9]}]}
    (folder / "annotations.jsonl").write_text(json.dumps(noted))
    return folder


# A plain web server


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *given: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: extra remote")
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_folder_on_a_web_server(web: str, tmp_path: Path, pictures: Path) -> None:
    here, _ = evaluate(of(pictures, "image"), tmp_path / "here")
    far, _ = evaluate(of(f"{web}/image-data/", "image"), tmp_path / "far")
    assert without_place(far) == without_place(here)
    assert "a b.png" in {path.name for path in pictures.rglob("*")}
    before = open_dataset(f"{web}/image-data/").fingerprint
    (pictures / "07.png").write_bytes((pictures / "08.png").read_bytes())
    assert open_dataset(f"{web}/image-data/").fingerprint != before  # no tags: by content


def test_a_web_folder_that_is_not_there(web: str, tmp_path: Path) -> None:
    eval_ = ("eval", "bytes", "--task", "text", "--out", tmp_path / "runs", "--data")
    refused(called(*eval_, f"{web}/none/"), "/none/: cannot be listed: ")


def test_one_picture_by_its_url(web: str, pictures: Path) -> None:
    part = open_dataset(f"{web}/image-data/06.png").parts[0]
    [header] = part.headers()
    assert header.name == "06"


# A store with folders, in memory


def test_a_folder_in_a_store_gives_the_same_samples(tmp_path: Path, pictures: Path) -> None:
    store = fsspec.filesystem("memory")
    for name, content in files_below(pictures).items():
        store.pipe(f"/pictures/{name}", content)
    far, here = (open_dataset(str(place)).parts[0] for place in ("memory://pictures", pictures))
    assert list(far.headers()) == list(here.headers())
    pairs = zip(far.items, here.items, strict=True)
    for a, b in ((x.load(), y.load()) for x, y in pairs):
        assert (a.name, a.notes, a.data.tolist()) == (b.name, b.notes, b.data.tolist())
    assert far.fingerprint() == here.fingerprint()  # it gives no tags, so both are by content
    store.rm("/pictures", recursive=True)


def test_a_folder_is_listed_once(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = fsspec.filesystem("memory")
    for name, content in files_below(pictures).items():
        store.pipe(f"/once/{name}", content)
    asked: list[str] = []
    entries = remote.RemotePath.entries

    def watched(self: remote.RemotePath, folder: str) -> list[dict[str, Any]]:
        asked.append(folder)
        return entries(self, folder)

    monkeypatch.setattr(remote.RemotePath, "entries", watched)
    assert open_dataset("memory://once").modality == "image"
    assert asked == ["/once", "/once/below"]
    open_dataset("memory://once")
    assert len(asked) == 4  # another time it may hold something else
    store.rm("/once", recursive=True)


def test_a_web_folder_is_not_read_for_a_plan(
    web: str, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokbench.glance.FILES", 1000)
    assert open_dataset(str(pictures), glance=True).fingerprint
    monkeypatch.setattr("tokbench.remote_folders.content", lambda path: [][1])
    (pictures / "annotations.jsonl").unlink()
    assert open_dataset(f"{web}/image-data/", glance=True).fingerprint == ""


def test_notes_of_a_file_that_is_not_there(pictures: Path, tmp_path: Path) -> None:
    store = fsspec.filesystem("memory")
    store.pipe("/few/a.png", (pictures / "06.png").read_bytes())
    store.pipe("/few/annotations.jsonl", b'{"name": "ab"}')
    eval_ = ("eval", SPECS["image"], "--task", "image", "--out", tmp_path / "runs", "--data")
    refused(called(*eval_, "memory://few"), "annotations.jsonl: no file 'ab'", "'a'?")
    store.rm("/few", recursive=True)


# Stores of objects, and the hub


class Store(NamedTuple):
    """A folder of a store: its URL, and how a file gets there."""

    url: str
    put: Callable[[str, bytes], object]


@pytest.fixture(scope="module")
def s3() -> Iterator[Store]:
    """A server that speaks S3."""
    server_of = pytest.importorskip("moto.server", reason="moto is not installed: moto[s3], flask")
    pytest.importorskip("s3fs", reason="s3fs is not installed: extra remote")
    server = server_of.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.get_host_and_port()[1]}")
        patch.setenv("AWS_ACCESS_KEY_ID", "one")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "two")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        fs = fsspec.filesystem("s3")
        fs.mkdir("corpus")
        yield Store("s3://corpus", lambda name, content: fs.pipe(f"corpus/{name}", content))
    server.stop()
    fs.clear_instance_cache()


@pytest.fixture(scope="module")
def gs() -> Iterator[Store]:
    """A server that speaks as Google's does."""
    server_of = pytest.importorskip(
        "gcp_storage_emulator.server", reason="gcp-storage-emulator is not installed"
    )
    core = pytest.importorskip("gcsfs.core", reason="gcsfs is not installed: extra remote")
    server = server_of.create_server("127.0.0.1", 0, in_memory=True, default_bucket="corpus")
    server.start()
    port = server._api._httpd.socket.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        patch.setitem(fsspec.config.conf, "gs", {"token": "anon"})
        # Not the class that asks by gRPC first what kind of bucket it is: the server has none.
        fsspec.register_implementation("gs", core.GCSFileSystem, clobber=True)
        fs = fsspec.filesystem("gs", token="anon")
        yield Store("gs://corpus", lambda name, content: fs.pipe(f"corpus/{name}", content))
    server.stop()
    fs.clear_instance_cache()


@pytest.fixture(scope="module")
def hf() -> Iterator[Store]:
    """A server that speaks as the hub does."""
    hub = Hub()
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(fsspec.config.conf, "hf", {"endpoint": hub.url})
        yield Store(f"hf://datasets/{DATASET}", hub.files.__setitem__)
    hub.shutdown()
    fsspec.get_filesystem_class("hf").clear_instance_cache()


@pytest.fixture(scope="module", params=["s3", "gs", "hf"])
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(request.param)
    return found


LINES = [f"line {number} sätır {number * number}" for number in range(1200)]


def _parquet() -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table({"text": LINES}), file, row_group_size=500)
    return file.getvalue()


def _tar(folder: Path, pictures: Path) -> bytes:
    names = {path.name: path.read_bytes() for path in sorted(pictures.glob("*.png"))}
    return shard(folder / "made.tar", names).read_bytes()


@pytest.mark.parametrize("name", ["a.txt", "a.parquet", "a.tar"])
def test_a_file_in_a_store_gives_the_record_of_the_same_file(
    name: str, store: Store, tmp_path: Path, pictures: Path
) -> None:
    content = {
        "a.txt": lambda: "\n".join(LINES).encode(),
        "a.parquet": _parquet,
        "a.tar": lambda: _tar(tmp_path, pictures),
    }[name]()
    remote.kept_open.cache_clear()
    store.put(name, content)
    (tmp_path / name).write_bytes(content)
    modality = "image" if name == "a.tar" else "text"
    here, _ = evaluate(of(tmp_path / name, modality), tmp_path / "here")
    far, _ = evaluate(of(f"{store.url}/{name}", modality), tmp_path / "far")
    assert numbers(far) == numbers(here)


@pytest.mark.parametrize("modality", ["image", "audio"])
def test_a_folder_in_a_store(modality: str, store: Store, tmp_path: Path) -> None:
    job(tmp_path, modality)
    folder = tmp_path / f"{modality}-data"
    for name, content in files_below(folder).items():
        store.put(f"{modality}/{name}", content)
    here, _ = evaluate(of(folder, modality), tmp_path / "here")
    url = f"{store.url}/{modality}"
    far, _ = evaluate(of(url, modality), tmp_path / "far")
    assert without_place(far) == without_place(here)
    before = open_dataset(url).fingerprint
    assert open_dataset(url + "/").fingerprint == before
    store.put(f"{modality}/zz.txt", b"not a sample")
    assert open_dataset(url).fingerprint == before
    first = min(files_below(folder))
    store.put(f"{modality}/{first}", b"another")
    assert open_dataset(url).fingerprint != before


def test_nothing_is_read_to_know_a_folder(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(tmp_path, "image")
    for name, content in files_below(tmp_path / "image-data").items():
        store.put(f"unread/{name}", content)
    monkeypatch.setattr("tokbench.remote_folders.content", lambda path: [][1])
    dataset = open_dataset(f"{store.url}/unread")
    assert len(dataset.fingerprint) == 64
    sizes = [piece.size for piece in dataset.parts[0].slices(0, 4, 1 << 20, None)]
    assert sum(sizes) == 16 * dataset.parts[0].size()


def test_folders_are_listed_in_order(store: Store) -> None:
    names = ["b.png", "a/2.png", "a/1.png", "a.png", "a-b/3.png", "a/x/4.png"]
    for name in names:
        store.put(f"order/{name}", b"x")
    found = [entry.path for entry in below(remote.located(f"{store.url}/order"))]
    assert sorted(found) == sorted(names)
    assert found == [str(path) for path in sorted(map(Path, names))]


def test_what_is_wrong_is_one_line(store: Store, tmp_path: Path) -> None:
    eval_ = ("eval", "bytes", "--task", "text", "--out", tmp_path / "runs", "--data")
    refused(called(*eval_, f"{store.url}/none.txt"), "none.txt: nothing is there")
    refused(called(*eval_, f"{store.url}-none/a.txt"), "-none/a.txt: nothing is there")
    scheme = store.url.partition("/")[0]
    refused(called(*eval_, f"{scheme}//"), f"{scheme}//: ")


def test_no_credentials_is_one_line(
    s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put("a.txt", b"text")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    eval_ = ("eval", "bytes", "--task", "text", "--out", tmp_path / "runs", "--data")
    refused(called(*eval_, f"{s3.url}/a.txt"), "Unable to locate credentials (set AWS_PROFILE")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
