"""Images out of tar shards and parquet: the same samples as from a folder, and what is wrong."""

import json
from pathlib import Path

import pytest
from mocks.archives import shard, table
from mocks.command import called, refused
from mocks.images import picture

from tokbench.bench import Job, open_bench
from tokbench.files import cache_dir
from tokbench.image.pictures import save_png
from tokbench.runner import evaluate
from tokbench.task import Task

COUNT = 5


def task(most: int = 2) -> Task:
    return Task("t", "", "image", "photos-mini", ["psnr", "ssim"], "psnr", shard_samples=most)


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Two shards, with a class of which nothing is said and notes for one."""
    files = {f"n{i}.png": save_png(picture(i, 24 + i, 32)) for i in range(COUNT)}
    files["n1.json"] = json.dumps({"faces": []}).encode()
    files["n1.cls"] = b"3"
    names = sorted(files)
    root = tmp_path / "shards"
    shard(root / "a-000.tar", {n: files[n] for n in names if n < "n3"})
    shard(root / "a-001.tar", {n: files[n] for n in names if n >= "n3"})
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "folder"
    root.mkdir()
    for i in range(COUNT):
        (root / f"n{i}.png").write_bytes(save_png(picture(i, 24 + i, 32)))
    return root


def scores(spec, data, out):
    record, _ = evaluate(Job(spec, task(), str(data)), out)
    return {s.name: (s.value, s.low, s.high) for s in record.scores}


def test_the_same_pictures_from_each(folder, shards, tmp_path):
    rows = [
        {"label": i, "img": {"bytes": save_png(picture(i, 24 + i, 32)), "path": f"n{i}.png"}}
        for i in range(COUNT)
    ]
    parquet = table(tmp_path / "hub" / "train.parquet", rows)
    expected = scores("jpeg:30", folder, tmp_path / "1")
    assert scores("jpeg:30", shards, tmp_path / "2") == expected
    assert scores("jpeg:30", parquet, tmp_path / "3") == expected


def test_names_notes_and_slices_in_any_order(shards):
    bench = open_bench(Job("identity", task(), str(shards)))
    pieces = [piece for shard in bench.source.plan(None) for piece in shard]
    assert sum(piece.count for piece in pieces) == COUNT and len(pieces) == 3
    for piece in (pieces[2], pieces[0], pieces[1], pieces[1]):
        batch = bench.source.read_media(piece)
        for sample, index in zip(batch.samples, batch.index.tolist(), strict=True):
            assert sample.name == f"n{index}" and sample.data.shape == (24 + index, 32, 3)
            assert sample.notes == ({"faces": []} if index == 1 else {})
    headers = list(bench.dataset.parts[0].headers())
    assert headers[4].name == "n4" and headers[4].size == (28, 32)


def test_a_picture_that_is_torn_fails_alone(tmp_path):
    content = {"a.png": save_png(picture(0)), "b.png": save_png(picture(1))[:80]}
    path = shard(tmp_path / "x" / "0.tar", content)
    record, _ = evaluate(Job("identity", task(), str(path)), tmp_path / "runs")
    [(cause, failure)] = record.failures.items()
    assert cause.startswith("read: not a readable picture") and failure.example == "b"
    assert record.score("psnr").n == 1


def test_annotations_and_names_of_a_manifest(tmp_path, monkeypatch):
    face = {"box": [1.0, 2.0, 9.0, 9.0]}
    rows = [{"image": save_png(picture(0)), "id": "x7", "faces": [face], "words": []}]
    table(tmp_path / "set" / "all.parquet", rows)
    manifest = tmp_path / "set.toml"
    manifest.write_text(
        'name = "set"\nversion = "1"\nmodality = "image"\ntitle = ""\ndescription = ""\n'
        'licence = ""\nreader = "image-parquet"\ndefault_split = "all"\n'
        '[fields]\nname = "id"\n[splits.all]\npath = "set"\n'
    )
    monkeypatch.setenv("TOKBENCH_DATA", str(tmp_path))
    bench = open_bench(Job("identity", task(), str(manifest)))
    [[piece]] = bench.source.plan(None)
    [sample] = bench.source.read_media(piece).samples
    assert sample.name == "x7" and sample.notes == {"faces": [face]}
    assert (sample.data == picture(0)).all()


def test_what_is_no_archive(tmp_path):
    whole = shard(tmp_path / "x" / "0.tar", {"a.png": save_png(picture(0))})
    content = whole.read_bytes()
    whole.write_bytes(content[:700])
    refused(called("eval", "identity", "--data", whole), "0.tar: not a readable tar")
    shard(whole, {"a.png": save_png(picture(0)), "a.json": b"[1]"})
    refused(called("eval", "identity", "--data", whole), "'a.json' is not an object")
    shard(whole, {"a.png": save_png(picture(0)), "a.jpg": save_png(picture(0))})
    refused(called("eval", "identity", "--data", whole), "'a' has two pictures: .png and .jpg")
    empty = table(
        tmp_path / "y" / "0.parquet", [{"image": {"bytes": None, "path": "elsewhere.png"}}]
    )
    refused(called("eval", "identity", "--data", empty), "row 0: 'image' holds no coded picture")


def test_text_parquet_is_still_text(tmp_path):
    path = table(tmp_path / "t" / "0.parquet", [{"text": "one"}, {"text": "two"}])
    refused(called("eval", "identity", "--data", path), "wants image data", "text")


def test_a_hub_set_is_fetched_once_as_a_shard(folder, tmp_path, monkeypatch):
    """The pictures' own bytes, in order; then the hub is not asked again."""
    rows = [
        {"img": {"bytes": (folder / f"n{i}.png").read_bytes(), "path": None}} for i in range(COUNT)
    ]
    table(tmp_path / "repository" / "train.parquet", rows)
    manifest = tmp_path / "set.toml"
    manifest.write_text(
        'name = "set"\nversion = "1"\nmodality = "image"\ntitle = ""\ndescription = ""\n'
        'licence = ""\nreader = "webdataset"\ndefault_split = "all"\n'
        f'[hub]\nrepo = "{tmp_path / "repository"}"\nimage = "img"\n'
        '[splits.all]\nhub_split = "train"\nlimit = 4\n'
    )
    monkeypatch.setenv("TOKBENCH_CACHE", str(tmp_path / "cache"))
    cache_dir.cache_clear()
    first = open_bench(Job("identity", task(9), str(manifest)))
    [[piece]] = first.source.plan(None)
    samples = first.source.read_media(piece).samples
    assert [sample.name for sample in samples] == ["000000", "000001", "000002", "000003"]
    assert (samples[3].data == picture(3, 27, 32)).all()
    (tmp_path / "repository").rename(tmp_path / "gone")
    again = open_bench(Job("identity", task(9), str(manifest)))
    assert again.dataset.fingerprint == first.dataset.fingerprint
