"""Lyra V2 with its real weights: published rates, and a clip's codes are its own."""

import os
from pathlib import Path

import numpy as np
import pytest

from tokbench.audio.clips import read_clip
from tokbench.errors import UserError
from tokbench.specs import load_tokenizer
from tokbench.types import Codes


@pytest.fixture(scope="module")
def folder():
    weights = os.environ.get("TOKBENCH_WEIGHTS")
    if not weights:
        pytest.skip("TOKBENCH_WEIGHTS is not set: this test needs Lyra's .tflite files")
    return Path(weights) / "lyra"


@pytest.fixture(scope="module")
def speech(shared):
    data, rate = read_clip(shared / "speech" / "lyra" / "sample1_16kHz.wav")
    assert rate == 16_000
    return data[:, : data.shape[1] // 320 * 320]


@pytest.mark.parametrize(("kbps", "quality"), [("3.2", 2.45), ("6.0", 3.36), ("9.2", 3.46)])
def test_published_figures(folder, speech, kbps, quality):
    """PESQ-WB as measured with Lyra's own program; on whole frames the nominal rate is exact."""
    lyra = load_tokenizer(f"lyra:{folder}?kbps={kbps}")
    codes = Codes.from_bytes(lyra.encode([speech]).to_bytes())
    bits = sum(4 * level.lengths[0] for level in codes.levels)
    assert bits / (speech.shape[1] / 16_000) == pytest.approx(float(kbps) * 1000)
    [copy] = lyra.decode(codes)
    assert copy.shape == speech.shape
    pesq = pytest.importorskip("pesq")
    assert pesq.pesq(16_000, speech[0], copy[0], "wb") == pytest.approx(quality, abs=0.006)


def test_codes_depend_on_the_clip_alone(folder, speech):
    lyra = load_tokenizer(f"lyra:{folder}")
    clips = [speech[:, 3200:9700], speech[:, 16_000:24_000]]
    together = lyra.encode(clips)
    for row, clip in enumerate(clips):
        alone = lyra.encode([clip])
        assert all(
            (a[0] == b[row]).all() for a, b in zip(alone.levels, together.levels, strict=True)
        )
    copies = lyra.decode(together)
    assert [copy.shape for copy in copies] == [clip.shape for clip in clips]
    assert (lyra.decode(together)[0] == copies[0]).all()


def test_fewer_levels_are_a_prefix(folder, speech):
    clip = speech[:, :6400]
    few = load_tokenizer(f"lyra:{folder}?codebooks=4").encode([clip])
    most = load_tokenizer(f"lyra:{folder}?codebooks=46").encode([clip])
    assert len(few.levels) == 4 and len(most.levels) == 46
    assert all((a[0] == b[0]).all() for a, b in zip(few.levels, most.levels, strict=False))


def test_silence(folder):
    lyra = load_tokenizer(f"lyra:{folder}")
    [copy] = lyra.decode(lyra.encode([np.zeros((1, 1000), np.float32)]))
    assert copy.shape == (1, 1000) and np.abs(copy).max() < 0.01


def test_wrong_folders(folder, tmp_path):
    with pytest.raises(UserError, match=r"no soundstream_encoder\.tflite"):
        load_tokenizer(f"lyra:{tmp_path}")
    with pytest.raises(UserError, match="not both"):
        load_tokenizer(f"lyra:{folder}?kbps=3.2&codebooks=4")
    for name in ("soundstream_encoder", "quantizer", "lyragan"):
        (tmp_path / f"{name}.tflite").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match="not Lyra's models"):
        load_tokenizer(f"lyra:{tmp_path}")
