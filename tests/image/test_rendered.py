"""Drawn words: the same everywhere, exact, every bucket filled, legible."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mocks.command import called, refused

from tokbench import files
from tokbench.dataset import open_dataset
from tokbench.errors import UserError
from tokbench.image import rendered
from tokbench.image.drawn import digest_of
from tokbench.image.lettering import FONTS, drawn
from tokbench.image.pictures import save_png
from tokbench.image.words import crop, scale, words_of
from tokbench.metrics.image.words import BUCKETS, EDGES, bucket
from tokbench.probes.ocr import text_probe


@pytest.fixture(scope="module")
def some():
    return [rendered._draw(number) for number in range(4)]


def test_a_picture_follows_from_seed_and_number(some):
    again = rendered._draw(3)
    assert (again.data == some[3].data).all() and again.notes == some[3].notes
    assert again.data.dtype == np.uint8 and again.data.shape == (720, 1280, 3)
    assert (some[0].data != rendered._draw(4).data).any()
    [part] = rendered.text_render()
    assert part.items[2].weight() == some[2].data.nbytes and len(part.items) == 40


def test_they_are_drawn_once(tmp_path, monkeypatch, some):
    monkeypatch.setenv("TOKBENCH_CACHE", str(tmp_path))
    files.cache_dir.cache_clear()
    made = []

    def draw(number):
        made.append(number)
        return replace(some[number], notes=dict(some[number].notes))

    monkeypatch.setattr(rendered, "_draw", draw)
    monkeypatch.setattr(rendered, "PICTURES", 4)
    for _ in range(2):  # two tasks of a suite
        [part] = rendered.text_render()
        assert part.items[0].digest() == digest_of(some[0])
        assert len(part.fingerprint()) == 64
        for item, sample in zip(part.items, some, strict=True):
            found = item.load()
            assert (found.data == sample.data).all() and found.data.flags.writeable
            assert (found.name, found.notes) == (sample.name, sample.notes)
    assert made == [0, 1, 2, 3]
    damaged = next(tmp_path.rglob("02.bin"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    [part] = rendered.text_render()
    assert (part.items[2].load().data == some[2].data).all() and made[4:] == [2]


@pytest.mark.parametrize("resolution", EDGES)
def test_each_picture_fills_every_bucket(some, resolution):
    for sample in some:
        height, width = sample.data.shape[:2]
        scales = [scale(word, height, width) for word in words_of(sample)]
        assert {bucket(s, resolution) for s in scales} - {None} == set(range(len(BUCKETS)))
        assert min(scales) >= EDGES[1024][0]


def test_words_do_not_overlap(some):
    for sample in some:
        taken = np.zeros(sample.data.shape[:2], np.int64)
        for word in words_of(sample):
            crop(taken, word.box)[:] += 1
        assert taken.max() == 1


def test_ink_fills_its_box():
    rng = np.random.default_rng(5)
    for width in (20, 60, 300):
        mask = drawn("Quality", rng, width)
        assert mask.shape[1] == width and mask.dtype == np.uint8
        edges = mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()
        assert min(edges) > 20 and mask.max() > 200


def test_fonts_are_matplotlibs():
    from matplotlib import get_data_path

    assert all((Path(get_data_path()) / f"fonts/ttf/{f}.ttf").is_file() for f in FONTS)


def test_rapidocr_reads_the_originals_whatever_is_read_along(some):
    """At least nine words of ten; each by itself as among others."""
    found = [(crop(s.data, w.box), w.text) for s in some[:1] for w in words_of(s)]
    crops = [each for each, _ in found]
    probe = text_probe("rapidocr")
    read = probe.recognise(crops)
    assert np.mean([text == truth for text, (_, truth) in zip(read, found, strict=True)]) >= 0.9
    assert probe.recognise(crops[4:5]) + probe.recognise(crops[8:6:-1]) == [
        read[4], read[8], read[7],
    ]  # fmt: skip
    assert probe.recognise([]) == [] and len(probe.fingerprint()) == 64


def test_rapidocr_finds_words():
    page = np.full((260, 260, 3), 235, np.uint8)
    mask = drawn("harbour", np.random.default_rng(2), 200)
    page[40 : 40 + mask.shape[0], 30:230] -= (mask[:, :, None] * 0.8).astype(np.uint8)
    [(text, box, _)] = text_probe("rapidocr").read(page)
    assert text == "harbour" and abs(box[0] - 30) < 30 and abs(box[2] - 230) < 30


def test_a_missing_probe_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    text_probe.cache_clear()
    arguments = ["eval", "identity", "--task", "text-render-256", "--out", tmp_path / "runs"]
    refused(called(*arguments), "rapidocr", "pip install 'tokbench[image]'")
    assert not (tmp_path / "runs").exists()
    text_probe.cache_clear()


def test_tokbenchs_own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKBENCH_DATA", str(tmp_path))
    root = tmp_path / "tokbench"
    for part in ("annotations", "images/text_data/ic13", "images/text_data/tt"):
        (root / part).mkdir(parents=True)
    refused(called("data", "verify", "tokbench-text"), "no annotations/text_*.json")
    said = {"rec": "tea", "bbox": [1, 2, 9, 8], "ratio": 0.03}
    for group, names in (("ic13", ["b", "a"]), ("tt", ["a"])):
        listed = [
            {"file_name": f"{n}.png", "height": 12, "width": 16, "annotations": [said]}
            for n in names
        ]
        (root / "annotations" / f"text_{group}.json").write_text(json.dumps(listed))
        for n in names:
            path = root / "images" / "text_data" / group / f"{n}.png"
            path.write_bytes(save_png(np.full((12, 16, 3), 90, np.uint8)))
    dataset = open_dataset("tokbench-text")
    assert dataset.groups == ["ic13", "tt"]
    sample = dataset.parts[0].items[0].load()
    assert sample.name == "b" and scale(words_of(sample)[0], 12, 16) == 0.03
    (root / "images/text_data/tt/a.png").unlink()
    with pytest.raises(UserError, match=r"1 of 1 annotated pictures are not there: a\.png"):
        open_dataset("tokbench-text")


def test_tokbenchs_faces(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKBENCH_DATA", str(tmp_path))
    root = tmp_path / "tokbench"
    for part in ("annotations", "images/face_data/wflw/0--Parade"):
        (root / part).mkdir(parents=True)
    refused(called("data", "verify", "tokbench-faces"), "no annotations/face_meta.json")
    points = [[2, 3], [6, 3], [4, 5], [3, 7], [5, 7]]
    face = {"kps": points, "box": [1, 2, 9, 8], "ratio": 0.3, "gt": ""}
    listed = [{"image_name": "0--Parade/a.png", "img_height": 12, "img_width": 16, "faces": [face]}]
    path = root / "annotations" / "face_meta.json"
    path.write_text(json.dumps(listed))
    picture = root / "images/face_data/wflw/0--Parade/a.png"
    picture.write_bytes(save_png(np.full((12, 16, 3), 90, np.uint8)))
    dataset = open_dataset("tokbench-faces")
    sample = dataset.parts[0].items[0].load()
    assert sample.name == "0--Parade/a"
    assert sample.notes["faces"] == [{"keypoints": points, "box": [1, 2, 9, 8], "ratio": 0.3}]
    del face["kps"]
    path.write_text(json.dumps(listed))
    with pytest.raises(UserError, match=r"\(image_name, faces with kps, box, ratio\): KeyError"):
        open_dataset("tokbench-faces")
    picture.unlink()
    face["kps"] = points
    path.write_text(json.dumps(listed))
    with pytest.raises(UserError, match=r"1 of 1 annotated pictures are not there: a\.png"):
        open_dataset("tokbench-faces")
