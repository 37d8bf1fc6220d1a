"""`tokbench eval --plan`: what a run would take, and that nothing happens."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
import time
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from mocks.command import called, files_in, refused
from mocks.evidence import make_task
from pyarrow import parquet

from tokbench import downloads
from tokbench.bench import Job
from tokbench.commands.plan import duration
from tokbench.cost import _bits_reversed, estimate
from tokbench.dataset import open_dataset
from tokbench.registry import METRICS
from tokbench.specs import load_tokenizer
from tokbench.task import MetricUse, load_task

SLEEPER = """
import time
from tokbench.tokenizers.text.baselines import Bytes

class Sleeper(Bytes):
    name = "sleeper"

    def encode(self, batch):
        time.sleep(sum(map(len, batch)) * 2e-5)
        return super().encode(batch)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("TOKBENCH_DATA", "")
    monkeypatch.setattr("tokbench.cost.BUDGET", 0.3)
    (tmp_path / "own_sleeper.py").write_text(SLEEPER)
    (tmp_path / "text.txt").write_text("a line of thirty characters...\n" * 5000)
    return tmp_path


def planned(*arguments: object) -> list[dict]:
    done = called("eval", *arguments, "--plan", "--format", "json")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)["plan"]


def test_a_plan_counts_what_the_run_would_see_and_leaves_nothing(here: Path) -> None:
    before = files_in(here)
    (found,) = planned("bytes", "--data", "text.txt")
    assert (found["samples"], found["size"], found["shards"]) == (5000, 155_000, 1)
    assert (found["state"], found["downloads"], found["workers"]) == ("new", [], 1)
    assert found["seconds"] > 0
    assert found["memory"] > 10
    assert set(found["parts"]) == {"read", "encode", "decode", "measure", "start", "finish"}
    assert files_in(here) == before
    (record,) = json.loads(
        called("eval", "bytes", "--data", "text.txt", "--format", "json").out
    )["records"]  # fmt: skip
    assert record["about"]["dataset"]["samples"] == found["samples"]
    (after,) = planned("bytes", "--data", "text.txt")
    assert after["state"] == "finished"
    assert "nothing is left to do" in after["note"]


