"""`tokbench bench`: what is timed, what is said of it, what is refused. Never how fast."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from mocks.command import called, refused

from tokbench.results import device_memory, peak_memory
from tokbench.throughput import measure
from tokbench.throughput.inputs import ADVERSARIAL, Corpus, corpora
from tokbench.throughput.isolated import Isolated, Lane, Raised, TooLong
from tokbench.throughput.measure import Settings, Timing, _growth, timings
from tokbench.throughput.spread import exponent, median, quantile, ratio

QUICK = ("--repeats", "2", "--limit", "2", "--threads", "1", "--cap", "0.4", "--batch", "1,2")
SLOW = """
import os
import time
from multiprocessing import parent_process
import numpy as np
from tokbench.tokenizers.text.baselines import Bytes

class Quadratic(Bytes):
    name = "quadratic"

    def encode(self, batch):
        time.sleep(sum(len(text.encode()) ** 2 for text in batch) * 2e-8)
        return super().encode(batch)

class Stuck(Bytes):
    name = "stuck"

    def encode(self, batch):
        if any(len(text) > 2000 for text in batch):
            time.sleep(600)
        return super().encode(batch)

class Fragile(Bytes):
    name = "fragile"

    def encode(self, batch):
        if any("two" in text for text in batch):
            raise ValueError("cannot say two")
        return super().encode(batch)

class Deadly(Bytes):
    name = "deadly"

    def decode(self, codes):
        if parent_process() is not None:
            os._exit(9)
        return super().decode(codes)

