"""Rate-distortion: Bjøntegaard's averages against an independent implementation, the cases that
are known exactly, refusals, and the command."""

import argparse
import json

import numpy as np
import pytest
from mocks.command import called, refused
from mocks.images import picture
from scipy.interpolate import PchipInterpolator

from tokbench.commands.rate import _tasks
from tokbench.errors import UserError
from tokbench.image.pictures import save_png
from tokbench.pchip import Pchips
from tokbench.rates import Curve, at_equal_rate, at_rate, bd_quality, bd_rate, curve_name
from tokbench.specs import expanded


def curve(rate, quality, name="a", draws=None):
    points = [f"{name}:{k}" for k in range(len(rate))]
    return Curve.of(name, points, list(rate), list(quality), draws)


CLASSIC = (
    curve([686.76, 309.58, 157.11, 85.95], [40.28, 37.18, 34.24, 31.42]),
    curve([893.34, 407.8, 204.93, 112.75], [40.39, 37.21, 34.17, 31.24], "b"),
)
X264 = (
    curve([9487.76, 4593.60, 2486.44, 1358.24], [40.037, 38.615, 36.845, 34.851]),
    curve([9787.80, 4469.00, 2451.52, 1356.24], [40.121, 38.651, 36.970, 34.987], "b"),
)


@pytest.mark.parametrize(
    ("pair", "fit", "rate", "quality"),
    [
        (CLASSIC, "cubic", 31.3973740549095, -1.1848979217703506),
        (CLASSIC, "pchip", 31.379878202397627, -1.1834724046224592),
        (CLASSIC, "akima", 31.38398898434116, -1.183658970073208),
        (X264, "cubic", -4.420462706125383, 0.12040941911451103),
        (X264, "pchip", -4.417485350589045, 0.11969278542479489),
        (X264, "akima", -4.425245156997493, 0.11940927028529469),
    ],
)
def test_as_the_package_bjontegaard_1_3(pair, fit, rate, quality):
    assert bd_rate(*pair, fit).value == pytest.approx(rate, rel=1e-6)
    assert bd_quality(*pair, fit).value == pytest.approx(quality, rel=1e-6)


def test_pchip_is_scipys():
    rng = np.random.default_rng(0)
    for n in (2, 3, 4, 9):
        x = np.cumsum(rng.uniform(0.1, 2, (50, n)), axis=1)
        y = rng.normal(0, 1, (50, n)) if n % 2 else np.cumsum(rng.uniform(0.01, 3, (50, n)), axis=1)
        ends = np.sort(rng.uniform(x[:, :1], x[:, -1:], (50, 2)), axis=1)
        many = Pchips(x, y)
        theirs = [PchipInterpolator(*row) for row in zip(x, y, strict=True)]
        expected = [float(curve(low)) for curve, low in zip(theirs, ends[:, 0], strict=True)]
        assert many.at(ends[:, 0]) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        expected = [float(c.integrate(*e)) for c, e in zip(theirs, ends, strict=True)]
        assert many.integral(*ends.T) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_what_is_known_exactly():
    a = CLASSIC[0]
    assert bd_rate(a, a).value == pytest.approx(0, abs=1e-9)
    assert bd_rate(a, curve(a.rate / 2, a.quality)).value == pytest.approx(-50)
    assert bd_rate(a, curve(a.rate * 2, a.quality)).value == pytest.approx(100)
    assert bd_quality(a, curve(a.rate, a.quality + 1)).value == pytest.approx(1)
    # Straight lines in log rate, by hand: 3 dB for a doubling against 1 dB higher throughout.
    lines = [curve([1, 2, 4, 8], np.array([30, 33, 36, 39.0]) + up) for up in (0, 1)]
    assert bd_rate(*lines).value == pytest.approx(100 * (2 ** (-1 / 3) - 1))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (curve([1, 2, 3], [1, 2, 3], "b"), "b: 3 points, of 4 needed"),
        (curve([1, 2, 3, 4], [50, 51, 52, 53], "b"), "they reach no quality in common"),
        (curve([1, 2, 3, 4], [31, 33, 32, 34], "b"), "does not rise from b:1 to b:2"),
        (curve([1, 2, 2, 4], [31, 32, 33, 34], "b"), "b:1 and b:2 have one rate"),
        (curve([0, 2, 3, 4], [31, 32, 33, 34], "b"), "a rate is not above 0"),
    ],
)
def test_refused_with_a_reason(other, why):
    found = bd_rate(CLASSIC[0], other)
    assert found.value is None and why in found.note


def test_quality_at_equal_rate_is_never_extended():
    line = curve([1, 2, 4, 8], [30, 33, 36, 39])
    base, found = at_equal_rate(line, curve([2, 32], [34, 50], "b"), 0)
    assert (base, found.value) == (33, 1)
    base, found = at_equal_rate(line, curve([2, 32], [34, 50], "b"), 1)
    assert base is None and found.value is None and "from 1 to 8 only" in found.note
    own, base, found = at_rate(line, curve([2, 8], [34, 40], "b"), 4)
    assert own == pytest.approx(37) and base == 36 and found.value == pytest.approx(1)


