"""Morphological scores: worked out by hand, and against a plain implementation word by word."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocks.evidence import scores_from
from mocks.greedy import Greedy
from rapidfuzz.distance import Levenshtein

from tokbench.errors import UserError
from tokbench.evidence import Evidence
from tokbench.metrics.metric import Metric
from tokbench.metrics.text.edits import SegmentationError
from tokbench.metrics.text.lemmas import Lemmas
from tokbench.metrics.text.morphology import (
    Affixes,
    Boundaries,
    GoldWords,
    MorphScoreV1,
    MorphScoreV2,
    Segmentation,
)
from tokbench.registry import STATISTICS
from tokbench.statistics import EncodedText, measure
from tokbench.text.batch import TextBatch
from tokbench.text.gold import noted
from tokbench.tokenizers.text.baselines import Bytes, Codepoints
from tokbench.types import Codes

Word = tuple[list[str], str, int | None]
"""Morphemes, lemma, place of the stem."""

METRICS = [
    GoldWords(), Segmentation(), SegmentationError(), Lemmas(), Affixes(top=3),
    *(Boundaries(average=a, word_end=e) for a in ("micro", "macro") for e in (False, True)),
    MorphScoreV1(), MorphScoreV1(undivided=True),
    *(MorphScoreV2(single=s, weighted=w) for s in ("excluded", "correct") for w in (False, True)),
]  # fmt: skip


def evidence(tokenizer, words: dict[str, list[Word]], metrics, size=1 << 30, space="", weight=""):
    names = dict.fromkeys(name for metric in metrics for name in metric.statistics)
    functions = {name: STATISTICS.get(name) for name in names}
    parts = []
    for number, gold in enumerate(words.values()):
        for first in range(0, len(gold), size):
            rows = [
                noted("".join(pieces), pieces, lemma, stem, weight)
                for pieces, lemma, stem in gold[first : first + size]
            ]
            batch = TextBatch(
                [space + text for text, _ in rows],
                np.full(len(rows), number, dtype=np.int64),
                np.arange(first, first + len(rows)),
                notes=[notes for _, notes in rows],
            )
            encoded = EncodedText(tokenizer, batch, tokenizer.encode(batch.texts), list(words))
            found = measure(encoded, functions)
            parts.append(Evidence(batch.group, batch.index, found.columns, found.tallies))
    return Evidence.joined(parts)


def scores(metric: Metric, tokenizer, gold, **how) -> dict[str, float | None]:
    words = gold if isinstance(gold, dict) else {"": gold}
    found = evidence(tokenizer, words, [metric], **how)
    spec = tokenizer.spec
    return {
        name: score.value
        for name, score in scores_from(metric, found, words, spec, False, 20).items()
    }


def cut(text: str, stem: int | None = None, lemma: str = "") -> Word:
    return text.split("+"), lemma, stem


# A word of each kind, with the pieces that the greedy tokenizer makes of it:
GOLD = [
    cut("ev+ler+im"),  # ev|ler|im
    cut("ku+ş"),  # k|uş
    cut("göz+lük"),  # gözlük
    cut("su"),  # s|u
    cut("ay"),  # ay
]
PIECES = ("ev", "ler", "im", "k", "uş", "gözlük", "s", "u", "ay")


def test_boundaries_by_hand() -> None:
    # cuts made 2, 1, 0, 1, 0; gold 2, 1, 1, 0, 0; hits 2, 0
    tokenizer = Greedy(PIECES)
    assert scores(Boundaries(), tokenizer, GOLD) == {
        "boundary-precision": 2 / 4, "boundary-recall": 2 / 4, "boundary-f1": 4 / 8,
    }  # fmt: skip
    assert scores(Boundaries(word_end=True), tokenizer, GOLD) == {
        "boundary-precision-with-end": 7 / 9, "boundary-recall-with-end": 7 / 9,
        "boundary-f1-with-end": 14 / 18,
    }  # fmt: skip
    macro = scores(Boundaries(average="macro"), tokenizer, GOLD)
    assert macro == pytest.approx(
        {
            "boundary-precision-macro": (1 + 0 + 0) / 3,  # of the three words that are cut
            "boundary-recall-macro": (1 + 0 + 0) / 3,  # of the three that have a boundary
            "boundary-f1-macro": (1 + 0 + 0 + 0) / 4,
        }
    )
    ends = scores(Boundaries(average="macro", word_end=True), tokenizer, GOLD)
    assert ends == pytest.approx(
        {
            "boundary-precision-macro-with-end": (1 + 1 / 2 + 1 + 1 / 2 + 1) / 5,
            "boundary-recall-macro-with-end": (1 + 1 / 2 + 1 / 2 + 1 + 1) / 5,
            "boundary-f1-macro-with-end": (1 + 1 / 2 + 2 / 3 + 2 / 3 + 1) / 5,
        }
    )


def test_morphscore_by_hand() -> None:
    tokenizer = Greedy(PIECES)
    # v1: evlerim hit, kuş missed; gözlük and ay are one piece, su has no boundary
    assert scores(MorphScoreV1(), tokenizer, GOLD) == {
        "morphscore-v1": 1 / 2, "morphscore-v1-pieces": 5 / 2,
    }  # fmt: skip
    assert scores(MorphScoreV1(undivided=True), tokenizer, GOLD)["morphscore-v1"] == 1 / 3
    assert scores(MorphScoreV2(), tokenizer, GOLD) == pytest.approx(
        {"morphscore-v2-recall": (1 + 0) / 2, "morphscore-v2-precision": (2 / 3 + 0) / 2}
    )
    assert scores(MorphScoreV2(single="correct"), tokenizer, GOLD) == pytest.approx(
        {"morphscore-v2-recall": 2 / 3, "morphscore-v2-precision": (2 / 3 + 0 + 1) / 3}
    )
    # a perfect cut in two has precision 1/2; one of two boundaries has recall 1/2
    two = scores(MorphScoreV2(), Greedy(["ev", "ler"]), [cut("ev+ler", 0)])
    assert two == {"morphscore-v2-recall": 1.0, "morphscore-v2-precision": 0.5}
    half = scores(MorphScoreV2(), Greedy(["un", "doable"]), [cut("un+do+able", 1)])
    assert half == {"morphscore-v2-recall": 0.5, "morphscore-v2-precision": 0.5}


def test_the_second_version_looks_around_the_stem_alone() -> None:
    word = cut("ki+ta+p+çı+lar", 2)
    stem = scores(MorphScoreV2(), Greedy(["kita", "p", "çılar"]), [word])
    assert stem == pytest.approx({"morphscore-v2-recall": 1, "morphscore-v2-precision": 2 / 3})
    assert scores(MorphScoreV2(), Greedy(["ki", "tapçılar"]), [word])["morphscore-v2-recall"] == 0
    unknown = scores(MorphScoreV2(), Greedy(["ki", "tapçılar"]), [cut("ki+ta+p+çılar")])
    assert unknown["morphscore-v2-recall"] is None  # three boundaries, and no stem to choose by


def test_segmentation_and_its_errors_by_hand() -> None:
    tokenizer = Greedy(PIECES)
    assert scores(Segmentation(), tokenizer, GOLD) == pytest.approx(
        {
            "over-segmentation": (1 + 1 + 1 / 2 + 2 + 1) / 5,
            "under-segmentation": (1 + 1 + 2 + 1 / 2 + 1) / 5,
            "exact-segmentation": 2 / 5,
            "cut-words": 3 / 5,
        }
    )
    errors = scores(SegmentationError(), tokenizer, GOLD)
    # ev+ler+im, ku+ş / k+uş, göz+lük / gözlük, su / s+u, ay: 0, 2, 1, 1, 0 edits of 24 characters
    assert errors["segmentation-cer"] == 4 / (9 + 4 + 7 + 2 + 2)
    # morphemes: ku, ş are two wrong; göz, lük against gözlük two; su against s, u two
    assert errors["segmentation-wer"] == 6 / (3 + 2 + 2 + 1 + 1)
    assert errors["segmentation-mer"] == 6 / (6 + 4)  # hits: ev, ler, im, ay
    assert errors["segmentation-wil"] == pytest.approx(1 - (4 / 9) * (4 / 9))


def test_lemmas_by_hand() -> None:
    tokenizer = Greedy(["kitap", "kitab", "ı", "ev", "evler", "ge", "l", "di", "lar"])
    gold = {
        "tur_Latn": [
            cut("kitap+lar", 0, "kitap"),  # kitap|lar: cut at the lemma's end
            cut("kitab+ı", 0, "kitap"),  # kitab|ı: the stem stands for it
            cut("ev+ler", 0, "ev"),  # evler: not cut there
            cut("ev", 0, "ev"),  # the lemma itself: nothing after it
            cut("gel+di", 0, "gelmek"),  # not its beginning, nor but for one letter
        ]
    }
    found = scores(Lemmas(), tokenizer, gold)
    assert found["lemma-boundary"] == 2 / 3
    # kitap, kitap, ev, ev are one piece; in gelmek there is an unknown letter
    assert found["lemma-atomicity"] == 1.0
    elsewhere = scores(Lemmas(), tokenizer, {"aze_Latn": gold["tur_Latn"]})
    assert elsewhere["lemma-boundary"] == 1 / 2


def test_affixes_by_hand() -> None:
    gold = [cut("ev+ler", 0), cut("ev+ler+im", 0), cut("el+im", 0), cut("un+el", 1), cut("a+b")]
    tokenizer = Greedy(["ev", "ler", "lerim", "el", "im", "u", "n", "a", "b"])
    found = scores(Affixes(top=2), tokenizer, gold)
    # ler alone in evler, not in evlerim; im alone in elim; un is cut; a+b marks no stem
    assert found["affix-atomicity"] == 2 / 5
    assert found["affix-coverage"] == 1.0  # ler and im, twice each
    assert scores(Affixes(top=3), tokenizer, gold)["affix-coverage"] == 2 / 3


def test_bytes_hit_everything_and_precision_shows_it() -> None:
    gold = [cut("göz+lük"), cut("집+에")]
    found = scores(Boundaries(), Bytes(), gold)
    assert found["boundary-recall"] == 1.0
    assert found["boundary-precision"] == 2 / (7 + 5)
    assert scores(Boundaries(), Codepoints(), gold)["boundary-precision"] == 2 / (5 + 1)
    assert scores(MorphScoreV1(), Bytes(), gold)["morphscore-v1"] == 1.0
    # no character that is cut through is left whole
    assert scores(SegmentationError(), Bytes(), [cut("집+에")])["segmentation-cer"] > 1


class WholeCharacters(Bytes):
    """Bytes whose library gives the span of the whole character for each."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces = None

    def encode(self, batch):
        spans, ids = [], super().encode(batch).ids
        for text in batch:
            start = 0
            for character in text:
                size = len(character.encode())
                spans += [(start, start + size)] * size
                start += size
        return Codes((ids,), spans=np.array(spans, dtype=np.int32).reshape(-1, 2))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.signature())
