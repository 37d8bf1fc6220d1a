"""Token sequences: evidence against the codes themselves, metrics against hand and plain Python."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict

import numpy as np
import pytest
import zstandard
from mocks.evidence import Groups, evidence_of, make_task, pieces_of, scores_of
from mocks.greedy import Greedy

from tokbench import kernel, kgrams, ngrams
from tokbench.evidence import Evidence
from tokbench.kgrams import kgram_counts
from tokbench.kneser_ney import discount, kneser_ney
from tokbench.metrics.text.prediction import DifficultyUniformity, NgramBits, StreamCompression
from tokbench.metrics.text.prediction import gini as gini_of
from tokbench.metrics.text.sequences import (
    Heaps,
    NgramEntropy,
    Zipf,
    coverage,
    entropy,
    shuffled,
    zipf_exponent,
)
from tokbench.ngrams import Sequences, little_endian, sources
from tokbench.runner import Job, evaluate
from tokbench.tokenizers.text.baselines import Bytes, Words

BOTH = ["sequences", "source"]


def lines_of(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    pieces = ["hello", " world", "wor", "ld", " ", ",", "a", "b", "ab", "é", "日"]
    weights = [2.0 ** -(n / 2) for n in range(len(pieces))]
    return ["".join(rng.choices(pieces, weights, k=rng.randint(1, 12))) for _ in range(count)]


GROUPS: Groups = {"eng_Latn": [*lines_of(38, 1), "", "ab"], "tur_Latn": lines_of(40, 2)}


def sequences(rows: list[list[int]], index: list[int] | None = None) -> Sequences:
    at = np.arange(len(rows)) if index is None else np.array(index)
    return Sequences(
        np.array([i for row in rows for i in row], dtype=np.int64),
        np.array([len(row) for row in rows]),
        np.zeros(len(rows), np.int64), at, np.arange(len(rows)), np.ones(len(rows), np.int64),
    )  # fmt: skip


# -- the evidence


@pytest.mark.parametrize("tokenizer", [Greedy(), Bytes(), Words()], ids=lambda t: t.name)
@pytest.mark.parametrize("size", [1, 7, 40])
def test_the_evidence_gives_back_ids_text_and_sizes(tokenizer, size: int) -> None:
    whole = Evidence.joined(pieces_of(tokenizer, GROUPS, BOTH, size))
    found = Sequences.of(whole.tallies["sequences"], tokenizer.spec)
    expected = [
        (g, i, tokenizer.encode([text]).ids[0].tolist(), len(text.encode()))
        for g, lines in enumerate(GROUPS.values())
        for i, text in enumerate(lines)
        if text
    ]
    rows = np.split(found.ids, np.cumsum(found.lengths)[:-1])
    assert [
        (g, i, row.tolist(), size)
        for g, i, row, size in zip(
            found.group.tolist(), found.index.tolist(), rows,
            found.sizes[found.line].tolist(), strict=True,
        )
    ] == expected  # fmt: skip
    text = {g: "".join(lines).encode() for g, lines in enumerate(GROUPS.values())}
    assert dict(sources(whole.tallies["source"])) == text


def test_words_of_a_line_stay_samples_of_their_own(parallel, run) -> None:
    folder = parallel(eng_Latn=["hello hello", "ab", "hello ab hello"])
    record, _ = run("greedy", folder, ["ngram-entropy"], Greedy(), unit="word")
    assert record.score("ngram-entropy/1").n == 6
    assert record.score("ngram-entropy/2").value is None
    assert record.score("ngram-entropy/2").note.startswith("no sample has 2 tokens")


def test_only_the_first_samples_enter_and_the_note_says_so(monkeypatch) -> None:
    monkeypatch.setattr(ngrams, "SAMPLES", 16)
    cut: Groups = {name: lines[:16] for name, lines in GROUPS.items()}
    part, whole = (scores_of(StreamCompression(), Greedy(), groups) for groups in (cut, GROUPS))
    assert whole["stream-compression"].value == part["stream-compression"].value
    assert whole["stream-compression"].n == 32
    assert "samples of each group" in whole["stream-compression"].note


def test_no_tokens_is_said_by_every_metric() -> None:
    class Mute(Greedy):
        def _tokens(self, text):
            return []

    lines = {"": ["hello", "a"] * 20}
    for metric in (NgramEntropy(), Zipf(), Heaps(), NgramBits(), DifficultyUniformity()):
        for score in scores_of(metric, Mute(), lines).values():
            assert score.value is None
            assert score.note


# -- entropies


def test_joint_and_conditional_entropy_by_hand() -> None:
    # a b | a b | a a: six unigrams (a 4, b 2), three bigrams (ab 2, aa 1) inside the samples.
    metric = NgramEntropy(estimator="plug-in", coverage=0, order=3)
    tokenizer = Greedy(["a", "b"])
    found = scores_of(metric, tokenizer, {"": ["ab", "ab", "aa"]})
    h1 = -(4 / 6) * math.log2(4 / 6) - (2 / 6) * math.log2(2 / 6)
    h2 = -(2 / 3) * math.log2(2 / 3) - (1 / 3) * math.log2(1 / 3)
    assert found["ngram-entropy/1"].value == pytest.approx(h1)
    assert found["ngram-entropy/2"].value == pytest.approx(h2)
    assert found["conditional-entropy/2"].value == pytest.approx(h2 - h1, abs=1e-12)
    assert found["capacity-utilisation/1"].value == pytest.approx(h1 / math.log2(3))
    assert found["ngram-entropy/3"].note == "no sample has 3 tokens"
    assert found["conditional-entropy/3"].value is None


@pytest.fixture(
    params=[(1 << 21, True), (8, True), (1 << 21, False), (8, False)],
    ids=["whole", "in portions", "numpy, whole", "numpy, in portions"],
)
def portions(request, monkeypatch) -> None:
    """K-grams sorted all at once, and a few at a time; with the kernel, if there is one, and
    without."""
    portion, compiled = request.param
    monkeypatch.setattr(kgrams, "PORTION", portion)
    if not compiled:
        monkeypatch.setattr(kernel, "compiled", None)


def test_kgrams_of_all_orders_match_a_plain_count(portions) -> None:
    rng = random.Random(3)
    rows = [[rng.randint(0, 5) for _ in range(rng.randint(0, 9))] for _ in range(60)]
    found = list(kgram_counts(sequences(rows), 5))
    assert len(found) == 5
    for k, counts in enumerate(found, start=1):
        for left_out in (None, *range(16)):
            grams = Counter(
                tuple(row[i : i + k])
                for number, row in enumerate(rows)
                for i in range(len(row) - k + 1)
                if left_out is None or number % 16 != left_out
            )
            times = sorted(Counter(grams.values()).items())
            value, kinds = counts.whole if left_out is None else counts.without[left_out]
            assert list(zip(value.tolist(), kinds.tolist(), strict=True)) == times


def test_a_pair_that_fills_more_than_a_portion_stays_whole(monkeypatch) -> None:
    monkeypatch.setattr(kgrams, "PORTION", 4)
    monkeypatch.setattr(kernel, "compiled", None)
    before, after = np.array([2, 0, 2, 2, -1, 2, 2, 1, 2], np.int32), np.zeros(9, np.int32)
    found = [(p.tolist(), f.tolist()) for p, f in kgrams.runs(before, after, 3, 1)]
    assert [place for places, _ in found for place in places] == [1, 7, 0, 2, 3, 5, 6, 8]
    assert sum(sum(first) for _, first in found) == 3


def test_estimators_of_entropy() -> None:
    counts = np.array([4, 2, 1, 1, 0])
    plain = 0.5 * 1 + 0.25 * 2 + 2 * 0.125 * 3
    assert entropy(counts, "plug-in") == pytest.approx(plain)
    assert entropy(counts, "miller-madow") == pytest.approx(plain + 3 / 16 / math.log(2))
    covered = [c / 8 * 0.75 for c in (4, 2, 1, 1)]
    expected = -sum(p * math.log2(p) / (1 - (1 - p) ** 8) for p in covered)
    assert entropy(counts, "chao-shen") == pytest.approx(expected)
    assert entropy(np.array([7]), "chao-shen") == 0
    assert coverage(*np.unique(counts, return_counts=True)) == 0.75


def test_the_correction_comes_nearer_the_truth_than_none() -> None:
    p = 1 / np.arange(1, 2001)
    p /= p.sum()
    truth = float(-(p * np.log2(p)).sum())
    rng = np.random.default_rng(5)
    error = {
        name: np.mean([entropy(rng.multinomial(2000, p), name) - truth for _ in range(20)])
        for name in NgramEntropy.ESTIMATORS
    }
    assert abs(error["chao-shen"]) < abs(error["miller-madow"]) < abs(error["plug-in"])
    assert abs(error["chao-shen"]) < 0.1 < 0.5 < abs(error["plug-in"])


def test_a_starving_sample_is_refused_and_so_are_higher_orders() -> None:
    rng = random.Random(4)
    lines = ["".join(rng.choices("abcdefghijkl", k=12)) for _ in range(20)]
    found = scores_of(NgramEntropy(), Bytes(), {"": lines})
    assert found["ngram-entropy/1"].value is not None
    assert found["ngram-entropy/1"].interval == "jackknife"
    starved = [k for k in range(1, 6) if found[f"ngram-entropy/{k}"].value is None]
    assert starved == list(range(starved[0], 6))
    assert "starves: coverage" in found["ngram-entropy/5"].note
    one = scores_of(NgramEntropy(coverage=0.5), Greedy(), {"": ["ab,!"]})["ngram-entropy/1"]
    assert one.value is None  # every token occurs once


def test_the_jackknife_leaves_out_samples_by_index() -> None:
    lines = lines_of(48, 6)
    metric = NgramEntropy(order=2, coverage=0)
    whole = scores_of(metric, Greedy(), {"": lines})["ngram-entropy/2"]
    rest = [
        scores_of(metric, Greedy(), {"": ["" if i % 16 == b else t for i, t in enumerate(lines)]})
        for b in range(16)
    ]
    values = np.array([scores["ngram-entropy/2"].value for scores in rest])
    spread = math.sqrt(15 / 16 * ((values - values.mean()) ** 2).sum())
    assert whole.high - whole.value == pytest.approx(2.131449545559323 * spread, rel=1e-4)


# -- Zipf and Heaps


def test_zipf_finds_the_exponent_of_an_exact_law() -> None:
    for s in (0.7, 1.0, 1.4):
        counts = np.round(1e7 * np.arange(1, 301) ** -s).astype(np.int64)
        found, distance = zipf_exponent(counts[::-1], 5)
        assert found == pytest.approx(s, abs=1e-3)
        assert distance < 1e-3
    assert zipf_exponent(np.full(20, 7), 5) == (0.0, pytest.approx(0, abs=1e-12))
    assert np.isnan(zipf_exponent(np.array([9] * 9 + [4] * 50), 5)[0])


def test_zipf_is_the_maximum_of_the_likelihood() -> None:
    counts = np.sort(np.random.default_rng(1).zipf(1.6, 60))[::-1]
    counts = counts[counts >= 2]
    log_rank = np.log(np.arange(1, len(counts) + 1))

    def likelihood(s: float) -> float:
        return float(counts @ (-s * log_rank) - counts.sum() * np.log(np.exp(-s * log_rank).sum()))

    s = zipf_exponent(counts, 2)[0]
    assert likelihood(s) > max(likelihood(s - 1e-3), likelihood(s + 1e-3))


def test_heaps_fits_types_against_tokens_of_nested_parts() -> None:
    lines = lines_of(300, 8)
    found = scores_of(Heaps(), Words(), {"": lines})
    tokenizer, place = Words(), shuffled(np.arange(300))
    x, y = [], []
    for halving in range(7):
        part = [t for t, p in zip(lines, place, strict=True) if p < 2**-halving]
        ids = tokenizer.encode(part).ids.values
        x.append(math.log(len(ids)))
        y.append(math.log(len(set(ids.tolist()))))
    beta, intercept = np.polyfit(x, y, 1)
    assert found["heaps"].value == pytest.approx(beta)
    assert found["heaps/k"].value == pytest.approx(math.exp(intercept))
    assert found["heaps/r2"].value == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)
    assert scores_of(Heaps(), Words(), {"": lines[:2]})["heaps"].value is None


def test_parts_are_halves_of_each_other() -> None:
    place = shuffled(np.arange(100_000))
    for halving in range(7):
        assert (place < 2**-halving).mean() == pytest.approx(2**-halving, rel=0.05)


# -- compression


def test_streams_are_compressed_whole_and_can_be_read_back() -> None:
    metric = StreamCompression(level=3)
    found = scores_of(metric, Greedy(), GROUPS)
    sizes = []
    for lines in GROUPS.values():
        raw = "".join(lines).encode()
        ids = Greedy().encode([t for t in lines if t]).ids.values
        sizes.append((metric.compressed(bytes(ids.tolist())), metric.compressed(raw), len(raw)))
    tokens, text, plain = np.array(sizes).T
    assert found["stream-compression"].value == tokens.sum() / plain.sum()
    assert found["stream-against-text"].value == tokens.sum() / text.sum()
    assert found["text-compression/tur_Latn"].value == text[1] / plain[1]
    frame = len(zstandard.ZstdCompressor(level=3).compress(b"ab" * 999))
    assert 0 < metric.compressed(b"ab" * 999) < frame


def test_the_compressed_text_is_kept_for_the_next_tokenizer(monkeypatch) -> None:
    lines = {"": [f"{line} kept" for line in lines_of(20, 5)]}
    asked = []
    compressed = StreamCompression.compressed

    def counting(self, data):
        asked.append(len(data))
        return compressed(self, data)

    monkeypatch.setattr(StreamCompression, "compressed", counting)
    first, second = (
        {name: score.value for name, score in scores_of(StreamCompression(), t, lines).items()}
        for t in (Greedy(), Bytes())
    )
    assert len(asked) == 3  # two streams, one text
    assert first["text-compression"] == second["text-compression"]
    scores_of(StreamCompression(level=3), Greedy(), lines)
    assert len(asked) == 5  # another level is another size


def test_ids_are_little_endian_of_fixed_width() -> None:
    assert little_endian(np.array([1, 0x010203]), 3) == b"\x01\0\0\x03\x02\x01"


# -- the n-gram model


def plain_kneser_ney(train: list[list[int]], order: int, vocabulary: int):
    """p(w | history), written down from the definition with dictionaries."""
    pad = order - 1
    counts: dict[int, Counter] = {order: Counter()}
    for row in train:
        full = ["<"] * pad + row + [">"]
        for i in range(pad, len(full)):
            counts[order][tuple(full[i - pad : i + 1])] += 1
    for k in range(order - 1, 0, -1):
        counts[k] = Counter(gram[1:] for gram in counts[k + 1])
    followers: dict[int, dict] = {k: defaultdict(dict) for k in counts}
    for k, grams in counts.items():
        for gram, count in grams.items():
            followers[k][gram[:-1]][gram[-1]] = count

    def p(w, history: tuple, k: int = order) -> float:
        if k == 0:
            return 1 / (vocabulary + 1)
        history = history[len(history) - (k - 1) :]
        here = followers[k].get(history)
        if not here:
            return p(w, history[1:], k - 1)
        values = list(counts[k].values())
        d = values.count(1) / max(values.count(1) + 2 * values.count(2), 1)
        d = min(max(d, 0.1), 0.95)
        total, lower = sum(here.values()), p(w, history[1:], k - 1)
        return (max(here.get(w, 0) - d, 0) + d * len(here) * lower) / total

    return lambda w, history: p(w, ("<",) * pad + tuple(history))


@pytest.fixture
def corpus() -> list[list[int]]:
    rng = random.Random(9)
    return [[rng.choice([0, 0, 1, 2, 3]) for _ in range(rng.randint(0, 6))] for _ in range(30)]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_model_is_the_definitions(order: int, corpus, portions) -> None:
    held = np.arange(len(corpus)) % 5 == 4
    corpus[4] += [7, 1, 0]  # an id that training never sees
    found = kneser_ney(sequences(corpus), held, 9, order)
    p = plain_kneser_ney([r for r, h in zip(corpus, held, strict=True) if not h], order, 9)
    expected = [
        -math.log2(p(w, row[:i]))
        for row, h in zip(corpus, held, strict=True)
        if h
        for i, w in enumerate([*row, ">"])
    ]
    assert found.bits == pytest.approx(expected, rel=1e-12)
    assert found.end.sum() == held.sum()


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("history", [[], [0], [3, 1], [0, 0, 2], [7, 0], [7, 7, 7]])
def test_probabilities_over_the_vocabulary_sum_to_one(order: int, history, corpus) -> None:
    vocabulary = 9
    asked = [[*history, w] for w in range(vocabulary)] + [history]
    held = np.arange(len(corpus) + len(asked)) >= len(corpus)
    found = kneser_ney(sequences([*corpus, *asked]), held, vocabulary, order)
    total = 0.0
    for number in range(len(asked)):  # what follows the history, the end of the sample last
        total += 2 ** -found.bits[found.sample == len(corpus) + number][len(history)]
    assert total == pytest.approx(1, abs=1e-12)


def test_a_bigram_model_by_hand() -> None:
    # Learnt: <a b>, <a b>, <a a>. Bigrams: <a 3, ab 2, b> 2, aa 1, a> 1; once 2, twice 2,
    # D2 = 2/6. Neighbours to the left: a 2 (<, a), b 1, > 2 (b, a): of 5; once 1, twice 2,
    # D1 = 1/5. Below: 1/4 for each of a, b, c and the end.
    p1 = {w: (n - 0.2) / 5 + 0.2 * 3 / 5 / 4 for w, n in (("a", 2), ("b", 1), (">", 2))}
    p1["c"] = 0.2 * 3 / 5 / 4
    d = 1 / 3
    expected = [
        (3 - d + d * p1["a"]) / 3,  # a after the beginning
        d * 3 * p1["c"] / 4,  # c after a
        p1["b"],  # b after c, which was never seen
        (2 - d + d * p1[">"]) / 2,  # the end after b
    ]
    rows = [[0, 1], [0, 1], [0, 0], [0, 2, 1]]
    found = kneser_ney(sequences(rows), np.array([False, False, False, True]), 3, 2)
    assert 2**-found.bits == pytest.approx(expected, rel=1e-12)


def test_the_discount_stays_in_its_bounds() -> None:
    assert discount(2, 2) == pytest.approx(1 / 3)
    assert discount(0, 0) == 0.1
    assert discount(2, 0) == 0.95


def test_bits_are_over_bytes_of_the_held_out_samples() -> None:
    found = scores_of(NgramBits(order=2), Greedy(), GROUPS)
    tokenizer = Greedy()
    rows = [
        (g, i, tokenizer.encode([text]).ids[0].tolist(), len(text.encode()))
        for g, lines in enumerate(GROUPS.values())
        for i, text in enumerate(lines)
        if text
    ]
    p = plain_kneser_ney([row[2] for row in rows if row[1] % 10 != 9], 2, 14)
    bits, sizes = np.zeros(2), np.zeros(2)
    for g, i, row, size in rows:
        if i % 10 == 9:
            bits[g] -= sum(math.log2(p(w, row[:n])) for n, w in enumerate([*row, ">"]))
            sizes[g] += size
    assert found["ngram-bits"].value == pytest.approx(bits.sum() / sizes.sum())
    for g, label in enumerate(GROUPS):
        score = found[f"ngram-bits/{label}"]
        assert score.value == pytest.approx(bits[g] / sizes[g])
        assert score.low <= score.value <= score.high
    assert "unknown tokens" in found["ngram-bits"].note
    assert found["ngram-bits"].n == 8


def test_structure_that_tokens_keep_lowers_the_bits() -> None:
    rng = random.Random(0)
    ordered = ["hello world," * rng.randint(1, 4) for _ in range(200)]
    mixed = ["".join(rng.sample(t, len(t))) for t in ordered]
    kept, lost = (
        scores_of(NgramBits(), Bytes(), {"": lines})["ngram-bits"].value
        for lines in (ordered, mixed)
    )
    assert kept < 0.5 < 2 < lost


@pytest.mark.parametrize(
    ("tokenizer", "lines", "why"),
    [
        (Words(), lines_of(40, 1), "no vocabulary size"),
        (Greedy(), lines_of(9, 1), "no held-out samples"),
    ],
)
def test_the_model_refuses_what_it_cannot_learn(tokenizer, lines, why) -> None:
    for metric in (NgramBits(), DifficultyUniformity()):
        for score in scores_of(metric, tokenizer, {"": lines}).values():
            assert score.value is None
            assert score.note.startswith(why)


def test_difficulty_is_the_spread_of_the_bits() -> None:
    found = scores_of(DifficultyUniformity(order=2), Greedy(), GROUPS)
    evidence = evidence_of(Greedy(), GROUPS, ["sequences"])
    rows = Sequences.of(evidence.tallies["sequences"], Greedy().spec)
    surprisal = kneser_ney(rows, rows.index % 10 == 9, 14, 2)
    bits = surprisal.bits[~surprisal.end]
    score = found["difficulty-uniformity"]
    assert score.value == pytest.approx(bits.std() / bits.mean())
    assert score.low <= score.value <= score.high
    differences = np.abs(bits[:, None] - bits).mean()
    assert found["difficulty-uniformity/gini"].value == pytest.approx(
        differences / (2 * bits.mean())
    )
    assert gini_of(np.full(5, 3.0)) == pytest.approx(0)


def test_options_out_of_range_are_refused() -> None:
    for kind, options in (
        (NgramEntropy, {"order": 0}), (NgramEntropy, {"estimator": "best"}),
        (NgramEntropy, {"coverage": 1}), (Zipf, {"least": 0}), (NgramBits, {"order": 9}),
        (StreamCompression, {"level": 0}),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=next(iter(options))):
            kind(**options)


def test_the_shard_plan_changes_nothing(parallel, tmp_path) -> None:
    folder = parallel(**{name: [t or "b" for t in lines] for name, lines in GROUPS.items()})
    metrics = ["ngram-entropy", "zipf", "heaps", "stream-compression", "ngram-bits",
               "difficulty-uniformity"]  # fmt: skip
    scores = [
        evaluate(Job("bytes", make_task(metrics, shard_samples=most), str(folder)),
                 tmp_path / str(most))[0].scores
        for most in (20_000, 64, 7)
    ]  # fmt: skip
    assert scores[0] == scores[1] == scores[2]