def test_large_data_is_not_read_for_a_plan(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokbench.glance.LARGE", 100_000)
    monkeypatch.setattr("tokbench.glance.BUDGET", 0.0)
    lines = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(40_000)]
    (here / "set").mkdir()
    for name in ("eng_Latn", "tur_Latn"):
        (here / "set" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    (here / "rows.jsonl").write_text("".join(json.dumps({"text": x}) + "\n" for x in lines))
    (here / "rows.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode(), 1))
    parquet.write_table(pa.table({"text": lines}), here / "rows.parquet")
    monkeypatch.setattr("tokbench.files._sha256_file", lambda path: [][1])
    size = sum(map(len, lines))
    for name, groups in (("set", 2), ("rows.jsonl", 1), ("rows.txt.gz", 1), ("rows.parquet", 1)):
        monkeypatch.setattr("tokbench.dataset._same_length", lambda parts: [][1])
        (found,) = planned("bytes", "--data", name)
        assert "estimated from" in found["note"]
        assert found["state"] == "new"
        assert found["samples"] == pytest.approx(groups * len(lines), rel=0.2)
        assert found["size"] == pytest.approx(groups * size, rel=0.2)
        assert found["shards"] == pytest.approx(groups * 2, abs=1)
        assert found["seconds"] > 0
    (few,) = planned("bytes", "--data", "rows.jsonl", "--limit", "9")
    assert few["samples"] == 9


def test_a_large_set_with_a_manifest_is_known_by_it(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokbench.glance.LARGE", 1)
    monkeypatch.setattr("tokbench.glance.FILES", 1)
    whole, glance = (open_dataset("parallel-mini", glance=glance) for glance in (False, True))
    assert glance.fingerprint == whole.fingerprint
    (found,) = planned("bytes", "--task", "parallel-mini")
    assert found["data"] == whole.label


@pytest.mark.parametrize(
    ("metric", "option", "source"),
    [
        ("t-acc", {"probe": "easyocr"}, "craft_mlt_25k.zip"),
        ("f-sim", {"probe": "insightface"}, "antelopev2.zip"),
        ("lpips", {"net": "squeeze"}, "squeezenet1_1-b8a52dc0.pth"),
        ("frechet-distance", {"features": "dinov2-vit-s-14"}, "dinov2_vits14_pretrain.pth"),
        ("cmmd", {}, "ViT-L-14-336px.pt"),
        ("wer", {"recogniser": "openai/whisper-nothing"}, "hub openai/whisper-nothing"),
        ("speaker-similarity", {"probe": "no-one/no-voice"}, "hub no-one/no-voice"),
        ("utmos", {}, "a TorchScript file of your own"),
    ],
)
def test_weights_of_every_probe_are_named(
    metric: str,
    option: dict[str, str],
    source: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if metric in ("frechet-distance", "cmmd"):
        pytest.importorskip("torch_fidelity", reason="torch-fidelity is not installed: extra fid")
    monkeypatch.setattr("tokbench.probes.weights.found", lambda name, digest="": None)
    monkeypatch.setenv("HOME", str(tmp_path))
    modality = METRICS.table[metric].modality
    found = downloads.of_the_task(make_task([MetricUse(metric, option)], modality=modality))
    assert any(each.source.endswith(source) for each in found[metric])


def test_the_limit_is_that_of_the_run(here: Path) -> None:
    (found,) = planned("bytes", "--data", "text.txt", "--limit", "7")
    assert found["samples"] == 7


def test_the_time_goes_with_the_tokenizer_and_is_about_right(here: Path) -> None:
    started = time.monotonic()
    (found,) = planned("own_sleeper:Sleeper", "--data", "text.txt")
    assert time.monotonic() - started < 15
    # 150,000 characters at 20 µs each sleep for 3 s; the rest is what the machine takes.
    assert 2.7 < found["parts"]["encode"] < 6
    began = time.monotonic()
    called("eval", "own_sleeper:Sleeper", "--data", "text.txt")
    real = time.monotonic() - began
    assert real / 3 < found["seconds"] < 3 * real + 3


def test_more_workers_take_less_time_and_more_memory(here: Path) -> None:
    tokenizer = load_tokenizer("own_sleeper:Sleeper")
    task = msgspec.structs.replace(load_task("text"), shard_samples=500)
    job = Job("own_sleeper:Sleeper", task, "text.txt")
    one = estimate(job, here, 1, tokenizer)
    many = estimate(job, here, 8, tokenizer)
    assert (one.shards, many.shards) == (10, 10)
    assert many.memory > 2 * one.memory
    assert many.seconds < one.seconds + one.parts["start"] + 4


def test_what_is_not_here_is_named_and_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request.urlopen", lambda *a, **k: [][1])
    monkeypatch.setenv("TOKBENCH_WEIGHTS", "")
    monkeypatch.setattr("tokbench.probes.weights.found", lambda name, digest="": None)
    (found,) = planned("bytes", "--task", "premium-flores200")
    (data,) = found["downloads"]
    assert data["source"].endswith("flores200_dataset.tar.gz")
    assert (found["seconds"], found["shards"]) == (None, None)
    assert "the data is not here" in found["note"]
    (found,) = planned("bytes", "--data", "fineweb-2")
    assert found["downloads"][0]["source"].startswith("hub ")
    assert found["downloads"][0]["size"] is None
    (found,) = planned("jpeg:50", "--task", "imagenet-256")
    kinds = {each["what"]: each for each in found["downloads"]}
    assert "Register" in kinds["data"]["why"]
    assert kinds["weights"]["size"] > 90e6
    out = called("eval", "jpeg:50", "--task", "imagenet-256", "--plan").out
    assert out.count("to download: ") == 2


def test_a_tokenizer_on_the_hub_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokbench.hub.require_hub", lambda *a: [][1])
    (found,) = planned("hf:no-one/nothing-of-that-name", "--task", "parallel-mini")
    assert [each["source"] for each in found["downloads"]] == ["hub no-one/nothing-of-that-name"]
    assert found["seconds"] is None


def test_metrics_without_their_weights_are_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("PIL", reason="images need Pillow")
    monkeypatch.setattr("tokbench.probes.weights.found", lambda name, digest="": None)
    task = msgspec.structs.replace(load_task("photos-mini"), metrics=["psnr", "lpips"])
    found = estimate(Job("jpeg:50", task, "photos-mini"), Path(), 1, load_tokenizer("jpeg:50"))
    assert found.note == "without lpips, whose weights are not here"
    assert [each.what for each in found.downloads] == ["weights"]
    assert found.seconds > 0


def test_the_table_sums_up(here: Path) -> None:
    done = called("eval", "bytes", "codepoints", "--data", "text.txt", "--plan", "--workers", "2")
    assert (done.code, done.err) == (0, "")
    assert "nothing to download" in done.out
    assert "in all on 2 processes of this machine" in done.out
    alone = called("eval", "bytes", "codepoints", "--data", "text.txt", "--plan")
    assert "in all on 1 process of this machine" in alone.out
    csv = called("eval", "bytes", "--data", "text.txt", "--plan", "--format", "csv").out
    assert csv.startswith("tokenizer,task,state,shards,samples,MB,seconds,MiB,download,note\n")


def test_every_entry_of_the_cost_table_is_about_something_there_is() -> None:
    from tokbench.manifest import load_manifest

    table = downloads.costs()
    for name in table["data"]:
        manifest, split = name.split(":")
        assert split in load_manifest(manifest).splits
    for entry in table["weights"]:
        assert set(entry["metrics"]) <= set(METRICS)
        assert "folder" in entry or "why" in entry or entry["url"].endswith(entry["file"])


def test_slices_are_tried_from_all_over_the_data() -> None:
    for count in (1, 2, 5, 16, 33):
        order = list(_bits_reversed(count))
        assert sorted(order) == list(range(count))
    assert list(_bits_reversed(8))[:4] == [0, 4, 2, 6]


def test_a_large_archive_without_pictures_is_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokbench.glance.LARGE", 0)
    with tarfile.open(here / "own.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("a.bin"))
    refused(called("eval", "jpeg:75", "--data", "own.tar", "--plan"), "the dataset is empty")


def test_durations() -> None:
    texts = [duration(seconds) for seconds in (3.21, 118, 600, 6840, 18_000, 700_000, 9e8)]
    assert texts == ["3.2 s", "118 s", "10 min", "114 min", "5 h", "8.1 d", "10,417 d"]
    assert duration(None) == "—"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("eval bytse --plan", "did you mean 'bytes'?"),
        ("eval bytes --plan --data nowhere.txt", "no file, folder or dataset of that name"),
        ("eval bytes --plan --task premium-flores20", "did you mean 'premium-flores200'?"),
        ("eval bytes --pln", "did you mean '--plan'?"),
    ],
)
def test_bad_input_gets_one_line(arguments: str, message: str) -> None:
    refused(called(*arguments.split()), message)
