"""T-ACC, T-NED, OCR-CER and OCR-WER: TokBench's published logs, by hand, and the laws."""

import json
from itertools import pairwise

import numpy as np
import pytest
from mocks.command import called, refused
from mocks.reading import NAME, Brightness, Darker

from tokbench.bench import Job, open_bench
from tokbench.errors import UserError
from tokbench.evidence import Evidence
from tokbench.image.pictures import save_png
from tokbench.image.words import Word, in_reading_order, scale, words_of
from tokbench.metrics.image import words
from tokbench.probes.ocr import kept_readings
from tokbench.runner import evaluate
from tokbench.task import MetricUse, Task
from tokbench.types import Sample

SETS = {"ic13": (213, 882), "ic15": (421, 1347), "tt": (247, 1168), "sroie": (347, 6258)}
"""Pictures and words of the published logs."""


def log_of(published, name):
    [of_256] = json.loads((published / "tokbench_logs" / f"{name}.json").read_text()).values()
    return of_256["256"]


@pytest.mark.parametrize("name", SETS)
def test_every_published_row(published, name):
    """Accuracy and similarity of each word, each picture's means, the totals of the set."""
    log = log_of(published, name)
    pictures = log["details"].values()
    rows = [row for picture in pictures for row in picture["results"]]
    assert (len(pictures), len(rows)) == SETS[name]
    hits = [words.accuracy(row["gt"], row["pred"]) for row in rows]
    similar = [words.similarity(row["gt"], row["pred"]) for row in rows]
    assert hits == [row["accuracy"] for row in rows]
    assert similar == pytest.approx([row["ned"] for row in rows], abs=1e-12)
    assert f"{np.mean(hits):.2%}" == log["results"]["accuracy"]
    assert f"{np.mean(similar):.2%}" == log["results"]["ned"]


@pytest.mark.parametrize("name", SETS)
def test_published_ratios_are_integer_extents(published, name):
    """Over characters and the longer side; portrait rows of IC13 took the shorter."""
    for picture in log_of(published, name)["details"].values():
        height, width = picture["height"], picture["width"]
        side = width if name == "ic13" and height > width else max(height, width)
        for row in picture["results"]:
            extent = row["ratio"] * len(row["gt"]) * side
            assert extent == pytest.approx(round(extent), abs=1e-6)
            ours = scale(Word(row["gt"], (0, 0, round(extent), 1)), side, 1)
            assert ours == pytest.approx(row["ratio"], abs=1e-12)


@pytest.mark.parametrize("resolution", words.EDGES)
def test_buckets_of_the_published_rows(published, resolution):
    """Against a plain loop over half-open ranges."""
    logs = [log_of(published, name)["details"].values() for name in SETS]
    ratios = [row["ratio"] for log in logs for picture in log for row in picture["results"]]
    ranges = list(pairwise(words.EDGES[resolution]))
    expected = [next((i for i, (a, b) in enumerate(ranges) if a <= r < b), None) for r in ratios]
    assert [words.bucket(ratio, resolution) for ratio in ratios] == expected
    assert {0, 1, 2} <= set(expected)


def test_by_hand():
    assert words.accuracy("Tea", "Tea") == 1 and words.accuracy("Tea", "tea") == 0
    assert words.similarity("Tiredness", "Treeneas") == pytest.approx(2 / 3)
    assert words.similarity("", "") == 1 and words.similarity("", "a") == 0
    assert words.similarity("İstanbul", "Istanbul") == 7 / 8
    assert [words.bucket(r, 256) for r in (0.0199, 0.02, 0.03, 0.04, 1.0)] == [None, 0, 1, 2, None]
    assert scale(Word("tea", (0, 0, 30, 12)), 100, 200) == 0.05
    assert scale(Word("tea", (0, 0, 12, 30)), 100, 200) == 0.05
    assert scale(Word("tea", (0, 0, 30, 12), 0.5), 100, 200) == 0.5


@pytest.mark.parametrize("name", ["t-acc", "t-ned", "ocr-cer", "ocr-wer"])
def test_shown(name):
    done = called("show", name)
    assert done.code == 0 and "probe = 'rapidocr'" in done.out