class Mute(Bytes):
    name = "mute"

    def decode(self, codes):
        raise NotImplementedError("one way only")
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "slow_ones.py").write_text(SLOW)
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "eng_Latn.txt").write_text("one\nthree, four\n")
    (tmp_path / "text" / "deu_Latn.txt").write_text("eins\ndrei, vier\n")
    (tmp_path / "text" / "rus_Cyrl.txt").write_text("раз\nтри, четыре\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adversarial texts of two sizes."""
    monkeypatch.setattr(measure, "LARGEST", 2048)


def benched(*arguments: object) -> dict:
    done = called("bench", *arguments, *QUICK, "--format", "json")
    assert done.err == ""
    return json.loads(done.out) | {"code": done.code}


def test_the_interval_of_a_median_is_order_statistics() -> None:
    assert (median(range(5)).low, median(range(5)).value) == (None, 2)
    seven = median([5, 1, 9, 3, 7, 2, 8])
    assert (seven.low, seven.value, seven.high, seven.n) == (1, 5, 9, 7)
    values = np.random.default_rng(3).normal(size=(1000, 15))
    held = [median(row) for row in values]
    assert 0.95 <= np.mean([s.low <= 0 <= s.high for s in held]) <= 0.98  # 0.965 by the binomial


def test_a_99th_percentile_needs_many_values_for_an_interval() -> None:
    assert quantile(range(100), 0.99).high is None
    many = quantile(range(2000), 0.99)
    assert many.low < many.value < many.high


def test_ratios_and_exponents() -> None:
    assert ratio([2.0] * 7, [1.0] * 7).value == 2.0
    assert ratio([2.0] * 4, [1.0] * 4).low is None
    sizes = [2.0**k for k in range(10, 15)]
    found = exponent(sizes, [3e-9 * size**2 for size in sizes])
    assert found.value == pytest.approx(2.0)
    assert found.high - found.low < 1e-6
    noisy = exponent(sizes, [size * (1.1 if k % 2 else 0.9) for k, size in enumerate(sizes)])
    assert noisy.low < 1 < noisy.high
    assert exponent([1024], [1.0]) is None
    assert exponent([1024, 2048], [1.0, 2.0]).low is None


def test_speed_is_the_work_over_the_time_and_its_interval_turned_round() -> None:
    timing = Timing("a", "encode", amounts={"MB/s": 6.0}, seconds=[1, 2, 3, 4, 5, 6, 7])
    ((unit, spread),) = timing.figures()
    assert (unit, spread.value) == ("MB/s", 1.5)
    assert (spread.low, spread.high) == (6 / 7, 6)
    assert list(Timing("a", "encode", amounts={"MB/s": 1.0}).figures()) == [("MB/s", None)]


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_adversarial_texts_have_their_size_and_are_never_twice_the_same(kind: str) -> None:
    made = [ADVERSARIAL[kind](3000, turn) for turn in range(3)]
    assert len(set(made)) == 3
    assert made == [ADVERSARIAL[kind](3000, turn) for turn in range(3)]
    assert all(2996 < len(text.encode()) <= 3000 for text in made)


def test_languages_are_pooled_by_script(own: Path) -> None:
    found = {corpus.name: corpus for corpus in corpora("text", None, 1)}
    assert found.keys() == {"Latn", "Cyrl"}
    assert sorted(found["Latn"].samples) == ["eins", "one"]
    assert found["Cyrl"].amount(1, "MB/s") == 6e-6
    domains = {corpus.domain for corpus in corpora(None, None, 1)}
    assert domains == {"parallel-mini", "python-stdlib", "numbers"}


def test_a_text_that_takes_too_long_is_stopped_and_that_is_said(own: Path) -> None:
    started = time.monotonic()
    lane = Lane("slow_ones:Stuck", "stuck", 1)
    try:
        found = list(_growth(lane, 0.5))
    finally:
        lane.close()
    assert time.monotonic() - started < 60
    letters = found[0]
    assert letters.note == "2 KiB: over 0.5 s"
    assert letters.amounts == {"MB/s": 1024 / 1e6}  # the longest that came back
    assert letters.spread is None
    assert len(found) == len(ADVERSARIAL)
    assert len(lane.loads) >= len(ADVERSARIAL) - 1  # a process of its own after each


def test_quadratic_time_is_seen(own: Path) -> None:
    lane = Lane("slow_ones:Quadratic", "quadratic", 1)
    try:
        letters = next(iter(_growth(lane, 1.0)))
    finally:
        lane.close()
    assert "the next is over the cap" in letters.note
    assert 1.6 < letters.spread.value < 2.4


def test_what_a_tokenizer_raises_comes_back_in_one_line(own: Path) -> None:
    with Isolated("slow_ones:Fragile", 1) as meter:
        with pytest.raises(Raised, match=r"^ValueError: cannot say two$"):
            meter.ask("once", "two")
        assert meter.ask("once", "one") > 0
        with pytest.raises(TooLong, match=r"no answer within 0\.0 s|no answer within 0 s"):
            meter.ask("encode", 1, within=0.0)


def test_every_figure_of_a_text_tokenizer_is_there(own: Path, brief: None) -> None:
    found = benched("bytes", "--data", "text")
    assert found["code"] == 0
    measures = {row["measure"] for row in found["figures"]}
    assert measures == {
        "encode", "decode", "first-encode", "latency-p50", "latency-p99", "load", "memory",
        "peak-memory", "growth",
    }  # fmt: skip
    for row in found["figures"]:
        assert row["value"] is None or math.isfinite(row["value"])
        assert row["tokenizer"] == "bytes"
    encoded = [row for row in found["figures"] if row["measure"] == "encode"]
    assert {(row["on"], row["batch"]) for row in encoded} == {
        ("Latn", 4), ("Cyrl", 2), ("all", 1), ("all", 2),
    }  # fmt: skip
    assert all(row["unit"] == "MB/s" and row["n"] == 2 and row["low"] is None for row in encoded)
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["packages"]["numpy"]
    assert "never submitted" in found["about"]
    assert not (own / "runs").exists()


def test_equal_ids_are_proved_before_a_ratio_is_given(own: Path, brief: None) -> None:
    (verdict,) = benched("bytes", "slow_ones:Mute", "--data", "text")["compared"]
    assert verdict["equal"]
    assert verdict["why"] == "the same ids in all 6 documents"
    assert {row["measure"] for row in verdict["ratios"]} == {"encode"}  # the other never decodes
    (verdict,) = benched("bytes", "codepoints", "--data", "text")["compared"]
    assert not verdict["equal"]
    assert verdict["ratios"] == []
    table = called("bench", "bytes", "codepoints", "--data", "text", *QUICK).out
    assert "bytes and codepoints are not equal: " in table
    assert "times as fast" not in table


def test_a_tokenizer_that_fails_is_shown_and_exits_with_3(own: Path, brief: None) -> None:
    (own / "text" / "eng_Latn.txt").write_text("one, two\nthree\n")
    found = benched("slow_ones:Fragile", "bytes", "--data", "text")
    assert found["code"] == 3
    (row,) = [
        row for row in found["figures"]
        if row["tokenizer"] == "fragile" and row["on"] == "Latn" and row["measure"] == "encode"
    ]  # fmt: skip
    assert (row["value"], row["note"]) == (None, "ValueError: cannot say two")
    assert [row["value"] > 0 for row in found["figures"] if row["tokenizer"] == "bytes"
            and (row["on"], row["measure"]) == ("Latn", "encode")] == [True]  # fmt: skip
    assert "cannot say two" in found["compared"][0]["why"]


def test_a_process_that_dies_is_said_and_the_rest_is_timed(own: Path, brief: None) -> None:
    found = benched("slow_ones:Deadly", "bytes", "--data", "text")
    rows = {
        (row["measure"], row["on"], row["batch"]): (row["value"], row["note"])
        for row in found["figures"] if row["tokenizer"] == "deadly"
    }  # fmt: skip
    assert rows["encode", "Latn", 4][0] > 0
    assert rows["decode", "Latn", 4] == (None, "its process died (out of memory?)")
    assert rows["encode", "Cyrl", 2][0] > 0
    assert [row["value"] > 0 for row in found["figures"] if row["tokenizer"] == "bytes"
            and (row["on"], row["measure"]) == ("Latn", "decode")] == [True]  # fmt: skip


def test_the_stop_watch_of_a_killed_bench_ends(own: Path) -> None:
    code = (
        "import os, signal, threading\n"
        "from tokbench.throughput.isolated import Isolated\n"
        "if __name__ == '__main__':\n"
        "    watch = Isolated('slow_ones:Stuck', 1)\n"
        "    print(watch._process.pid, flush=True)\n"
        "    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()\n"
        "    watch.ask('once', 3000 * 'a')\n"
    )
    (own / "killed.py").write_text(code)
    done = subprocess.run([sys.executable, "killed.py"], capture_output=True, text=True)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(done.stdout)).wait(30)


