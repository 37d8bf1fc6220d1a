"""Residual quantisation of short-time spectra of clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tokbench.errors import UserError
from tokbench.specs import load_tokenizer

pytest.importorskip("soundfile")
pytest.importorskip("soxr")

from tokbench.tokenizers.audio.transformed import Spectra

SPEC = "rvq:2x16@50hz?on=tones-mini&rate=8000"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    from tokbench import files

    monkeypatch.setenv("TOKBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    files.cache_dir.cache_clear()


def tone(seconds: float = 0.5, rate: int = 8000, hertz: float = 440.0) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    return (0.4 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)[None]


def signal_to_noise(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10((a**2).sum() / ((a - b) ** 2).sum()))


@pytest.mark.parametrize("hop", [16, 160, 320])
def test_the_transform_gives_back_any_clip(hop: int) -> None:
    spectra = Spectra(16_000, hop)
    clip = np.random.default_rng(0).uniform(-1, 1, 1234)
    found = spectra._analysed(clip)
    assert found.shape == (-(-1234 // hop) + 1, hop)
    assert spectra._synthesised(found)[:1234] == pytest.approx(clip, abs=1e-12)


def test_a_tone_lies_in_its_own_bin() -> None:
    """Bin k of a hop of N at rate R is about (k + ½)·R / 2N hertz."""
    found = np.abs(Spectra(8000, 160)._analysed(tone(hertz=1012.5)[0].astype(float)))
    assert int(found[5:-5].sum(0).argmax()) == 40


def test_levels_frames_and_length() -> None:
    tokenizer = load_tokenizer(SPEC)
    clips = [tone(), tone(0.301)]
    codes = tokenizer.encode(clips)
    assert tokenizer.spec.vocabulary == (16, 16)
    assert [level.lengths.tolist() for level in codes.levels] == [[26, 17], [26, 17]]
    decoded = tokenizer.decode(type(codes).from_bytes(codes.to_bytes()))
    assert [clip.shape for clip in decoded] == [(1, 4000), (1, 2408)]
    alone = tokenizer.encode(clips[1:])
    assert (alone.levels[1][0] == codes.levels[1][1]).all()


def test_levels_are_a_prefix_and_each_brings_the_clip_nearer() -> None:
    one, both = load_tokenizer(f"{SPEC}&codebooks=1"), load_tokenizer(SPEC)
    from tokbench.audio.clips import fit
    from tokbench.dataset import open_dataset

    part = open_dataset("tones-mini").parts[0]
    (piece, *_) = part.slices(0, 4, 1 << 25, 4)
    clips = [fit(sample, both.spec).data for sample in part.read_samples(piece)[0]]
    first, second = one.encode(clips), both.encode(clips)
    assert (first.ids.values == second.ids.values).all()
    assert one.fingerprint() != both.fingerprint()
    ratios = [
        np.mean([
            signal_to_noise(a, b)
            for a, b in zip(clips, tokenizer.decode(tokenizer.encode(clips)), strict=True)
        ])
        for tokenizer in (one, both)
    ]  # fmt: skip
    assert 0 < ratios[0] < ratios[1]


def test_learnt_again_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tokbench import files

    first = load_tokenizer(SPEC).fingerprint()
    monkeypatch.setenv("TOKBENCH_CACHE", str(tmp_path))
    files.cache_dir.cache_clear()
    assert load_tokenizer(SPEC).fingerprint() == first
    files.cache_dir.cache_clear()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("rvq:2x16@30hz", "do not cut 16,000 samples evenly"),
        ("rvq:2x16@50hz?on=numbers", "text data; give clips"),
        ("rvq:2x60000@50hz?on=tones-mini", "give more clips with on= or ask for fewer codes"),
        ("rvq:0x16@50hz", "give levels from 1 to 64, not 0"),
        ("rvq:2x16@1hz", "give frames a second from 5 to 500, not 1"),
        ("rvq:twohz", "write rvq:LEVELSxCODES@FRAMEShz"),
        ("rvq:2x16@50hz?rat=8000", "did you mean 'rate'"),
    ],
)
def test_refused(spec: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        load_tokenizer(spec)
    assert said in str(error.value)