def test_words_become_integer_boxes_within_the_picture():
    said = [{"text": "tea", "box": [-1.5, 2.2, 9.1, 99]}]
    sample = Sample("a", np.zeros((20, 30, 3), np.uint8), notes={"words": said})
    assert words_of(sample) == [Word("tea", (0, 2, 10, 20))]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"text": "tea"}, r'a: words\[0\]: not {"text"'),
        ({"text": "tea", "box": [1, 2, 3]}, "in pixels"),
        ({"text": "tea", "box": ["1", 2, 3, 4]}, "in pixels"),
        ("tea", "in pixels"),
        ({"text": "", "box": [1, 2, 3, 4]}, "leave out what cannot be read"),
        ({"text": "tea", "box": [40, 2, 50, 4]}, "lies within the picture of 30 × 20"),
    ],
)
def test_what_is_no_word_is_refused(said, why):
    sample = Sample("a", np.zeros((20, 30, 3), np.uint8), notes={"words": [said]})
    with pytest.raises(UserError, match=why):
        words_of(sample)


def test_reading_order():
    placed = [("d", 30, 42), ("b", 40, 11), ("a", 2, 8), ("c", 1, 40)]
    boxed = [Word(text, (x, y, x + 10, y + 10)) for text, x, y in placed]
    assert [word.text for word in in_reading_order(boxed)] == ["a", "b", "c", "d"]


def noted(*said):
    return [{"text": text, "box": list(box)} for text, box in said]


@pytest.fixture
def folder(tmp_path):
    """Four pictures of 32 × 32, with a word left and right of column 16 each, but the last."""
    root = tmp_path / "pictures"
    root.mkdir()
    lines = []
    for number, (left, right) in enumerate([(80, 160), (40, 200), (120, 250), (10, 90)]):
        picture = np.full((32, 32, 3), left, np.uint8)
        picture[:, 16:] = right
        (root / f"{number}.png").write_bytes(save_png(picture))
        truth = [chr(ord("a") + int(value / 256 * 26)) for value in (left, right)]
        # One character: scales 1/4, 1/32 = 0.031 and 1/32 again, which 256 calls medium.
        boxes = noted((truth[0], (0, 0, 8, 8)), (truth[1], (20, 0, 21, 1)))
        if number < 3:
            lines.append(json.dumps({"name": str(number), "words": boxes}))
    (root / "annotations.jsonl").write_text("\n".join(lines))
    return root


def task(*metrics, **rest):
    uses = [MetricUse(name, {"probe": NAME, **options}) for name, options in metrics]
    return Task("t", "test", "image", "text-render", uses, "t-acc", **rest)


def test_an_empty_bucket_has_no_mean(folder, tmp_path):
    job = Job("darker", task(("t-acc", {}), ("t-ned", {})), str(folder))
    record, _ = evaluate(job, tmp_path / "runs", tokenizer=Darker())
    label = f"t-acc-{NAME}"
    score = record.score(label)
    assert score.value is None and score.note == "no word in bucket small: no mean of three"
    assert record.score(f"{label}/small").note == "no word has a scale from 0.02 up to 0.03"
    assert record.score(f"{label}/large").value == 1 and record.score(f"{label}/medium").value == 0
    assert record.score(f"{label}/unscored").value == 0
    assert "probe:mocks.reading:Brightness#bbbbbbbb|resolution:256|buckets" in score.metric


def test_mean_of_buckets_pools_pictures(folder, tmp_path):
    said = noted(("d", (0, 0, 16, 4)), ("e", (20, 0, 21, 1)))
    said += [{"text": "x", "box": [0, 20, 4, 24], "ratio": 0.025}]
    said += [{"text": "x", "box": [0, 20, 4, 24], "ratio": 0.01}]
    lines = (folder / "annotations.jsonl").read_text()
    more = json.dumps({"name": "3", "words": said})
    (folder / "annotations.jsonl").write_text(f"{lines}\n{more}")
    job = Job("darker", task(("t-acc", {})), str(folder))
    record, _ = evaluate(job, tmp_path / "runs", tokenizer=Darker())
    label = f"t-acc-{NAME}"
    # large 3 of 4 (picture 3 reads "b"), medium 1 of 4 (90 // 2 is "e"), small 0 of 1
    found = [record.score(f"{label}/{b}").value for b in words.BUCKETS]
    assert found == [0, 0.25, 0.75]
    assert record.score(label).value == pytest.approx(1 / 3) and record.score(label).n == 9
    assert record.score(f"{label}/unscored").value == 1
    assert "left out" in record.score(f"{label}/unscored").note
    assert record.score(f"{label}/original").value == pytest.approx((0 + 3 / 4 + 3 / 4) / 3)