def test_tokens_that_share_a_character_are_its_bytes(metric: Metric) -> None:
    gold = [cut("göz+lük", 0, "göz"), cut("집+에", 0, "집")]
    assert scores(metric, WholeCharacters(), gold) == scores(metric, Bytes(), gold)


def test_a_space_before_the_word_is_no_part_of_it() -> None:
    tokenizer = Greedy([" ", " ev", "ev", "ler"])
    for space in ("", " "):
        found = scores(Boundaries(), tokenizer, [cut("ev+ler", 0, "ev")], space=space)
        assert found["boundary-f1"] == 1.0
        assert scores(Lemmas(), tokenizer, [cut("ev+ler", 0, "ev")], space=space) == {
            "lemma-atomicity": 1.0, "lemma-boundary": 1.0,
        }  # fmt: skip


def test_words_lost_to_unk_or_without_segmentation_are_left_out_and_counted() -> None:
    gold = [cut("ev+ler"), cut("ev+x"), (["run", "ing"], "", None)]
    found = evidence(Greedy(PIECES), {"": gold[:2]}, [GoldWords(), Boundaries()])
    assert found.columns["gold-scored"].tolist() == [1, 0]
    word, notes = noted("running", ["run", "ing"], "run", 0)
    assert (word, notes) == ("running", {"lemma": "run"})
    assert scores(GoldWords(), Greedy(PIECES), gold[:2]) == {"scored-words": 0.5}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.signature())
