"""The text sections of a report: what they show, what they leave out, and that nothing escapes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mocks.command import called
from mocks.greedy import Greedy

from tokbench.record import Record
from tokbench.report import text
from tokbench.report.document import write
from tokbench.report.page import Page
from tokbench.report.subjects import Subject
from tokbench.report.text_languages import by_language
from tokbench.task import MetricUse

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
LINES = {
    "eng_Latn": ["ab hello world, unbelievable", HOSTILE, "a\u200d\u202eb\u2066 \x00é 12345"],
    "hin_Deva": ["किताब दुकान में है", "नमस्ते", "धन्यवाद"],
    "arb_Arab": ["مكتبة في المدينة", "مرحبا", "شكرا"],
    "tha_Thai": ["ร้านหนังสือ", "สวัสดี", "ขอบคุณ"],
}
METRICS = ["counts", "bytes-per-token", MetricUse("premium"), "gini", "token-length", "lossless"]
Run = Callable[..., tuple[Record, Path]]


@pytest.fixture
def subject(run: Run, parallel: Callable[..., Path]) -> Callable[..., Subject]:
    """A tokenizer with a record over the lines, its data at hand or not."""
    folder = parallel(**LINES)

    def made(spec: str, at_hand: bool = True, name: str = "") -> Subject:
        record, path = run(spec, folder, METRICS, out=spec.replace(":", "-"))
        from mocks.evidence import make_task

        task = make_task(METRICS)
        one = Subject(name or spec, {"test": (record, path)}, {"test": task}, {}, spec)
        if at_hand:
            one.data["test"] = str(folder)
        else:
            one.spec = "tokenizers:gone.json"
        return one

    return made


def bodies(*subjects: Subject) -> dict[str, str]:
    page = Page("test", single=True)
    return {section.key: str(section.body) for section in text.sections(page, subjects)}


def embedded(body: str) -> Any:
    found = re.search(r'<script type="application/json" id="tokens-data">(.*?)</script>', body)
    assert found is not None
    return json.loads(found[1])


def test_every_language_has_samples_of_every_tokenizer(subject: Callable[..., Subject]) -> None:
    body = bodies(subject("bytes"), subject("codepoints"))["tokens"]
    data = embedded(body)
    assert [one["name"] for one in data["tokenizers"]] == ["bytes", "codepoints"]
    (samples,) = data["sets"]
    assert {sample["group"] for sample in samples} == set(LINES)
    for sample in samples:
        for ids, sizes, placed in sample["cells"]:
            assert len(ids) == len(sizes) and placed
            assert sum(sizes) == len(sample["text"].encode())
    hindi = next(sample for sample in samples if sample["group"] == "hin_Deva")
    assert (hindi["title"], hindi["lang"], hindi["text"]) == (
        "Hindi", "hin-Deva", LINES["hin_Deva"][0],
    )  # fmt: skip
    assert hindi["cells"][0][1] == [1] * len(hindi["text"].encode())


def test_the_language_that_pays_most_is_chosen_first(subject: Callable[..., Subject]) -> None:
    one = subject("bytes")
    (found,) = by_language([one])
    worst = found.ranked()[0]
    assert f'<option value="0:{worst}" selected>' in bodies(one)["tokens"]


def test_sections_tell_languages_lengths_words_and_digits(
    subject: Callable[..., Subject],
) -> None:
    found = bodies(subject("bytes"), subject("words"))
    assert list(found) == [
        "tokens", "languages-test", "token-lengths", "worst-words", "census", "digits",
    ]  # fmt: skip
    assert 'data-tokens="hin_Deva">Hindi</a>' in found["languages-test"]
    assert "Lorenz curve" in found["languages-test"] and "Gini" in found["languages-test"]
    assert "Rank and frequency" in found["token-lengths"]
    assert "Words of tha_Thai are left out" in found["token-lengths"]
    assert "1|2|3|4|5|6|7|8|9 · 100%" in found["digits"]
    assert "123456789 · 100%" in found["digits"]


def test_hostile_samples_names_and_notes_are_escaped(
    subject: Callable[..., Subject], tmp_path: Path
) -> None:
    one = subject("bytes", name=f"$x${HOSTILE}\n\u202e")
    written = write([one], tmp_path / "out", single=True).read_text(encoding="utf-8")
    assert "<script>alert" not in written and "<img src=x" not in written
    assert [
        sample["text"] for sample in embedded(written)["sets"][0] if "alert" in sample["text"]
    ] == [HOSTILE]


def test_without_the_tokenizer_the_record_speaks(subject: Callable[..., Subject]) -> None:
    found = bodies(subject("bytes", at_hand=False))
    assert "tokens-data" not in found["tokens"]
    assert "the tokenizer of this record is not at hand" in found["tokens"]
    assert "Premium" in found["languages-test"]
    assert "Samples of test, one by one" in found["token-lengths"]  # from samples.parquet
    assert "test, as recorded" in found["token-lengths"]
    assert "fewest bytes per token" in found["worst-words"]
    assert "census" not in found and "digits" not in found


def test_one_of_two_may_be_missing(subject: Callable[..., Subject]) -> None:
    found = bodies(subject("bytes"), subject("words", at_hand=False))
    assert [one["name"] for one in embedded(found["tokens"])["tokenizers"]] == ["bytes"]
    assert "words: the tokenizer of this record is not at hand" in found["tokens"]
    assert "words" in found["languages-test"]


def test_a_vocabulary_with_hostile_tokens(run: Run, tmp_path: Path) -> None:
    tokenizer = Greedy(["</script>", "<b>", "\u202e", b"\xf0\x9f", "a", "b", " ", "1"])
    data = tmp_path / "lines.txt"
    data.write_text("</script><b>\u202e ab 1\nq😀\n", encoding="utf-8")
    record, path = run("mocks.greedy:Greedy", data, ["counts"], tokenizer=tokenizer)
    from mocks.evidence import make_task

    one = Subject("g", {"test": (record, path)}, {"test": make_task(["counts"])}, {})
    one.__dict__["tokenizer"], one.spec = tokenizer, "mocks.greedy:Greedy"
    one.data["test"] = str(data)
    found = bodies(one)
    assert found["tokens"].count("</script>") == 2  # of the data and of the script itself
    sample = embedded(found["tokens"])["sets"][0][0]
    assert sample["cells"][0] == [[1, 2, 3, 7, 5, 6, 7, 8], [9, 3, 3, 1, 1, 1, 1, 1], True]


def test_equal_input_makes_equal_sections(subject: Callable[..., Subject]) -> None:
    assert bodies(subject("bytes")) == bodies(subject("bytes"))


def test_the_command_writes_them(parallel: Callable[..., Path], tmp_path: Path) -> None:
    done = called(
        "report", "bytes", "--task", "text-parallel", "--data", parallel(**LINES),
        "--out", tmp_path / "report", "--runs", tmp_path / "runs",
    )  # fmt: skip
    assert done.code == 0, done.err
    written = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert 'id="tokens-view"' in written and 'id="languages-text-parallel"' in written


def test_a_reader_finds_a_language_and_reads_a_token(
    subject: Callable[..., Subject], browser: Callable[..., Any], tmp_path: Path
) -> None:
    path = write([subject("bytes"), subject("words")], tmp_path / "report", single=True)
    page = browser(path, width=390)
    page.fill("#tokens-filter", "hindi")
    assert page.input_value("#tokens-group") == "0:hin_Deva"
    sample = page.locator(".tokens-sample").first
    assert sample.locator("blockquote").inner_text() == LINES["hin_Deva"][0]
    first = sample.locator(".tok").first
    first.hover()
    tip = page.locator("#tokens-tip")
    assert re.sub(r"\s+", " ", tip.inner_text()) == "id 224 bytes E0"
    first.focus()
    page.keyboard.press("ArrowRight")
    assert "A4" in tip.inner_text() or "95" in tip.inner_text()
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    shown = "() => [...document.querySelectorAll('.tokens-one')].map((one) => "
    shown += "[...one.querySelectorAll('.tok')].flatMap((tok) => [...tok.about.own]))"
    everything = [bytes(row) for row in page.evaluate(shown)]
    lines = LINES["hin_Deva"]
    assert everything == [line.encode() for line in lines for _ in range(2)]


def test_right_to_left_invisible_and_hostile_text_is_drawn_safely(
    subject: Callable[..., Subject], browser: Callable[..., Any], tmp_path: Path
) -> None:
    page = browser(write([subject("words")], tmp_path / "report"), dark=True)
    page.locator("a[data-tokens=arb_Arab]").click()
    page.wait_for_function(
        "getComputedStyle(document.querySelector('.tokens-text')).direction === 'rtl'"
    )
    page.locator("a[data-tokens=eng_Latn]").click()
    chips = page.locator(".tokens-text .chip").all_inner_texts()
    assert {"ZWJ", "RLO", "LRI", "U+0000"} <= set(chips)
    assert HOSTILE in page.locator("blockquote").all_inner_texts()
    assert page.locator("#tokens").evaluate("e => e.scrollWidth - e.clientWidth") <= 0


def test_a_language_in_several_scripts_is_named_with_its_script() -> None:
    from tokbench.text.languages import title_of

    among = ["eng_Latn", "eng_Dsrt", "tur_Latn"]
    assert [title_of(label, among) for label in among] == [
        "English (Latn)", "English (Dsrt)", "Turkish",
    ]  # fmt: skip
    assert title_of("numbers", among) == "numbers"