def test_tables_for_programs_have_a_row_for_each_figure(own: Path, brief: None) -> None:
    done = called("bench", "bytes", "--data", "text", *QUICK, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert {row["measure"] for row in rows} >= {"encode", "decode", "growth", "load"}
    assert all(float(row["value"]) > 0 for row in rows if row["unit"] == "MB/s")
    markdown = called("bench", "bytes", "--data", "text", *QUICK, "--format", "md").out
    assert markdown.startswith("| tokenizer | measure |")


def test_the_table_says_machine_and_that_it_is_no_score(own: Path, brief: None) -> None:
    done = called("bench", "bytes", "--data", "text", *QUICK)
    assert (done.code, done.err) == (0, "")
    for part in ("cores", "not scores", "text/Latn", "latency", "exponent", "unbroken letters"):
        assert part in done.out


def test_images_and_clips() -> None:
    pytest.importorskip("PIL", reason="images need Pillow")
    pytest.importorskip("soundfile", reason="clips need soundfile")
    image = benched("jpeg:50", "--data", "photos-mini")
    units = {row["unit"] for row in image["figures"] if row["measure"] == "encode"}
    assert units == {"Mpixel/s", "images/s"}
    assert "growth" not in {row["measure"] for row in image["figures"]}
    audio = benched("mulaw:8", "--data", "tones-mini")
    both = {row["measure"] for row in audio["figures"] if row["unit"] == "× real time"}
    assert {"encode", "decode"} <= both


def test_a_corpus_that_takes_too_long_is_cut_and_that_is_said(own: Path, brief: None) -> None:
    texts = ["x" * 1000] * 200
    work = {"quadratic": [Corpus.of("x", "x", texts)]}
    settings = Settings(1, 0.8, (1,), (1,))
    found = timings({"quadratic": "slow_ones:Quadratic"}, work, settings)
    (row,) = [t for t in found if (t.measure, t.on) == ("encode", "x")]
    count = round(row.amounts["MB/s"] * 1e3)
    assert 1 <= count < 100
    assert row.note == f"first {count} of 200 samples: more than 0.2 s"


def test_peak_memory_is_that_of_this_program_alone() -> None:
    hog = np.ones(30 << 20, np.uint8)  # not inherited by a process that is started now
    here = peak_memory()
    with Isolated("bytes", 1) as meter:
        assert meter.ask("peak") < here
    assert hog.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("bench", "SPEC"),
        ("bench bytse", "did you mean 'bytes'?"),
        ("bench bytes bytse", "did you mean 'bytes'?"),
        ("bench bytes --data nowhere", "no file, folder or dataset of that name"),
        ("bench bytes --data photos-mini", "photos-mini is image, not text"),
        ("bench bytes jpeg:50", "tokenizers of image and text: one kind at a time"),
        ("bench jpeg:50 --data parallel-mini", "parallel-mini is text, jpeg:50 image"),
        ("bench bytes --cap 0", "not a number of seconds above 0"),
        ("bench bytes --repeats 0", "not a whole number above 0"),
        ("bench bytes --batch 0,1", "not a whole number above 0"),
        ("bench bytes --formt json", "did you mean '--format'?"),
    ],
)
def test_bad_input_gets_one_line(arguments: str, message: str) -> None:
    refused(called(*arguments.split()), message)


def test_memory_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(
        is_initialized=lambda: True, device_count=lambda: 2,
        max_memory_allocated=lambda device: (3 << 20, 0)[device],
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert device_memory() == 3
    cuda.is_initialized = lambda: False
    assert device_memory() is None
    monkeypatch.delitem(sys.modules, "torch")
    assert device_memory() is None