def test_without_gold_a_reason_is_given(metric: Metric) -> None:
    batch = TextBatch(["ev"], np.zeros(1, np.int64), np.zeros(1, np.int64))
    tokenizer = Greedy(PIECES)
    encoded = EncodedText(tokenizer, batch, tokenizer.encode(batch.texts), [""])
    found = measure(encoded, {name: STATISTICS.get(name) for name in metric.statistics})
    plain = Evidence(batch.group, batch.index, found.columns, found.tallies)
    for score in scores_from(metric, plain, [""], tokenizer.spec, False).values():
        assert score.value is None
        assert "no gold segmentation" in score.note


def test_a_segmentation_that_does_not_spell_its_sample_is_refused() -> None:
    batch = TextBatch(
        ["evler"], np.zeros(1, np.int64), np.zeros(1, np.int64), notes=[{"segmentation": "ev+lar"}]
    )
    encoded = EncodedText(Bytes(), batch, Bytes().encode(batch.texts), ["tur_Latn"])
    with pytest.raises(UserError, match=r"tur_Latn 0: .*'ev\+lar' does not spell 'evler'"):
        STATISTICS.get("morphemes")(encoded)


# Against a plain implementation

LETTERS = "abğ집"


def plain(tokenizer: Greedy, words: list[Word]) -> dict[str, float]:
    """The scores by loops over words and sets of positions, for words without UNK."""
    rows = []
    for pieces, lemma, stem in words:
        text = "".join(pieces)
        spans = [token[1:] for token in tokenizer._tokens(text)]
        made = {start for start, _ in spans} - {0}
        ends = np.cumsum([len(piece.encode()) for piece in pieces]).tolist()
        rows.append((text.encode(), pieces, lemma, stem, made, set(ends[:-1]), ends, spans))
    found: dict[str, float] = {}

    def mean(name: str, values: list[float]) -> None:
        if values:
            found[name] = sum(values) / len(values)

    for end, after in ((0, ""), (1, "-with-end")):
        counts = [(len(m & g) + end, len(m) + end, len(g) + end) for *_, m, g, _, _ in rows]
        tp, made, gold = (sum(column) for column in zip(*counts, strict=True))
        for name, top, bottom in (
            ("precision", tp, made), ("recall", tp, gold), ("f1", 2 * tp, made + gold),
        ):  # fmt: skip
            if bottom:
                found[f"boundary-{name}{after}"] = top / bottom
        mean(f"boundary-precision-macro{after}", [t / m for t, m, _ in counts if m])
        mean(f"boundary-recall-macro{after}", [t / g for t, _, g in counts if g])
        mean(f"boundary-f1-macro{after}", [2 * t / (m + g) for t, m, g in counts if m + g])
    mean("over-segmentation", [(len(m) + 1) / (len(g) + 1) for *_, m, g, _, _ in rows])
    mean("under-segmentation", [(len(g) + 1) / (len(m) + 1) for *_, m, g, _, _ in rows])
    mean("exact-segmentation", [float(m == g) for *_, m, g, _, _ in rows])
    mean("cut-words", [float(bool(m)) for *_, m, _, _, _ in rows])
    mean("morphscore-v1", [float(e[0] in m) for *_, m, g, e, _ in rows if m and g])

    recall, precision, alone = [], [], Counter()
    seen: Counter[str] = Counter()
    edits = characters = 0
    for raw, pieces, _, stem, made, gold, ends, spans in rows:
        around = gold
        if stem is not None:
            around = {e for e in gold if e in (ends[stem], ends[stem] - len(pieces[stem].encode()))}
        if made and len(around) in (1, 2):
            recall.append(len(around & made) / len(around))
            precision.append(len(around & made) / (len(made) + 1))
        for number, piece in enumerate(pieces):
            if stem is not None and number != stem:
                seen[piece] += 1
                alone[piece] += (ends[number] - len(piece.encode()), ends[number]) in spans
        cut_at = [0, *sorted(made), len(raw)]
        parts = [raw[a:b].decode(errors="surrogateescape") for a, b in pairwise(cut_at)]
        edits += Levenshtein.distance("+".join(pieces), "+".join(parts))
        characters += len("+".join(pieces))
    mean("morphscore-v2-recall", recall)
    mean("morphscore-v2-precision", precision)
    found["segmentation-cer"] = edits / characters
    if seen:
        found["affix-atomicity"] = alone.total() / seen.total()
        least = sorted(seen.values())[-3:][0]
        top = [affix for affix, count in seen.items() if count >= least]
        found["affix-coverage"] = sum(alone[affix] > 0 for affix in top) / len(top)
    return found


