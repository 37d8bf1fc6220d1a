"""Pictures in a report: what the page shows is what the tokenizer gave, and nothing else."""

import io
import json
import re
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from mocks.images import picture
from mocks.reading import NAME
from PIL import Image

from tokbench.bench import Job
from tokbench.image.pictures import save_png
from tokbench.report import codebook_map, document, gallery, image, media_curves, pictures, shown
from tokbench.report.marked import Piece, letters, words
from tokbench.report.media_section import room
from tokbench.report.page import Page
from tokbench.report.per_sample import measures
from tokbench.report.subjects import Subject, through
from tokbench.runner import evaluate
from tokbench.task import MetricUse, Task
from tokbench.types import Score

HOSTILE = "<img src=x onerror=alert(1)> ‮txt.exe"
METRICS = ["psnr", "ssim", "bits-per-pixel"]


def task(metrics=METRICS, main="psnr"):
    return Task("t", "test", "image", "photos-mini", metrics, main)


PLAIN = task()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    root.mkdir()
    for n in range(3):
        (root / f"{n}.png").write_bytes(save_png(picture(n, 40, 48)))
    (root / f"{HOSTILE}.png").write_bytes(save_png(picture(9, 40, 48)))
    return root


@pytest.fixture
def subject(folder, tmp_path):
    def made(spec="jpeg:10", task=PLAIN, name="", data=folder) -> Subject:
        filed = evaluate(Job(spec, task, str(data)), tmp_path / "runs")
        return Subject(name or spec, {"t": filed}, {"t": task}, {"t": str(data)}, spec)

    return made


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_the_page_has_exactly_the_reconstruction(subject):
    one, page = subject(), Page("r")
    [section] = image.sections(page, [one])
    media = through(one.bench("t"), [(0, n) for n in range(4)])
    for n, (sample, output) in enumerate(zip(media.batch.samples, media.outputs, strict=True)):
        assert (pixels(page.files[f"pictures/t-0-{n}-original.webp"]) == sample.data).all()
        assert (pixels(page.files[f"pictures/t-0-{n}-1.webp"]) == output).all()
        factor = int(re.search(r"difference × (\d+)", section.body)[1])
        apart = pixels(page.files[f"pictures/t-0-{n}-1-difference.webp"])
        assert (apart == pictures.difference(sample.data, output, factor)).all()
    assert set(re.findall(r'src="(pictures/[^"]+)"', section.body)) == {
        path for path in page.files if path.startswith("pictures/")
    }


def test_difference_by_hand():
    a = np.array([[[10, 20, 30], [200, 0, 0]]], np.uint8)
    b = np.array([[[13, 20, 0], [0, 0, 1]]], np.uint8)
    assert pictures.difference(a, b, 4).tolist() == [[[12, 0, 120], [255, 0, 4]]]
    assert pictures.amplification([(a, a)]) == 1
    assert pictures.amplification([(a, np.maximum(a, 7) - 7)] * 9) == 32
    assert pictures.amplification([(a, b)]) == 1  # 200 at the least once in six values


def test_the_window_is_where_it_differs_most():
    a = np.zeros((30, 50, 3), np.uint8)
    b = a.copy()
    b[20:24, 40:44] = 9
    b[2, 2] = 9
    y, x = pictures.window(pictures.summed_error(a, [b]), 8)
    assert (y.stop - y.start, x.stop - x.start) == (8, 8)
    assert y.start <= 20 < 24 <= y.stop and x.start <= 40 < 44 <= x.stop
    y, x = pictures.window(pictures.summed_error(a, [b]), 99)
    assert (y, x) == (slice(0, 30), slice(0, 50))


def test_worst_first_then_others_the_same_for_all(subject):
    two = [subject(), subject("jpeg:60")]
    found = shown.show("t", two, 2, 1)
    psnr = [s.samples("t").evidence.columns["psnr"] for s in two]
    order = np.argsort(np.mean(psnr, 0)).tolist()
    assert found.worst == [(0, n) for n in order[:2]] and found.measure.name == "psnr"
    assert len(found.drawn) == 1 and not set(found.drawn) & set(found.worst)
    assert shown.show("t", two, 2, 1).drawn == found.drawn
    assert found.value("jpeg:10", found.worst[0]) == pytest.approx(psnr[0][order[0]])


def test_hostile_names_are_text(subject, tmp_path):
    out = document.write([subject(name="<script>alert(2)</script>")], tmp_path / "out")
    html = out.read_text()
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "<img src=x" not in html and "<script>alert" not in html
    assert not [p for p in (tmp_path / "out").rglob("*") if "onerror" in p.name]


