"""`tokbench check` on adapters of images and clips: those that keep their promises, and others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mocks.command import called, refused
from mocks.images import Levels

from tokbench.conformance import conformance
from tokbench.specs import load_tokenizer
from tokbench.types import Codes, Ragged, TokenizerSpec


class Lies(Levels):
    """Says 12 ids and gives 16, with a codebook of 15."""

    def __init__(self):
        self.spec = TokenizerSpec(
            modality="image", vocabulary=(12,), value_range=(-1.0, 1.0), size_multiple=8
        )

    def codebook(self, level):
        return np.zeros((15, 2))

    def neighbors(self, codes, k):
        return np.repeat(codes[:, None], k, axis=1)


class LooksAtTheBatch(Levels):
    """Takes the batch's mean off every picture."""

    def encode(self, batch):
        mean = np.mean([picture.mean() for picture in batch])
        return super().encode([picture - np.float32(mean) for picture in batch])


class Remembers(Levels):
    """Its decoder gives back what its encoder saw."""

    def encode(self, batch):
        self.seen = batch
        return super().encode(batch)

    def decode(self, codes):
        return list(self.seen)


class Bytes(Levels):
    """Gives 0 to 255 where it takes -1 to 1."""

    def decode(self, codes):
        return [(picture + 1) * 127.5 for picture in super().decode(codes)]


class Cropped(Levels):
    """Loses a row."""

    def decode(self, codes):
        return [picture[1:] for picture in super().decode(codes)]


class NeedsRoom(Levels):
    """Fails on small pictures."""

    def encode(self, batch):
        if min(min(picture.shape[:2]) for picture in batch) < 32:
            raise RuntimeError("too small to pool")
        return super().encode(batch)


class Hesitates(Levels):
    """Another id every time."""

    count = 0

    def encode(self, batch):
        codes = super().encode(batch)
        self.count += 1
        values = (codes.ids.values + self.count) % 16
        return Codes((Ragged(values, codes.ids.offsets),), extra=codes.extra)


@pytest.fixture(autouse=True)
def found_by_name(monkeypatch):
    """Another process finds these classes from this folder."""
    monkeypatch.chdir(Path(__file__).parent)


def outcomes(spec):
    return {
        check.name: (check.outcome, check.detail)
        for check in conformance(spec, load_tokenizer(spec))
    }


@pytest.mark.parametrize(
    "spec",
    [
        "mocks.images:Levels",
        "jpeg:30",
        "fsq:8x5x5x3",
        "pcm",
        "mulaw:8",
        "python:mocks.images:Levels",
    ],
)
def test_good_ones_pass(spec):
    found = outcomes(spec)
    assert {outcome for outcome, _ in found.values()} == {"pass"}
    assert {"batch invariance", "determinism", "stable fingerprint"} <= set(found)


def test_one_that_only_encodes():
    assert outcomes("mocks.images:EncodesOnly")["decodes"] == ("skip", "it only encodes")


@pytest.mark.parametrize(
    ("kind", "name", "outcome", "detail"),
    [
        (Lies, "ids within the codebook", "fail", "level 0: id 1"),
        (Lies, "codebook of the stated size", "fail", "level 0: (15, 2) for 12 ids"),
        (Lies, "neighbours", "fail", "other than the codes themselves"),
        (LooksAtTheBatch, "batch invariance", "fail", "alone and together: codes differ"),
        (Remembers, "decodes from serialised codes", "fail", "no attribute 'seen'"),
        (Bytes, "shape and value range", "note", "of -1 to 1"),
        (Cropped, "shape and value range", "fail", "decoded (47, 80, 3) where (48, 80, 3)"),
        (
            NeedsRoom,
            "every size and content",
            "fail",
            "noise of odd size: RuntimeError: too small to pool",
        ),
        (Hesitates, "determinism", "fail", "codes differ"),
    ],
)
def test_broken_promises(kind, name, outcome, detail):
    found = outcomes(f"test_conformance:{kind.__name__}")
    assert found[name][0] == outcome and detail in found[name][1]


def test_command_and_what_is_no_tokenizer():
    done = called("check", "jpeg:30", "test_conformance:Cropped")
    assert done.code == 3 and "✗ shape and value range" in done.out and "✓ determinism" in done.out
    refused(called("check", "test_conformance:outcomes"), "cannot be made")
    refused(called("check", "fractions:Fraction"), "no name, spec, fingerprint, encode")
    refused(
        called("check", "test_conformance:Half"),
        "no fingerprint, encode, decode, output_rate",
        "AudioTokenizer",
    )


class Half:
    """Says that it is of audio and has little else."""

    name, spec = "half", TokenizerSpec(modality="audio")
