"""Noise and cut prompts: by hand, and against plain loops over samples and bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from mocks.evidence import Groups, batch_of, evidence_of, scores_of
from mocks.greedy import Greedy

from tokbench.metrics.text.prompts import PromptEnds, common_prefix, prompt_ends
from tokbench.metrics.text.robustness import Disturbed, Stability, Surcharge, perturbations
from tokbench.statistics import EncodedText
from tokbench.text.cuts import PLACES, cut
from tokbench.text.perturb import PERTURBATIONS, TYPOS, perturb
from tokbench.tokenizers.text.adapter import TextTokenizer, token_spans
from tokbench.tokenizers.text.baselines import Bytes, Codepoints, Words
from tokbench.types import Ragged

LINES = [
    "The modern baker opens her shop at 5 o'clock; İzmir is çok güzel.",
    "Привет, йогурт! Straße e\u0301té ế ﬁn", "日本語のテスト。が", "hello hello world,hello ab!",
    "ab", "!", "สวัสดี नमस्ते", "line\nfeed and\ttab  two", "1 2 3", "Ünïcödé 각 각 " * 9,
]  # fmt: skip
GROUPS: Groups = {"eng_Latn": LINES, "tur_Latn": LINES[::-1]}
CLASSES: dict[str, type[TextTokenizer]] = {
    "greedy": Greedy, "bytes": Bytes, "codepoints": Codepoints, "words": Words,
}  # fmt: skip
REAL = ("gpt2.tokenizer.json", "bert-base-cased.tokenizer.json", "xlnet-base-cased.model")


def encoded_text(tokenizer: TextTokenizer, texts: Sequence[str]) -> EncodedText:
    return EncodedText(tokenizer, batch_of(texts), tokenizer.encode(texts), [""])


def cuts_of(tokenizer: TextTokenizer, text: str) -> set[int]:
    """Token boundaries inside one text, in bytes."""
    batch = batch_of([text])
    spans = token_spans(tokenizer, batch, tokenizer.encode([text]))
    found = set()
    for start, stop in zip(spans.starts.tolist(), spans.stops.tolist(), strict=True):
        if stop > start:
            found |= {start - 1, stop - 1}  # the buffer begins with a line feed
    return {at for at in found if 0 < at < len(text.encode())}


def agreement_by_bytes(tokenizer: TextTokenizer, name: str, text: str) -> tuple[int, int] | None:
    """Boundaries of both and of either, byte by byte."""
    found = perturb(name, text)
    if found is None:
        return None
    aligned = {}
    place = made = 0
    size = [len(text), len(found.text)]
    for a, b, _, d in [*found.spans.tolist(), [size[0], size[0], size[1], size[1]]]:
        first, other = len(text[:place].encode()), len(found.text[:made].encode())
        length = len(text[place:a].encode())
        inner = range(length + 1) if PERTURBATIONS[name].whole else range(1, length)
        aligned |= {first + k: other + k for k in inner}
        place, made = b, d
    old, new = cuts_of(tokenizer, text), cuts_of(tokenizer, found.text)
    ends = (0, len(text.encode()))
    pairs = [(a in old, b in new) for a, b in aligned.items() if a not in ends]
    return sum(a and b for a, b in pairs), sum(a or b for a, b in pairs)


def check_against_loops(tokenizer: TextTokenizer) -> None:
    columns = perturbations(encoded_text(tokenizer, LINES)).columns
    for name in PERTURBATIONS:
        for row, text in enumerate(LINES):
            found, expected = perturb(name, text), agreement_by_bytes(tokenizer, name, text)
            got = {
                what: int(columns[f"{name}-{what}"][row])
                for what in ("applied", "before", "after", "placed", "both", "either", "moved")
            }
            if found is None or expected is None:
                assert not any(got.values()), (name, text)
                continue
            both, either = expected
            before, after = (len(tokenizer.encode([t]).ids.values) for t in (text, found.text))
            assert got == {
                "applied": 1, "before": before, "after": after, "placed": 1,
                "both": both, "either": either, "moved": both != either,
            }, (name, text)  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_alignment_is_that_of_a_loop_over_bytes(name: str) -> None:
    check_against_loops(CLASSES[name]())


@pytest.mark.parametrize("name", REAL)
def test_alignment_of_real_tokenizers(name: str, real: Callable[[str], TextTokenizer]) -> None:
    check_against_loops(real(name))


def test_bytes_are_stable_and_their_surcharge_is_that_of_the_bytes() -> None:
    stability, disturbed, surcharge = (
        scores_of(metric, Bytes(), GROUPS) for metric in (Stability(), Disturbed(), Surcharge())
    )
    for name in PERTURBATIONS:
        pairs = [(t, found.text) for t in LINES * 2 if (found := perturb(name, t))]
        assert stability[f"stability/{name}"].value == 1
        assert disturbed[f"disturbed/{name}"].value == 0
        expected = sum(len(b.encode()) for _, b in pairs) / sum(len(a.encode()) for a, _ in pairs)
        score = surcharge[f"surcharge/{name}"]
        assert score.value == pytest.approx(expected)
        assert score.n == len(pairs)
    assert surcharge["surcharge/double-blank"].n == 14
    assert surcharge["surcharge/double-blank"].note == "6 of 20 left out: nothing to change"
    assert stability["stability"].value == stability["stability/tur_Latn"].value == 1
    assert stability["stability"].n == sum(stability[f"stability/{name}"].n for name in TYPOS)


def test_an_edit_that_moves_boundaries_elsewhere_by_hand() -> None:
    tokenizer = Greedy(["a", "b", "c", " ", "bc", "abc", "A", "B", "C"])
    # abc| |abc with the second blank: the words are cut as before.
    found = scores_of(Stability(), tokenizer, {"": ["abc abc"]})
    assert found["stability/double-blank"].value is None  # both cuts touch the edit
    assert found["stability/double-blank"].note == "no boundary to compare"
    # abc| |abc in capitals is A|B|C| |A|B|C: 2 of 6 cuts.
    assert found["stability/upper"].value == pytest.approx(2 / 6)
    # abc to a|bc at the cost of a token, abc| |bc for one letter left out, …
    cost = scores_of(Surcharge(), tokenizer, {"": ["abc abc"]})
    assert cost["surcharge/upper"].value == pytest.approx(7 / 3)
    assert cost["surcharge/trailing-blank"].value == pytest.approx(4 / 3)
    assert cost["surcharge/upper"].note == "no interval: one sample"
    moved = scores_of(Disturbed(), tokenizer, {"": ["abc abc"]})
    assert moved["disturbed/upper"].value == 1
    assert moved["disturbed/trailing-blank"].value == 0


def test_what_no_perturbation_changes_is_left_out_and_said() -> None:
    found = scores_of(Surcharge(), Bytes(), {"": ["12", "34"]})
    assert found["surcharge/upper"].value is None
    assert found["surcharge/upper"].note == "2 of 2 left out: nothing to change"
    assert found["surcharge/trailing-blank"].value == 1.5
    assert found["surcharge"].value is None


def test_texts_without_positions_have_a_surcharge_but_no_stability() -> None:
    class Placeless(Greedy):
        def __init__(self) -> None:
            super().__init__()
            self.pieces = None  # type: ignore[assignment]

        def _tokens(self, text: str) -> list[tuple[int, int, int]]:
            return [(1 + number % 3, 0, 0) for number, _ in enumerate(text)]

        def offsets(self, batch: Sequence[str]) -> None:  # type: ignore[override]
            return None

    groups = {"": ["ab ab", "hello"]}
    found = scores_of(Stability(), Placeless(), groups)
    assert found["stability/upper"].value is None
    assert "2 of 2 left out: token positions unknown" in found["stability/upper"].note
    assert scores_of(Surcharge(), Placeless(), groups)["surcharge/upper"].value == 1
    ends = scores_of(PromptEnds(), Placeless(), groups)
    assert ends["prompt-ends/inside-word"].value == 0
    assert ends["prompt-ends/inside-word-earlier"].value is None


def test_a_tokenizer_that_fails_on_noise_is_counted_by_its_cause() -> None:
    class Touchy(Greedy):
        def encode(self, batch: Sequence[str]):
            if any("\u200b" in text for text in batch):
                raise ValueError("no zero-width\nspaces")
            return super().encode(batch)

    found = perturbations(encoded_text(Touchy(), ["hello", "ab ab", "!"]))
    [(cause, failure)] = found.failures.items()
    assert cause == "encode (zero-width-space): ValueError: no zero-width spaces"
    assert (failure.count, failure.example) == (2, "sample 0")
    assert found.columns["zero-width-space-applied"].tolist() == [0, 0, 0]
    assert found.columns["soft-hyphen-applied"].tolist() == [1, 1, 0]


def test_common_prefix() -> None:
    a = Ragged.of([[1, 2, 3], [1], [], [4, 5], [7, 7]])
    b = Ragged.of([[1, 2, 4, 5], [1, 2], [3], [5, 4], [7, 7]])
    assert common_prefix(a, b).tolist() == [2, 1, 0, 0, 2]


@pytest.mark.parametrize("name", [*CLASSES, *REAL])
def test_prompt_ends_are_those_of_a_loop(name: str, request: pytest.FixtureRequest) -> None:
    tokenizer = CLASSES[name]() if name in CLASSES else request.getfixturevalue("real")(name)
    found = prompt_ends(encoded_text(tokenizer, LINES))
    for kind in PLACES:
        for row, text in enumerate(LINES):
            got = {w: int(found.columns[f"{kind}-{w}"][row]) for w in ("prompts", "off", "back")}
            at = cut(kind, text)
            if at is None:
                assert not any(got.values())
                continue
            prompt, whole = (tokenizer.encode([t]).ids.values.tolist() for t in (text[:at], text))
            same = 0
            while same < min(len(prompt), len(whole)) and prompt[same] == whole[same]:
                same += 1
            back = len(prompt) - same
            assert got == {"prompts": 1, "off": back > 0, "back": back}
            spans = token_spans(tokenizer, batch_of([text]), tokenizer.encode([text]))
            complete = int((spans.stops <= len(text[:at].encode()) + 1).sum())
            earlier = back > 0 and same < complete
            assert found.columns[f"{kind}-earlier"][row] == earlier


def test_prompt_ends_by_hand() -> None:
    # Whole: abc|d; cut inside the word at b|c or c|d or a|b.
    tokenizer = Greedy(["a", "b", "c", "d", "abc", " ", " d"])
    texts = ["ab cd", "abcd", "c d"]
    found = scores_of(PromptEnds(), tokenizer, {"": texts})
    # "c " ends in the blank that " d" has: one token back. "ab " goes on with c: as in the whole.
    assert found["prompt-ends/after-blank"].value == 1 / 2
    assert found["prompt-ends/after-blank-back"].value == 1
    assert found["prompt-ends/after-blank-back"].note.startswith("at most 1")
    assert found["prompt-ends/after-blank-earlier"].value == 0
    assert found["prompt-ends/before-blank"].value == 0
    assert found["prompt-ends/before-blank-back"].note == "no prompt is off"
    at = cut("inside-word", "abcd")
    assert found["prompt-ends/inside-word"].value == (1 / 2 if at in (1, 2) else 0)
    assert found["prompt-ends"].n == 2 + 2 + 2
    bytes_found = scores_of(PromptEnds(), Bytes(), {"": texts})
    assert bytes_found["prompt-ends"].value == 0


def test_a_merge_that_looks_ahead_changes_whole_tokens_before_the_cut() -> None:
    # Whole: a|bcd. The prompt abc is ab|c: the token a, complete before the cut, is gone.
    class Ahead(Greedy):
        def _tokens(self, text: str) -> list[tuple[int, int, int]]:
            return [(1, 0, 1), (2, 1, 4)] if text == "abcd" else super()._tokens(text)

    tokenizer = Ahead(["a", "bcd", "ab", "c", "abc", "b"])
    columns = prompt_ends(encoded_text(tokenizer, ["abcd"])).columns
    expected = {1: (0, 0), 2: (1, 1), 3: (1, 1)}[cut("inside-word", "abcd") or 0]
    assert (columns["inside-word-off"][0], columns["inside-word-earlier"][0]) == expected


def test_seeds_do_not_depend_on_shards() -> None:
    whole = perturbations(encoded_text(Greedy(), LINES)).columns
    single = [perturbations(encoded_text(Greedy(), [line])).columns for line in LINES]
    for name, values in whole.items():
        assert values.tolist() == [int(part[name][0]) for part in single]
    assert np.array_equal(
        evidence_of(Greedy(), {"": LINES}, ["perturbations"]).columns["swap-after"],
        whole["swap-after"],
    )
