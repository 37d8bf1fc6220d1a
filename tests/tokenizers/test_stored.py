"""Results without a model: reconstructions in a folder, ids in a file, matched by name."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mocks.command import called, files_in, refused
from mocks.images import picture
from PIL import Image

from tokbench.bench import Job, open_bench
from tokbench.errors import UserError
from tokbench.image.pictures import save_png
from tokbench.runner import evaluate
from tokbench.specs import load_tokenizer
from tokbench.task import Task

TASK = Task("t", "test", "image", "photos-mini", ["psnr", "ssim", "bits-per-pixel"], "psnr")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "deep").mkdir(parents=True)
    for n in range(3):
        (root / f"{n}.png").write_bytes(save_png(picture(n)))
    (root / "deep" / "3.png").write_bytes(save_png(picture(3, 17, 19)))
    return root


@pytest.fixture
def made(data: Path, tmp_path: Path) -> Path:
    """What JPEG at quality 50 makes of the data, in files of its own."""
    root = tmp_path / "made"
    (root / "deep").mkdir(parents=True)
    for path in data.rglob("*.png"):
        to = (root / path.relative_to(data)).with_suffix(".jpg")
        Image.open(path).save(to, quality=50)
    return root


def test_a_folder_scores_as_the_codec_that_filled_it(data, made, tmp_path):
    stored, _ = evaluate(Job(f"folder:{made}", TASK, str(data)), tmp_path / "runs")
    direct, _ = evaluate(Job("jpeg:50", TASK, str(data)), tmp_path / "runs")
    for name in ("psnr", "psnr/pooled", "ssim"):
        assert stored.score(name).value == direct.score(name).value
    assert stored.score("bits-per-pixel").value is None
    spec = stored.about.tokenizer.spec
    assert spec.source == "files: 4 .jpg; .jpg may have lost something in saving"


def test_every_mismatch_in_one_line_before_anything_is_scored(data, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (made / "deep" / "3.jpg").rename(made / "deep" / "3b.jpg")
    (made / "2.jpg").unlink()
    (made / "1.jpg").write_bytes(save_png(picture(0, 8, 9)))
    (made / "0.jpg").write_bytes(b"nothing")
    done = called("eval", f"folder:{made}", "--data", data)
    refused(
        done, "2 missing: 2, deep/3 (there is 'deep/3b')", "1 not in the dataset: deep/3b",
        "2 of another size: 0 (not a readable picture), 1 (9 × 8 for 32 × 24)",
    )  # fmt: skip
    assert not any("record" in path for path in files_in(tmp_path))


def test_a_limit_asks_for_no_more_than_it_scores(data, made, tmp_path):
    (made / "deep" / "3.jpg").unlink()
    task = Job(f"folder:{made}", TASK, str(data), limit=3)
    record, _ = evaluate(task, tmp_path / "runs")
    assert record.score("psnr").n == 3


def test_turned_originals_match_upright_reconstructions(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for root in ("data", "made"):
        (tmp_path / root).mkdir()
    Image.fromarray(picture(0, 16, 24)).save(tmp_path / "data" / "0.png", exif=exif)
    upright = np.rot90(picture(0, 16, 24), -1)
    (tmp_path / "made" / "0.png").write_bytes(save_png(np.ascontiguousarray(upright)))
    job = Job(f"folder:{tmp_path / 'made'}", TASK, str(tmp_path / "data"))
    record, _ = evaluate(job, tmp_path / "runs")
    assert record.score("psnr").value == 100


def test_the_fingerprint_is_the_content(made):
    before = load_tokenizer(f"folder:{made}").fingerprint()
    assert load_tokenizer(f"folder:{made}").fingerprint() == before
    (made / "0.jpg").write_bytes((made / "1.jpg").read_bytes())
    assert load_tokenizer(f"folder:{made}").fingerprint() != before


def test_clips(tmp_path):
    """Clips of another rate are resampled as a decoder's are; other channels fail alone."""
    rng = np.random.default_rng(0)
    for root, rate in (("data", 8000), ("made", 16000)):
        (tmp_path / root).mkdir()
        tone = np.sin(np.arange(rate) * 2 * np.pi * 440 / rate) / 2
        soundfile.write(tmp_path / root / "tone.wav", tone, rate)
        soundfile.write(tmp_path / root / "noise.flac", rng.normal(0, 0.1, rate), rate)
    soundfile.write(tmp_path / "made" / "noise.flac", rng.normal(0, 0.1, (8000, 2)), 8000)
    tokenizer = load_tokenizer(f"folder:{tmp_path / 'made'}")
    assert tokenizer.spec.modality == "audio"
    task = Task("t", "test", "audio", "tones-mini", ["bits-per-second"], "bits-per-second")
    bench = open_bench(Job("made", task, str(tmp_path / "data")), tokenizer)
    [shard] = bench.source.plan(None)
    samples = {s.name: s for s in bench.source.read_media(shard[0]).samples}
    [found] = tokenizer.reconstructions([samples["tone"]])
    assert found.shape == (1, 8000)
    assert np.abs(found - samples["tone"].data)[0, 100:-100].max() < 1e-3
    with pytest.raises(ValueError, match="2 channels where the original has 1"):
        tokenizer.reconstructions([samples["noise"]])