def test_without_the_tokenizer_the_numbers_stay(subject):
    one = subject()
    record, path = one.records["t"]
    record = msgspec.structs.replace(record, tokenizer="ghost:1")
    record.provenance = msgspec.structs.replace(record.provenance, arguments=[])
    gone = Subject("ghost", {"t": (record, path)}, one.tasks, one.data)
    page = Page("r")
    [section] = image.sections(page, [gone])
    assert "the tokenizer of this record is not at hand" in section.body
    assert "pictures/" not in section.body and "Sample by sample" in section.body
    both = next(image.sections(Page("r"), [gone, one])).body
    assert "not at hand" in both and both.count('class="tile wipe"') == 4


def test_other_data_is_told_apart(subject, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.png").write_bytes(save_png(picture(5)))
    found = shown.show("t", [subject(), subject("jpeg:60", data=other)], 1, 0)
    assert found.absent == {"jpeg:60": "it was measured on other samples, or otherwise"}


def test_one_file_is_cut_to_its_room(subject):
    found, page = shown.show("t", [subject()], 2, 2), Page("r", single=True)
    blocks = gallery.gallery(page, found, 10**7)
    assert "cut to" not in str(blocks[0].notes) and not page.files
    small = gallery.gallery(page, found, 8)
    assert "cut to the 64 × 64 pixels" in small[0].notes[0]  # never smaller than that
    data = re.search(r'src="data:image/webp;base64,([^"]+)"', str(blocks[0].body))[1]
    assert pixels(b64decode(data)).shape == (40, 48, 3)
    assert room(page, found.subjects) > 10**6 and room(Page("r"), found.subjects) == 0


def test_large_pictures_are_cut_until_they_fit(tmp_path, subject):
    root = tmp_path / "large"
    root.mkdir()
    (root / "a.png").write_bytes(save_png(picture(1, 600, 700)))
    found, page = shown.show("t", [subject(data=root)], 1, 0), Page("r", single=True)
    [block] = gallery.gallery(page, found, 300_000)
    assert "To keep this file small" in block.notes[0] and "of 700 × 600 pixels" in block.body
    assert len(block.body) < 320_000


def test_words_are_cut_out_and_read(tmp_path):
    """The probe reads brightness: black is `a`, white is `z`; the codec keeps both."""
    root = tmp_path / "words"
    root.mkdir()
    page = np.zeros((64, 64, 3), np.uint8)
    page[:, 32:] = 255
    (root / "p.png").write_bytes(save_png(page))
    noted = [
        {"text": "a", "box": [0, 0, 32, 32]},
        {"text": "<b>", "box": [32, 0, 64, 32], "ratio": 0.025},
    ]
    (root / "annotations.jsonl").write_text(json.dumps({"name": "p", "words": noted}))
    use = MetricUse("t-ned", {"probe": NAME, "resolution": 256})
    one = task([use, "psnr"], "t-ned")
    filed = evaluate(Job("identity", one, str(root)), tmp_path / "runs")
    subject = Subject("identity", {"t": filed}, {"t": one}, {"t": str(root)}, "identity")
    report = Page("r")
    [section] = image.sections(report, [subject])
    assert "<del>&lt;b&gt;</del><ins>z</ins>" in section.body and "<b>" not in section.body
    assert 'title="read exactly"' in section.body
    assert (pixels(report.files["pictures/words-t-large-0-1.webp"]) == page[:32, :32]).all()
    assert (pixels(report.files["pictures/words-t-small-0-0.webp"]) == 255).all()


def test_readings_are_marked():
    assert letters("cat", "cart") == [Piece("ca"), Piece("", "", "r"), Piece("t")]
    assert words("one two six", "one too six ten") == [
        Piece("one"), Piece("", "two", "too"), Piece("six"), Piece("", "", "ten"),
    ]  # fmt: skip


def test_points_of_one_family_are_a_curve(subject):
    several = [subject(f"jpeg:{quality}") for quality in (10, 40)]
    page = Page("r")
    block = media_curves.rate_distortion(page, "t", several)
    assert "figures/rate-t.svg" in page.files and "jpeg:N" in block.body
    one = media_curves.rate_distortion(page, "t", several[:1])
    assert not one.body and "One point makes no curve" in one.notes[0]


def test_disturbed_codes_are_drawn_where_the_record_has_them(subject):
    one = subject()
    assert media_curves.disturbed(Page("r"), "t", [one]) == []
    record, path = one.records["t"]
    extra = [
        Score(name=f"perturbed-psnr/alpha-{a}", value=30 - 10 * a, n=4, unit="dB", better="higher")
        for a in (0.0, 0.25, 0.5)
    ]
    record = msgspec.structs.replace(record, scores=[*record.scores, *extra])
    [block] = media_curves.disturbed(Page("r"), "t", [replace(one, records={"t": (record, path)})])
    assert block.title == "Disturbed codes: perturbed-psnr" and "27.5 at 0.25" in block.body


def test_codebook_on_a_grid():
    table = codebook_map.grid(np.array([3, 0, 1, 2, 7]))
    assert table.shape == (3, 3)
    assert np.nan_to_num(table, nan=-1).tolist() == [[3, -1, 1], [2, 7, -1], [-1, -1, -1]]
    assert codebook_map.grid(np.ones(1024)).shape == (32, 32)


def test_codes_are_counted_and_bytes_are_not(subject, tmp_path):
    one = subject("vq:8x16?on=" + str(tmp_path / "pictures"))
    found = shown.show("t", [one, subject()], 2, 2)
    block = codebook_map.usage_maps(Page("r"), found)
    media = found.media[one.name]
    [counts] = codebook_map.counted(media)
    assert counts.sum() == len(media.codes.levels[0].values) == 4 * 5 * 6
    assert f"by {counts.sum():,} tokens of 4 samples" in block.body and "jpeg" not in block.body


def test_columns_that_make_a_score():
    columns = ["samples", "psnr", "ssim?window=a", "ssim?window=a:n", "words-x-256:small:n",
               "words-x-256:large:n", "words-x-256:small:t-acc", "words-x-256:large:t-acc",
               "words-x-256:small:t-acc-original"]  # fmt: skip
    found = measures("t-acc/large", columns)
    assert [m.name for m in found] == ["t-acc", "psnr", "ssim"]
    assert found[0].top == ("words-x-256:small:t-acc", "words-x-256:large:t-acc")
    assert found[0].bottom == ("words-x-256:small:n", "words-x-256:large:n")


def test_faces_with_their_similarity(tmp_path):
    pytest.importorskip("dlib", reason="dlib is not installed: no face probe")
    one = Task("t", "test", "image", "faces-mini", ["f-sim", "psnr"], "f-sim", view=256)
    filed = evaluate(Job("webp:60", one, "faces-mini", limit=1), tmp_path / "runs")
    subject = Subject("webp:60", {"t": filed}, {"t": one}, {}, "webp:60")
    page = Page("r")
    [section] = image.sections(page, [subject])
    told = float(re.search(r'<span class="told">(0\.\d{3})</span>', section.body)[1])
    assert told == pytest.approx(filed[0].score("f-sim/pooled").value, abs=6e-4)


def test_slider_and_dialog(subject, tmp_path, browser):
    for single in (False, True):
        out = document.write([subject(), subject("jpeg:60")], tmp_path / str(single), single)
        page = browser(out)
        page.locator(".wipe .over").first.evaluate("image => image.decode()")
        slider = page.locator(".wipe input").first
        clip = "e => getComputedStyle(e.closest('.wipe').querySelector('.over')).clipPath"
        assert "50%" in slider.evaluate(clip)
        slider.focus()
        page.keyboard.press("End")
        assert "0%" in slider.evaluate(clip) and "50%" not in slider.evaluate(clip)
        look = page.locator("button.look[data-view=difference]").first
        look.focus()
        page.keyboard.press("Enter")
        dialog = page.locator("dialog[open]")
        assert dialog.count() == 1 and dialog.locator(".apart").is_visible()
        page.wait_for_function("document.querySelector('.frame').style.width")
        width = dialog.locator(".frame").evaluate("e => e.clientWidth")
        assert width % 48 == 0  # whole pixels
        dialog.locator("input[value=wipe]").check()
        dialog.locator(".slide input").fill("20")
        over = dialog.locator(".over").evaluate("e => getComputedStyle(e).clipPath")
        assert "80%" in over
        page.keyboard.press("Escape")
        assert page.locator("dialog[open]").count() == 0
        assert page.evaluate("document.activeElement.dataset.view") == "difference"


def test_narrow_and_dark(subject, tmp_path, browser):
    out = document.write([subject(), subject("jpeg:60")], tmp_path / "out")
    page = browser(out, width=390, dark=True)
    for block in page.locator(".card, .note, .about").all():
        assert block.bounding_box()["width"] <= 390