def test_intervals_are_paired():
    """The same resamples move both curves: what is common does not widen the interval."""
    rng = np.random.default_rng(0)
    common = rng.normal(0, 2, 500)
    rates = [np.full(500, rate) for rate in (1.0, 2.0, 4.0, 8.0)]
    one, two = (
        curve([1, 2, 4, 8], np.array([30, 33, 36, 39.0]) + up,
              draws=(rates, [q + up + common for q in (30, 33, 36, 39.0)]))
        for up in (0, 1)
    )  # fmt: skip
    found = bd_quality(one, two)
    assert found.low == pytest.approx(1) and found.high == pytest.approx(1)
    bare = curve([1, 2, 4, 8], [30, 33, 36, 39])
    assert bd_quality(one, bare).note == "no interval: no per-sample evidence"


def test_ranges():
    assert expanded("jpeg:10..50:20") == ["jpeg:10", "jpeg:30", "jpeg:50"]
    assert expanded("jpeg:8..10") == ["jpeg:8", "jpeg:9", "jpeg:10"]
    assert expanded("vorbis:0..0.4:0.2") == ["vorbis:0", "vorbis:0.2", "vorbis:0.4"]
    assert expanded("x:a?tokens=32..64:32&b=1") == ["x:a?tokens=32&b=1", "x:a?tokens=64&b=1"]
    assert len(expanded("x:1..2?k=1..3")) == 6
    assert expanded("frames(webp:5..6)") == ["frames(webp:5)", "frames(webp:6)"]
    assert len(expanded("kmeans(x:a,K=256..1024:256)")) == 4
    for same in ("../x/tokenizer.json", "hf:org/name", "vq:16x1024", "jpeg:10.5"):
        assert expanded(same) == [same]
    for wrong in ("jpeg:90..10:5", "jpeg:1..9:0", "jpeg:1..9:-1", "pcm:1..9999"):
        with pytest.raises(UserError):
            expanded(wrong)


def test_names_of_curves():
    assert curve_name("opus:12") == curve_name("opus:6.5") == "opus:N"
    assert curve_name("vq:16x1024?seed=2") == "vq:NxN?seed=N"
    assert curve_name("h264:20") == "h264:N" and curve_name("frames(webp:5)") == "frames(webp:N)"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick.toml").write_text(
        'name = "quick"\ntitle = ""\nmodality = "image"\ndataset = "photos-mini"\n'
        'main = "psnr"\nmetrics = ["psnr", "bits-per-pixel", "code-entropy"]\n'
    )
    root = tmp_path / "pictures"
    root.mkdir()
    for n in range(5):
        (root / f"{n}.png").write_bytes(save_png(picture(n, 40, 56)))
    return tmp_path


def test_the_command(here):
    """A sweep against another, from specs and from the records that they left."""
    asked = ["--data", "pictures", "--task", "quick.toml"]
    json_of = [*asked, "--metric", "psnr", "--format", "json"]
    done = called("rate", "webp:10..85:25", "identity", "--against", "jpeg:10..85:25", *json_of)
    assert done.code == 0, done.err
    rows = json.loads(done.out)["rows"]
    average = rows[0]
    assert (average["curve"], average["measure"]) == ("webp:N", "bd-rate")
    assert average["low"] <= average["value"] <= average["high"] < 0
    points = [row for row in rows if row["tokenizer"]]
    assert [p["tokenizer"] for p in points] == [
        "webp:10", "webp:35", "webp:60", "webp:85", "identity",
    ]  # fmt: skip
    assert points[-1]["value"] is None and "only" in points[-1]["note"]
    records = sorted((here / "runs").glob("webp*"))
    base = sorted((here / "runs").glob("jpeg*"))
    again = called("rate", *records, "--against", *base, *json_of, "--plot", "curves.svg")
    assert json.loads(again.out)["rows"] == rows[:-1]
    assert b"<svg" in (here / "curves.svg").read_bytes()
    shown = called("rate", *records, "--against", *base, *asked, "--at", "2").out
    assert "bd-rate" in shown and "webp:N at 2" in shown
    assert ",bd-psnr," in called("rate", *records, "--against", *base, *asked, "--format=csv").out


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["webp:9..7", "--against", "jpeg:10..30:10"], ["LOW..HIGH:STEP"]),
        (["webp:10", "--against", "jpg:10..30:10"], ["no tokenizer named 'jpg'", "jpeg"]),
        (["webp:10", "--against", "jpeg:10", "--metric", "pnsr"], ["did you mean 'psnr'"]),
        (["webp:10", "--against", "jpeg:10", "--metric", "bits-per-pixel"], ["is a rate"]),
        (["webp:10", "--against", "jpeg:10", "--metric", "code-entropy"], ["no better direction"]),
        (["webp:10", "--against", "jpeg:10", "--plot", "a.gif"], ["FILE.png"]),
        (["webp:10", "--against", "jpeg:10", "--at", "0"], ["not a list of rates"]),
    ],
)
def test_refused(here, arguments, parts):
    refused(called("rate", *arguments, "--data", "pictures", "--task", "quick.toml"), *parts)


@pytest.mark.parametrize(
    ("metric", "rate", "tasks"),
    [
        ("psnr", None, ["photos-mini"]),
        (None, "bits-per-pixel/packed", ["photos-mini", "text-render-256", "text-render-512"]),
    ],
)
def test_only_tasks_that_have_a_rate_are_measured_by_default(metric, rate, tasks):
    options = argparse.Namespace(metric=metric, rate=rate, data=None)
    assert _tasks("jpeg:10", options) == tasks


def test_text_has_no_rate_and_nothing_is_measured():
    done = called("rate", "bytes", "--against", "codepoints")
    refused(done, "no task of suite text has bits-per-pixel or bits-per-second")