OTHER = [
    metric.signature()
    for metric in METRICS
    if {"weighted", "undivided"} & {key for key, on in metric.options().items() if on is True}
    or metric.options().get("single") == "correct"
]
"""Metrics whose option gives another score under the same name."""

segments = st.text(LETTERS, min_size=1, max_size=3)


@st.composite
def gold_words(draw: st.DrawFn) -> Word:
    pieces = draw(st.lists(segments, min_size=1, max_size=4))
    stem = draw(st.none() | st.integers(0, len(pieces) - 1))
    return pieces, draw(st.sampled_from(["", "a", pieces[0], "".join(pieces)])), stem


@settings(max_examples=40, deadline=None)
@given(
    st.lists(gold_words(), min_size=1, max_size=8),
    st.lists(segments, max_size=8),
    st.lists(st.sampled_from([c.encode()[k : k + 1] for c in "ğ집" for k in range(3)]), max_size=4),
)
def test_scores_are_those_of_a_plain_implementation(
    words: list[Word], pieces: list[str], parts: list[bytes]
) -> None:
    known = dict.fromkeys([*(p.encode() for p in pieces), *(c.encode() for c in LETTERS)])
    tokenizer = Greedy([*known, *(part for part in dict.fromkeys(parts) if part)])
    own = [metric for metric in METRICS if metric.signature() not in OTHER]
    everything = evidence(tokenizer, {"": words}, own)
    found: dict[str, float | None] = {}
    for metric in own:
        for score in scores_from(metric, everything, [""], tokenizer.spec, False, 2).values():
            found[score.name] = score.value
    expected = plain(tokenizer, words)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name
    missing = {name for name, value in found.items() if value is None}
    assert not missing & set(expected)