def test_one_shard_is_many_and_originals_are_read_once(folder, tmp_path):
    metrics = ("t-acc", {"resolution": 512}), ("t-ned", {"resolution": 512}), ("ocr-cer", {})

    def run(most):
        job = Job("darker", task(*metrics, shard_samples=most), str(folder))
        before = Brightness.asked
        record, _ = evaluate(job, tmp_path / str(most), tokenizer=Darker())
        return {s.name: (s.value, s.low, s.n) for s in record.scores}, Brightness.asked - before

    (first, _), (second, asked), (third, again) = run(1), run(3), run(4)
    assert first == second == third
    assert asked == again == 6 + 4  # the words and the pages of the reconstructions alone


def test_evidence_merges_exactly(folder):
    given = task(("t-ned", {}), ("ocr-wer", {}), shard_samples=1)
    bench = open_bench(Job("darker", given, str(folder)), Darker())
    parts = [bench.evidence(shard) for shard in bench.source.plan(None)]
    one = Evidence.joined([Evidence.joined(parts[:2]), Evidence.joined(parts[2:])])
    other = Evidence.joined(parts)
    assert all((one.columns[name] == other.columns[name]).all() for name in other.columns)


def test_pages(folder, tmp_path):
    """The right half of four pictures is read wrong: 4 of 12 characters, 4 of 8 words."""
    job = Job("darker", task(("ocr-cer", {}), ("ocr-wer", {})), str(folder))
    record, _ = evaluate(job, tmp_path / "runs", tokenizer=Darker())
    value = {s.name.replace(f"-{NAME}", ""): s.value for s in record.scores}
    assert value["ocr-cer"] == 4 / 12 and value["ocr-wer"] == 4 / 8
    assert value["ocr-cer/truth"] == 3 / 9 and value["ocr-cer/original"] == 0
    plain = Job("identity", task(("ocr-cer", {}), ("t-acc", {})), str(folder))
    record, _ = evaluate(plain, tmp_path / "plain")
    assert record.score(f"ocr-cer-{NAME}").value == 0


def test_without_words_there_is_no_score(folder, tmp_path):
    (folder / "annotations.jsonl").unlink()
    job = Job("darker", task(("t-acc", {}), ("ocr-cer", {})), str(folder))
    record, _ = evaluate(job, tmp_path / "runs", tokenizer=Darker())
    score, truth = record.score(f"t-acc-{NAME}"), record.score(f"ocr-cer-{NAME}/truth")
    assert score.value is None and score.note == "no picture's words are annotated"
    assert truth.value is None and truth.note == score.note
    assert record.score(f"ocr-cer-{NAME}").value == 4 / 12


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ("probe = 'rapidcr'", ["no probe named 'rapidcr'", "did you mean 'rapidocr'"]),
        ("resolution = 300", ["resolution: choose 256, 512, 1024, not 300"]),
        ("size = 3", ["has no option 'size'", "probe, resolution"]),
    ],
)
def test_refused_options(options, parts, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        "name = 'own'\ntitle = ''\nmodality = 'image'\ndataset = 'text-render'\nmain = 't-acc'\n"
        f"metrics = [{{ name = 't-acc', options = {{ {options} }} }}]\n"
    )
    refused(called("eval", "identity", "--task", path), *parts)


def test_another_task_reads_only_what_was_not_read(tmp_path, monkeypatch):
    """The words of 256 are among those of 512: of an original each is read once."""
    monkeypatch.setenv("TOKBENCH_CACHE", str(tmp_path))

    class Counting:
        name = "counting"

        def __init__(self):
            self.asked = []

        def fingerprint(self):
            return "0" * 64

        def recognise(self, crops):
            self.asked.append(len(crops))
            return [str(each.mean()) for each in crops]

    picture = np.arange(64 * 64 * 3).astype(np.uint8).reshape(64, 64, 3)
    probe, boxes = Counting(), [(0, 0, 8, 8), (9, 9, 30, 12), (40, 4, 60, 30)]
    first = kept_readings(probe, picture, boxes[:2])
    assert kept_readings(probe, picture, boxes)[:2] == first
    assert kept_readings(probe, picture, boxes[::-1])[1:] == first[::-1]
    assert probe.asked == [2, 1]
    assert kept_readings(probe, picture + 1, boxes[:1]) != first[:1]
