"""Videos in a report: the loops are exactly what the tokenizer gave, and no page grows large."""

import io
import re

import numpy as np
import pytest
from PIL import Image, ImageSequence

from tokbench.bench import Job
from tokbench.report import films, video
from tokbench.report.page import Page
from tokbench.report.subjects import Subject, through
from tokbench.runner import evaluate
from tokbench.task import Task

TASK = Task("t", "test", "video", "motion-mini", ["frame-psnr", "bits-per-pixel"], "frame-psnr")


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    filed = evaluate(
        Job("frames(jpeg:10)", TASK, "motion-mini", None, 3), tmp_path_factory.mktemp("r")
    )
    return Subject(
        "<img src=x onerror=alert(1)>", {"t": filed}, {"t": TASK}, spec="frames(jpeg:10)"
    )


def panels(content):
    """Original, reconstruction and difference of each frame of a loop."""
    with Image.open(io.BytesIO(content)) as file:
        frames = np.stack([np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(file)])
    side = (frames.shape[2] - 2 * films.GAP) // 3
    return [frames[:, :, k * (side + films.GAP) :][:, :, :side] for k in range(3)]


def test_a_loop_is_what_the_tokenizer_gave(subject):
    page = Page("r")
    [section] = video.sections(page, [subject])
    media = through(subject.bench("t"), [(0, n) for n in range(3)])
    factor = int(re.search(r"difference × (\d+)", section.body)[1])
    for n, (sample, output) in enumerate(zip(media.batch.samples, media.outputs, strict=True)):
        before, after, apart = panels(page.files[f"films/t-0-{n}-1-loop.webp"])
        assert len(before) == len(sample.data) and before.shape[1:3] == (192, 192)
        lefts = range(sample.data.shape[2] - 191)
        [left] = [x for x in lefts if (sample.data[:, :, x : x + 192] == before).all()]
        assert (output[:, :, left : left + 192] == after).all()
        expected = np.abs(before.astype(int) - after) * factor
        assert (apart == np.minimum(expected, 255)).all()
    assert set(re.findall(r'src="(films/[^"]+)"', section.body)) == {
        path for path in page.files if path.startswith("films/")
    }
    assert "Worst" in section.body and "frame-psnr" in section.body
    assert "Sample by sample" in section.body and "<img src=x" not in section.body


def test_the_worst_comes_first(subject):
    [section] = video.sections(Page("r"), [subject])
    told = [float(v) for v in re.findall(r"frame-psnr ([\d.]+) dB", section.body)]
    assert len(told) == 3 and told[:2] == sorted(told)[:2]


def test_a_single_file_stays_small(subject, monkeypatch):
    monkeypatch.setattr("tokbench.report.media_section.ROOM", 1_500_000)
    page = Page("r", single=True)
    [section] = video.sections(page, [subject])
    assert not any(path.startswith("films/") for path in page.files)
    assert len(re.findall(r'src="data:image/webp', section.body)) == 3 * 4
    assert len(section.body) < 1_800_000
    assert re.search(r"frames \d+ to \d+ of 24, \d+ × \d+ of 256 × 192 pixels", section.body)


def test_a_tokenizer_that_is_not_at_hand_is_named(subject):
    gone = Subject("gone", subject.records, subject.tasks, spec="frames(webp:10)")
    [section] = video.sections(Page("r"), [gone])
    assert "not at hand" in section.body