# Laws


def random_words(count: int, seed: int) -> list[Word]:
    rng = random.Random(seed)
    words = []
    for _ in range(count):
        pieces = [
            "".join(rng.choices(LETTERS, k=rng.randint(1, 3))) for _ in range(rng.randint(1, 4))
        ]
        words.append((pieces, pieces[0], rng.randrange(len(pieces))))
    return words


@pytest.mark.parametrize("tokenizer", [Bytes(), Codepoints(), Greedy([*LETTERS, "ab", "ğa"])])
def test_one_shard_is_k_shards(tokenizer) -> None:
    words = {"tur_Latn": random_words(40, 1), "kor_Hang": random_words(33, 2)}
    whole = evidence(tokenizer, words, METRICS, weight="0.25")
    for size in (1, 7):
        parts = evidence(tokenizer, words, METRICS, size, weight="0.25")
        for name, column in whole.columns.items():
            assert column.dtype.kind == "i"
            assert parts.columns[name].tolist() == column.tolist(), name
        for name, tally in whole.tallies.items():
            assert parts.tallies[name].keys.tolist() == tally.keys.tolist()
            assert parts.tallies[name].counts.tolist() == tally.counts.tolist()
    for metric in METRICS:
        for score in scores_from(metric, whole, words, tokenizer.spec, False, 50).values():
            assert score.value is not None or score.note
            assert (score.low is None) == (score.high is None) == (score.interval is None)
            assert score.interval or score.note, score.name


def test_weights_weigh() -> None:
    tokenizer = Greedy(["ev", "ler", "ku", "ş", "k", "uş"])
    heavy = evidence(tokenizer, {"": [cut("ev+ler")]}, [MorphScoreV2(weighted=True)], weight="0.75")
    light = evidence(tokenizer, {"": [cut("k+uş")]}, [MorphScoreV2(weighted=True)], weight="0.25")
    light.index += 1
    both = Evidence.joined([heavy, light])
    metric = MorphScoreV2(weighted=True)
    found = scores_from(metric, both, [""], tokenizer.spec, False, 20)
    assert found["morphscore-v2-recall"].value == 0.75  # ev|ler hit, ku|ş missed
    assert found["morphscore-v2-precision"].value == 0.75 / 2
    bare = scores(metric, tokenizer, [cut("ev+ler")])
    assert bare == {"morphscore-v2-recall": None, "morphscore-v2-precision": None}


@pytest.mark.parametrize(
    "name, value", [("average", "mean"), ("single", "half"), ("top", 0)], ids=str
)
def test_an_option_that_is_none_is_refused(name: str, value: object) -> None:
    kind = {"average": Boundaries, "single": MorphScoreV2, "top": Affixes}[name]
    with pytest.raises(ValueError, match=name):
        kind(**{name: value})


# Published figures


@pytest.mark.parametrize(
    "vocabulary, words, expected",
    [
        ("gpt2.tokenizer.json", 1723, 0.1846),
        ("cl100k_base.tiktoken", 1586, 0.2175),
        ("o200k_base.tiktoken", 1579, 0.1995),
    ],
)
def test_morphscore_v1_of_english(
    shared: Path, real, vocabulary: str, words: int, expected: float
) -> None:
    """R10: the published English data, read as they are."""
    from tokbench.text.morphscore import v1

    path = shared / "morphscore-v1" / "data" / "english_morph_data.csv"
    if not path.is_file():
        pytest.skip("the English data of MorphScore v1 are not under TOKBENCH_DATA")
    (part,) = v1([("english", path)], {})
    gold = [(row["segmentation"].split("+"), "", None) for _, row in part.rows()]
    found = evidence(real(vocabulary), {"eng_Latn": gold}, [MorphScoreV1()])
    assert found.columns["v1-words"].sum() == words
    assert found.columns["v1-hit"].sum() / words == pytest.approx(expected, abs=5e-5)