def rows(path: Path, **said: object) -> Path:
    path.write_text("".join(json.dumps({"name": n} | r) + "\n" for n, r in said.items()))
    return path


def test_a_dump_of_ids_has_bits_and_no_psnr(data, tmp_path):
    ids = {n: {"ids": list(range(10))} for n in ("0", "1", "2", "deep/3")}
    path = rows(tmp_path / "ids.jsonl", **ids)
    job = Job(f"tokens:{path}?vocabulary=1024", TASK, str(data))
    record, _ = evaluate(job, tmp_path / "runs")
    pixels = 3 * 24 * 32 + 17 * 19
    assert record.score("bits-per-pixel").value == pytest.approx(40 * 10 / pixels)
    assert record.score("psnr").note == "the tokenizer does not decode"


def test_levels_and_npz(data, tmp_path):
    names = ("0", "1", "2", "deep/3")
    path = tmp_path / "ids.npz"
    np.savez(path, **{name: np.arange(8).reshape(2, 4) for name in names})
    record, _ = evaluate(Job(f"tokens:{path}?vocabulary=8,16", TASK, str(data)), tmp_path / "runs")
    lists = rows(tmp_path / "i.jsonl", **{n: {"levels": [[0, 1], [5, 6]]} for n in names})
    codes = load_tokenizer(f"tokens:{lists}?vocabulary=8,16").stored_codes([])
    assert len(codes.levels) == 2
    pixels = 3 * 24 * 32 + 17 * 19
    assert record.score("bits-per-pixel").value == pytest.approx(4 * 4 * (3 + 4) / pixels)


@pytest.mark.parametrize(
    ("row", "options", "parts"),
    [
        ({"ids": [3]}, "", ["vocabulary=1024"]),
        ({"ids": [3]}, "?vocabulary=many", ["vocabulary=1024"]),
        ({"ids": [9]}, "?vocabulary=8", ["id 9 is outside the vocabulary of 8"]),
        ({"ids": [-1]}, "?vocabulary=8", ["id -1 is outside"]),
        ({"ids": [0.5]}, "?vocabulary=8", ["line 1", "whole numbers"]),
        ({"ids": "abc"}, "?vocabulary=8", ["line 1", "whole numbers"]),
        ({"levels": [[1], [1]]}, "?vocabulary=8", ["'0' has 2 levels, vocabulary has 1"]),
        ({"tokens": [1]}, "?vocabulary=8", ["line 1", "'name' and 'ids'"]),
        ({"ids": [1]}, "?vocabulary=8&modality=sound", ["choose image or audio"]),
        ({"ids": [1]}, "?vocabulary=8&vocab=3", ["no option 'vocab'"]),
    ],
)
def test_a_dump_that_is_wrong(row, options, parts, tmp_path):
    path = rows(tmp_path / "ids.jsonl", **{"0": row})
    with pytest.raises(UserError) as error:
        load_tokenizer(f"tokens:{path}{options}")
    assert all(part in str(error.value) for part in parts), str(error.value)


def test_a_dump_without_some_of_the_samples(data, tmp_path):
    path = rows(tmp_path / "ids.jsonl", **{"0": {"ids": [1]}, "4": {"ids": [1]}})
    done = called("eval", f"tokens:{path}?vocabulary=8", "--data", data)
    refused(done, "3 missing: 1", "1 not in the dataset: 4")


def test_folders_that_hold_nothing(tmp_path):
    refused(called("eval", f"folder:{tmp_path}/x"), "is not a folder")
    refused(called("eval", f"folder:{tmp_path}"), "neither pictures nor clips")
    refused(called("eval", f"tokens:{tmp_path}/x?vocabulary=8"), "no file")
