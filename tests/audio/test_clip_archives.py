"""Clips out of tar shards and parquet: the same samples as from a folder, and what is wrong."""

import io
import json
from pathlib import Path

import pyarrow as pa
import pytest
import soundfile
from mocks.archives import shard, table
from mocks.clips import murmur
from mocks.command import called, refused
from pyarrow import parquet

from tokbench.archives import in_parquet
from tokbench.bench import Job, open_bench
from tokbench.runner import evaluate
from tokbench.task import Task

COUNT = 5


def task(most: int = 2) -> Task:
    return Task("t", "", "audio", "tones-mini", ["si-sdr"], "si-sdr", shard_samples=most)


def flac(number: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, murmur(number, 8000, 0.3 + number / 100).T, 8000, format="FLAC")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "folder"
    root.mkdir()
    said = []
    for i in range(COUNT):
        (root / f"n{i}.flac").write_bytes(flac(i))
        said.append({"name": f"n{i}", "transcript": f"words {i}", "speaker": str(i % 2)})
    (root / "annotations.jsonl").write_text("".join(json.dumps(one) + "\n" for one in said))
    return root


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Two shards: words in a text file or by the name that hub sets give them."""
    root = tmp_path / "shards"
    files: dict[str, bytes] = {}
    for i in range(COUNT):
        files[f"n{i}.flac"] = flac(i)
        said: dict[str, object] = {"speaker_id": i % 2, "text": f"words {i}"}
        if i < 2:
            files[f"n{i}.txt"] = f"words {said.pop('text')[6:]}\n".encode()  # type: ignore[index]
        files[f"n{i}.json"] = json.dumps(said).encode()
    shard(root / "0.tar", {n: c for n, c in files.items() if n < "n3"})
    shard(root / "1.tar", {n: c for n, c in files.items() if n >= "n3"})
    return root


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    rows = [
        {
            "audio": {"bytes": flac(i), "path": f"n{i}.flac"},
            "text": f"words {i}",
            "speaker_id": i % 2,
            "id": f"n{i}",
        }
        for i in range(COUNT)
    ]
    return table(tmp_path / "hub" / "train.parquet", rows)


def samples(data: Path) -> list[tuple[str, int, list[float], str, str]]:
    bench = open_bench(Job("pcm", task(), str(data)))
    pieces = [piece for one in bench.source.plan(None) for piece in one]
    batches = [bench.source.read_media(piece) for piece in pieces]
    assert all(piece.size for piece in pieces) and len(pieces) == 3
    return [
        (s.name, s.rate, s.data.ravel().tolist(), s.notes["transcript"], s.notes["speaker"])
        for batch in batches
        for s in batch.samples
        if s.data is not None
    ]


def scores(data: Path, out: Path, most: int = 2) -> dict[str, tuple[float | None, ...]]:
    record, _ = evaluate(Job("mulaw:8", task(most), str(data)), out)
    return {s.name: (s.value, s.low, s.high) for s in record.scores}


def test_the_same_clips_from_each(folder: Path, shards: Path, hub: Path, tmp_path: Path) -> None:
    expected = samples(folder)
    assert len(expected) == COUNT and expected[4][3:] == ("words 4", "0")
    assert samples(shards) == expected
    assert [one[1:] for one in samples(hub)] == [one[1:] for one in expected]
    first = scores(folder, tmp_path / "1")
    assert first["si-sdr"][0] is not None
    assert scores(shards, tmp_path / "2") == first == scores(hub, tmp_path / "3")


def test_one_shard_is_many(shards: Path, tmp_path: Path) -> None:
    assert scores(shards, tmp_path / "1", 1) == scores(shards, tmp_path / "9", 9)


def test_fields_of_a_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"wav": flac(0), "id": "x7", "said": "a b"}, {"wav": flac(1), "id": "x8", "said": None}]
    table(tmp_path / "set" / "all.parquet", rows)
    manifest = tmp_path / "set.toml"
    whole = (
        'name = "set"\nversion = "1"\nmodality = "audio"\ntitle = ""\ndescription = ""\n'
        'licence = ""\nreader = "audio-parquet"\ndefault_split = "all"\n[fields]\naudio = "wav"\n'
        'name = "id"\ntranscript = "said"\nlanguage = "tr"\n[splits.all]\npath = "set"\n'
    )
    manifest.write_text(whole)
    monkeypatch.setenv("TOKBENCH_DATA", str(tmp_path))
    bench = open_bench(Job("pcm", task(), str(manifest)))
    [[piece]] = bench.source.plan(None)
    first, second = bench.source.read_media(piece).samples
    assert first.name == "x7" and first.notes == {"transcript": "a b", "language": "tr"}
    assert second.notes == {"language": "tr"}
    manifest.write_text(whole.replace('"said"', '"sad"'))
    refused(called("eval", "pcm", "--data", manifest), "no column 'sad'", "did you mean 'said'")


def test_a_clip_that_is_torn_fails_alone(tmp_path: Path) -> None:
    path = shard(tmp_path / "0.tar", {"a.flac": flac(0), "b.flac": b"none", "c.flac": b"one"})
    record, _ = evaluate(Job("pcm", task(), str(path)), tmp_path / "runs")
    [(cause, failure)] = record.failures.items()
    assert cause.startswith("read: not a readable clip") and failure.example == "b"
    assert failure.count == 2 and " at 0x" not in cause
    score = record.score("si-sdr")
    assert score is not None and score.n == 1


def test_what_is_refused(tmp_path: Path) -> None:
    path = shard(tmp_path / "0.tar", {"a.flac": flac(0), "a.wav": flac(0)})
    refused(called("eval", "pcm", "--data", path), "'a' has two clips: .flac and .wav")
    shard(path, {"a.flac": flac(0), "a.txt": b"\xff"})
    refused(called("eval", "pcm", "--data", path), "'a.txt' is not UTF-8")
    other = table(tmp_path / "y.parquet", [{"audio": {"bytes": None, "path": "b.flac"}}])
    refused(called("eval", "pcm", "--data", other), "row 0: 'audio' holds no coded clip")


def test_the_hub_says_what_a_column_holds(tmp_path: Path) -> None:
    rows = pa.Table.from_pylist([{"x": {"bytes": b"", "path": ""}}])
    for kind, expected in (("Audio", "audio"), ("Image", "image"), ("Value", "image")):
        said = json.dumps({"info": {"features": {"x": {"_type": kind}}}})
        path = tmp_path / "x.parquet"
        parquet.write_table(rows.replace_schema_metadata({"huggingface": said}), path)
        assert in_parquet(path) == (expected, "x")
