"""Clips in a report: what plays is what the tokenizer gave, and what is seen is its spectrum."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from mocks.clips import encoded, murmur

from tokbench.bench import Job
from tokbench.report import audio, document, hearing, players, shown, sounds
from tokbench.report.marked import Piece
from tokbench.report.page import Page
from tokbench.report.subjects import Subject, through
from tokbench.runner import evaluate
from tokbench.task import MetricUse, Task

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed: no clips")

HOSTILE = "<img src=x onerror=alert(1)>"
HEARD = MetricUse("wer", {"vocabulary": "open"})


def task(*more):
    metrics = ["si-sdr", "bits-per-second", *more]
    return Task("t", "test", "audio", "speech-mini", metrics, "si-sdr")


PLAIN = task()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "clips"
    root.mkdir()
    for n, name in enumerate(["a", "b", HOSTILE]):
        soundfile.write(root / f"{name}.wav", murmur(n, seconds=1.5)[0], 16000)
    noted = {"name": "a", "transcript": "Go <b>NOW</b>, please", "domain": "speech"}
    (root / "annotations.jsonl").write_text(json.dumps(noted))
    return root


@pytest.fixture
def subject(folder, tmp_path):
    def made(spec="mulaw:6", task=PLAIN, name="") -> Subject:
        filed = evaluate(Job(spec, task, str(folder)), tmp_path / "runs")
        return Subject(name or spec, {"t": filed}, {"t": task}, {"t": str(folder)}, spec)

    return made


def test_the_page_plays_exactly_the_output(subject):
    one, page = subject(), Page("r")
    [section] = audio.sections(page, [one])
    media = through(one.bench("t"), [(0, n) for n in range(3)])
    for n, (sample, output) in enumerate(zip(media.batch.samples, media.outputs, strict=True)):
        for what, clip in (("original", sample.data), ("1", output)):
            played, rate = soundfile.read(io.BytesIO(page.files[f"clips/t-0-{n}-{what}.flac"]))
            assert rate == 16000 and played.shape == clip[0].shape
            assert np.abs(played - np.clip(clip[0], -1, 1)).max() <= 1 / 32768
    paths = set(re.findall(r'src="((?:clips|spectrograms)/[^"]+)"', section.body))
    assert paths == {p for p in page.files if p.startswith(("clips/", "spectrograms/"))}
    assert "Rate and distortion" in section.body and "Sample by sample" in section.body


def test_spectrograms_by_hand():
    rate = 16000
    time = np.arange(rate) / rate
    quiet, loud = (level * np.sin(2 * np.pi * 1000 * time) for level in (0.05, 0.5))
    a, b = sounds.decibels(loud, quiet, rate)
    assert a.shape == b.shape and a.max() == 0 and a.min() == sounds.FLOOR
    assert b.max() == pytest.approx(-20, abs=0.01)
    band = a.mean(1).argmax() / sounds.BANDS
    [place] = [tick.place for tick in sounds.frequencies(rate) if tick.label == "1k"]
    assert 100 * band == pytest.approx(place, abs=2)
    picture = sounds.change(a, b)
    row = sounds.BANDS - 1 - a.mean(1).argmax()  # low bands are below
    assert (picture[row, 5:-5, :3] == sounds.LESS).all()
    assert np.ptp(picture[row, 5:-5, 3]) <= 1
    assert picture[row, 50, 3] == pytest.approx(255 * 20 / sounds.APART, abs=1)
    assert not sounds.change(a, a)[..., 3].any()
    assert (sounds.change(b, a)[row, 5:-5, :3] == sounds.MORE).all()


def test_axes():
    labels = [tick.label for tick in sounds.times(3.2)]
    assert labels == ["0 s", "1 s", "2 s", "3 s"]
    assert all(0 <= tick.place <= 100 for tick in sounds.frequencies(8000))


class Fixed:
    """Hears the same in every clip of one loudness."""

    rate, english, name = 16000, True, "fixed"

    def fingerprint(self, vocabulary=None):
        return "f" * 64

    def hear(self, clip, vocabulary=None):
        return "go now" if np.abs(clip).max() > 0.05 else "no please"


def test_words_heard_are_marked(monkeypatch):
    from tokbench.audio.pairs import pairs
    from tokbench.metrics.audio.words import WER
    from tokbench.probes import recognisers

    monkeypatch.setattr(recognisers, "recogniser", lambda name: Fixed())
    clip = murmur(4)
    clip *= 0.5 / np.abs(clip).max()
    [pair] = pairs(encoded((clip, clip * 0.05), transcript="Go NOW, please!"))
    found = hearing.hear(pair, WER())
    assert found.transcript == "go now please"
    assert found.original.pieces == [Piece("go now"), Piece("", "please", "")]
    assert [p.same for p in found.output.pieces if p.same] == ["please"]
    [pair] = pairs(encoded((clip, clip), domain="speech"))
    found = hearing.hear(pair, WER())
    assert found.transcript == "" and found.output.pieces == [Piece("go now")]
    [pair] = pairs(encoded((clip, clip)))
    assert "not said to be speech" in hearing.hear(pair, WER()).output.why


def test_a_recogniser_that_is_missing_is_told(subject, monkeypatch):
    from tokbench.errors import MissingExtra
    from tokbench.probes import recognisers

    found = shown.show("t", [subject()], 1, 0)
    assert hearing.recogniser_of(found) == (None, "")
    found.subjects[0].tasks["t"] = task(HEARD)

    def missing(name):
        raise MissingExtra("pocketsphinx", "audio")

    monkeypatch.setattr(recognisers, "recogniser", missing)
    use, why = hearing.recogniser_of(found)
    assert use is None and "pip install 'tokbench[audio]'" in why


def test_hostile_names_and_transcripts_are_text(subject, tmp_path, monkeypatch):
    from tokbench.probes import recognisers

    monkeypatch.setattr(recognisers, "recogniser", lambda name: Fixed())
    one = subject(name="<script>alert(2)</script>")
    one.tasks["t"] = task(HEARD)
    html = document.write([one], tmp_path / "out").read_text()
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "<img src=x" not in html and "<script>alert" not in html and "<b>NOW" not in html


def test_without_the_data_the_numbers_stay(subject, folder):
    one = subject()
    soundfile.write(folder / "a.wav", murmur(8, seconds=1.5)[0], 16000)
    page = Page("r")
    [section] = audio.sections(page, [one])
    assert "is not the data that the record" in section.body and "<audio" not in section.body
    assert "Sample by sample" in section.body


def test_long_clips_are_cut_in_one_file(subject, tmp_path, monkeypatch):
    monkeypatch.setattr(players, "SECONDS", (60, 1))
    found = shown.show("t", [subject()], 3, 0)
    page = Page("r", single=True)
    [block] = players.players(page, found, 1)
    assert "first 1 seconds" in block.notes[0] and "first 1 s of 1.5 s" in block.body
    assert block.body.count("data:audio/flac;base64,") == 6


def test_it_plays(subject, tmp_path, browser):
    for single in (False, True):
        page = browser(document.write([subject()], tmp_path / str(single), single))
        players = page.locator("audio")
        assert players.count() == 6
        ready = "e => new Promise((done, failed) => { e.oncanplay = () => done(e.duration); "
        ready += "e.onerror = () => failed(e.error.message); e.preload = 'auto'; e.load(); })"
        assert players.nth(1).evaluate(ready) == pytest.approx(1.5, abs=0.01)
        players.nth(0).evaluate("e => { e.muted = true; return e.play(); }")
        players.nth(1).evaluate("e => { e.muted = true; return e.play(); }")
        page.wait_for_function("document.querySelectorAll('audio')[0].paused")
