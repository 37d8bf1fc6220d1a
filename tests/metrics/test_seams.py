"""Tile seams: by hand, with padding and shards, and what is refused."""

import numpy as np
import pytest
from mocks.images import picture

from tokbench.bench import Job
from tokbench.errors import UserError
from tokbench.image.pictures import save_png
from tokbench.metrics.image.seams import TileSeams, steps_of, tile_of
from tokbench.runner import evaluate
from tokbench.task import MetricUse, Task
from tokbench.tokenizers.image.adapter import ImageTokenizer, sizes
from tokbench.types import Codes, Ragged, TokenizerSpec


def test_by_hand():
    """Tiles of 4 whose error is their number: steps across borders alone. An edge of the picture
    is none of the error."""
    original = picture(1, 8, 12)
    assert steps_of(original, original, 4) == (0, 3 * (12 + 16), 0, 3 * (8 * 9 + 6 * 12))
    error = np.kron(np.arange(6).reshape(2, 3), np.ones((4, 4), int))[:, :, None]
    across, borders, within, inside = steps_of(original.astype(int), original + error, 4)
    assert (across, within) == (3 * (16 * 1 + 12 * 9), 0)
    assert (borders, inside) == (3 * (8 * 2 + 12), 3 * (8 * 9 + 6 * 12))


class Uneven(ImageTokenizer):
    """A checkerboard of pixels is 2 levels brighter; `seam` more in every second tile of 8."""

    name = "uneven"

    def __init__(self, seam: int) -> None:
        self.seam = seam
        self.spec = TokenizerSpec(modality="image", vocabulary=(256,), size_multiple=8)

    def identity(self):
        return "uneven", str(self.seam)

    def encode(self, batch):
        return Codes((Ragged.of([p.ravel() for p in batch], np.uint8),), extra=sizes(batch))

    def decode(self, codes):
        made = []
        for row, (height, width) in zip(codes.ids, codes.extra["size"].tolist(), strict=True):
            y, x = np.mgrid[:height, :width]
            error = (x + y) % 2 * 2 + (x // 8 + y // 8) % 2 * self.seam
            made.append((row.reshape(height, width, 3) // 2 * 2 + error[:, :, None]).astype("u1"))
        return made


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    root.mkdir()
    for n in range(4):
        even = np.clip(picture(n, 24 + n, 32), 0, 200) // 2 * 2
        (root / f"{n}.png").write_bytes(save_png(even.astype(np.uint8)))
    return root


def record(folder, out, tokenizer, *metrics, **rest):
    asked = Task("t", "", "image", "photos-mini", list(metrics) or ["tile-seams"], "t", **rest)
    return evaluate(Job("t", asked, str(folder)), out, tokenizer=tokenizer)[0]


def test_a_seam_shows_and_padding_does_not(folder, tmp_path):
    """Every step of the plain checkerboard is 2, so squared 4; a seam makes it 2 ± 6 at borders:
    16 and 64 in turn."""
    plain = record(folder, tmp_path / "a", Uneven(0)).scores[0]
    assert plain.value == 1
    score = record(folder, tmp_path / "b", Uneven(6)).scores[0]
    assert score.value == pytest.approx(40 / 4) and score.n == 4 and score.low is not None
    shards = record(folder, tmp_path / "c", Uneven(6), shard_samples=1).scores[0]
    assert (shards.value, shards.low) == (score.value, score.low)
    other = record(folder, tmp_path / "d", Uneven(6), MetricUse("tile-seams", {"side": 5}))
    assert other.scores[0].name == "tile-seams-5" and other.scores[0].value < 2


def test_what_cannot_be_told_says_why(folder, tmp_path):
    for spec, why in (
        (TokenizerSpec(modality="image", vocabulary=(256,), size=(32, 32)), "one size"),
        (TokenizerSpec(modality="image", vocabulary=(256,)), "give side"),
    ):
        tokenizer = Uneven(0)
        tokenizer.spec = spec
        assert why in TileSeams().lacks(tokenizer)
    assert tile_of(Uneven(0)) == 8
    big = record(folder, tmp_path / "r", Uneven(0), MetricUse("tile-seams", {"side": 64})).scores[0]
    assert big.value is None and big.note == "no picture of two tiles"
    with pytest.raises(UserError, match="the task has a view"):
        record(folder, tmp_path / "v", Uneven(0), view=64)
    with pytest.raises(ValueError, match="2 or more"):
        TileSeams(side=1)
