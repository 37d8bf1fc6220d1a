"""Paired comparison: corrections by hand, intervals in closed form, refusals by name."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from mocks.evidence import make_task
from mocks.greedy import PIECES, Greedy

from tokbench import tables
from tokbench.compare import (
    Difference,
    differences,
    holm,
    overlap,
    paired,
    refuse_unlike,
    replicates,
)
from tokbench.errors import UserError
from tokbench.evidence import Evidence
from tokbench.files import sha256
from tokbench.measured import Measured
from tokbench.samples import aligned, read_samples, samples_parquet, smaller
from tokbench.specs import load_tokenizer
from tokbench.task import MetricUse
from tokbench.tokenizers.text.baselines import Bytes, Words
from tokbench.types import TokenizerSpec


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        ([0.2], [0.2]),
        # Sorted .01, .03, .04: times 3, 2 and 1, and never below the one before.
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.6], [1.0, 1.0]),
        ([0.02, 0.02], [0.04, 0.04]),
        ([0.0, 1.0, 0.5], [0.0, 1.0, 1.0]),
    ],
)
def test_holms_correction_by_hand(given, expected) -> None:
    assert holm(given) == pytest.approx(expected)


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.1])
def test_paired_differences_are_those_of_the_normal_test_on_sample_differences(shift) -> None:
    # Two tokenizers whose counts share most of their spread, so that pairing matters.
    rng = np.random.default_rng(11)
    common = rng.poisson(30, 4000)
    first, second = common + rng.poisson(1, 4000), common + rng.poisson(1 + shift, 4000)
    draws = []
    for tokens in (first, second):
        index = np.arange(4000)
        columns = {"tokens": tokens, "samples": np.ones(4000, dtype=np.int64)}
        measured = Measured(
            Evidence(index * 0, index, columns), [""], True, TokenizerSpec(modality="text")
        )
        draws.append(measured.replicates("tokens")[:, 0] / measured.replicates("samples")[:, 0])
    difference = (second - first).mean()
    error = (second - first).std(ddof=1) / math.sqrt(4000)
    low, high, p = paired(draws[1] - draws[0], difference)
    assert low == pytest.approx(difference - 1.96 * error, abs=0.25 * error)
    assert high == pytest.approx(difference + 1.96 * error, abs=0.25 * error)
    # The bootstrap's standard error is right to a few per cent, and p with it.
    statistic = abs(difference) / error
    tail = [math.erfc(statistic * factor / math.sqrt(2)) for factor in (1.1, 0.9)]
    assert tail[0] <= p <= tail[1]
    # Unpaired, the interval would be several times as wide.
    apart = math.hypot(first.std(), second.std()) / math.sqrt(4000)
    assert (high - low) < 0.5 * 2 * 1.96 * apart


def test_a_difference_without_spread_is_certain_or_none() -> None:
    assert paired(np.zeros(1000), 0.0) == (0.0, 0.0, 1.0)
    assert paired(np.full(1000, 2.0), 2.0) == (2.0, 2.0, 0.0)
    low, high, p = paired(np.full(5, np.nan), 1.0)
    assert (math.isnan(low), math.isnan(high), p) == (True, True, 1.0)


@pytest.mark.parametrize(
    ("better", "other", "low", "high", "adjusted", "verdict"),
    [
        ("higher", 2.0, 0.5, 1.5, 0.01, "better"),
        ("lower", 2.0, 0.5, 1.5, 0.01, "worse"),
        ("lower", 0.5, -0.6, -0.4, 0.01, "better"),
        ("neither", 2.0, 0.5, 1.5, 0.01, "higher"),
        ("neither", 0.5, -0.6, -0.4, 0.01, "lower"),
        ("higher", 2.0, -0.5, 2.5, 0.05, "not distinguishable"),
        ("higher", 1.0, 0.0, 0.0, 1.0, "equal"),
        ("higher", 1.0, -0.1, 0.1, 1.0, "not distinguishable"),  # equal by chance
        ("higher", 1.0, None, None, None, "equal"),
        ("higher", 2.0, None, None, None, "no paired evidence"),
    ],
)
def test_verdicts(better, other, low, high, adjusted, verdict) -> None:
    p = None if adjusted is None else adjusted / 2
    found = Difference("t", "s", "", better, 1.0, other, "b", low, high, p, adjusted)
    assert found.verdict == verdict


LINES = {
    "eng_Latn": ["hello world", "hello, world!", "a b ab", "world hello", "ab hello"] * 8,
    "tur_Latn": ["wor ld", "éé ab", "ab a b", "hello é", "é wor"] * 8,
}
METRICS = ["counts", "bytes-per-token", "strr", "premium", "utilisation", "gini"]


def pair(run, parallel, other: Greedy):
    folder = parallel(**LINES)
    first = run("a", folder, METRICS, Greedy(), out="first")
    other.name = "other"
    return first, run("b", folder, METRICS, other, out="second")


def test_identical_tokenizers_are_equal_on_every_score(run, parallel) -> None:
    first, second = pair(run, parallel, Greedy())
    names = [score.name for score in first[0].scores]
    found = differences([first, second], make_task(METRICS), True, names)
    assert [difference.score for difference in found] == names
    assert {difference.verdict for difference in found} == {"equal"}
    with_draws = [difference for difference in found if difference.p is not None]
    assert {d.score.split("/")[0] for d in with_draws} == {
        "bytes-per-token", "strr", "premium", "gini",
    }  # fmt: skip
    assert {(d.low, d.high, d.p, d.adjusted) for d in with_draws} == {(0.0, 0.0, 1.0, 1.0)}


def test_a_better_tokenizer_is_found_better_with_its_interval(run, parallel) -> None:
    first, second = pair(run, parallel, Greedy((*PIECES, "hello world", "wor ld")))
    found = {
        difference.score: difference
        for difference in differences(
            [first, second], make_task(METRICS), True, ["bytes-per-token", "strr", "tokens"]
        )
    }
    rate = found["bytes-per-token"]
    assert rate.verdict == "better"
    assert rate.low <= rate.other - rate.baseline <= rate.high
    assert rate.low > 0
    assert found["strr"].verdict == "worse"  # superwords spell no single word
    # Holm over the two tested; a count has no interval and is left alone.
    smaller, larger = sorted((rate, found["strr"]), key=lambda difference: difference.p)
    assert smaller.adjusted == min(1.0, 2 * smaller.p)
    assert larger.adjusted == max(smaller.adjusted, larger.p)
    assert (found["tokens"].p, found["tokens"].verdict) == (None, "no paired evidence")


def test_replicates_from_the_file_are_those_of_the_run(run, parallel) -> None:
    record, path = run("a", parallel(**LINES), METRICS, Greedy())
    kept = replicates(record, read_samples(record, path), make_task(METRICS), True)
    for name in ("premium/tur_Latn", "bytes-per-token/eng_Latn", "gini"):
        score = record.score(name)
        low, high = np.quantile(kept[name], [0.025, 0.975])
        assert (score.low, score.high) == pytest.approx((low, high), rel=1e-5)


def test_evidence_that_is_not_the_records_is_refused(run, parallel) -> None:
    record, path = run("a", parallel(**LINES), METRICS, Greedy())
    evidence = read_samples(record, path).evidence
    assert evidence.columns["samples"].sum() == record.score("samples").value
    table = path.with_name("samples.parquet")
    content = table.read_bytes()
    table.write_bytes(content[:-1] + b"\0")
    with pytest.raises(UserError, match=r"is not the evidence that record\.json names"):
        read_samples(record, path)
    table.unlink()
    assert read_samples(record, path) is None
    again = differences([(record, path), (record, path)], make_task(METRICS), True, ["strr"])
    assert [(d.p, d.verdict) for d in again] == [(None, "equal")]


def test_the_part_in_which_two_questions_differ_is_named(run, parallel, tmp_path) -> None:
    def record(out: str, metrics=METRICS, data=None, **changes):
        return run("a", data or parallel(**LINES), metrics, Greedy(), out=out, **changes)[0]

    first = record("first")
    refuse_unlike(first, first)
    refuse_unlike(first, msgspec.structs.replace(first, tokenizer="another"))

    turkish = MetricUse("premium", {"reference": "tur_Latn"})
    (tmp_path / "single.txt").write_text("hello\nworld\n")
    for part, other in {
        "task": record("task", name="other"),
        "metrics": record("metrics", [*METRICS[:3], turkish, *METRICS[4:]]),
        "sample unit": record("unit", ["counts"], unit="word"),
        "dataset": record("dataset", ["counts"], data=tmp_path / "single.txt"),
        "limit": record("limit", limit=3),
        "task fingerprint": record("seed", seed=1),
    }.items():
        base = record("base", ["counts"]) if part in ("sample unit", "dataset") else first
        with pytest.raises(UserError, match=f"different questions: {part}: "):
            refuse_unlike(base, other)
    with pytest.raises(UserError, match=r"premium\|reference:eng_Latn\|v1.*tur_Latn"):
        refuse_unlike(first, record("metrics", [*METRICS[:3], turkish, *METRICS[4:]]))

    changed = {**LINES, "eng_Latn": [*LINES["eng_Latn"][:-1], "ab"]}
    with pytest.raises(UserError, match="different questions: data hash: "):
        refuse_unlike(first, record("data", data=parallel(**changed)))
    about = first.about.dataset
    elsewhere = msgspec.structs.replace(
        first,
        about=msgspec.structs.replace(
            first.about, dataset=msgspec.structs.replace(about, split="devtest")
        ),
    )
    with pytest.raises(UserError, match="different questions: split: all against devtest"):
        refuse_unlike(first, elsewhere)


def test_a_vocabulary_overlaps_itself_wholly() -> None:
    for tokenizer in (Bytes(), Greedy(), load_tokenizer("mistral:v1")):
        found = overlap(tokenizer, tokenizer, ["hello world", "ab 123"])
        assert (found.jaccard, found.covered, found.numbers) == (1, 1, 1)
        assert found.shared == len(set(tokenizer.vocabulary()))


def test_overlap_of_two_vocabularies_by_hand() -> None:
    one = Greedy(["a", "b", "ab", "12", "1", "2"])
    other = Greedy(["a", "b", "aba", "1", "2"])
    found = overlap(one, other, ["aba", "ab", "ba"])
    assert found.shared == 4
    assert found.jaccard == pytest.approx(4 / 7)
    # The other gives aba, a|b and b|a: one of its five tokens is not in the first.
    assert found.covered == pytest.approx(4 / 5)
    assert 0 < found.numbers < 1
    assert overlap(other, one, ["zz"]).covered is None


def test_overlap_is_not_made_up_where_there_are_no_surfaces() -> None:
    assert overlap(Words(), Bytes(), ["a"]) is None
    assert overlap(Bytes(), Words(), ["a"]) is None


def test_large_evidence_is_filed_in_blocks_with_the_same_sums(run, parallel) -> None:
    record, path = run("a", parallel(**LINES), METRICS, Greedy())
    whole = read_samples(record, path)
    content = samples_parquet(whole.evidence, whole.groups)
    filed = smaller(content, len(content) - 1)
    path.with_name("samples.parquet").write_bytes(filed)
    record.evidence = sha256(filed)
    blocks = read_samples(record, path)
    assert blocks.evidence.block > 1
    assert blocks.evidence.rows < whole.evidence.rows
    for name, values in whole.evidence.columns.items():
        assert blocks.evidence.columns[name].sum() == values.sum()
    one, two = aligned(whole, blocks)
    assert np.array_equal(one.evidence.columns["tokens"], two.evidence.columns["tokens"])


def test_a_sample_that_one_tokenizer_lost_is_left_out_of_the_pairing(run, parallel) -> None:
    record, path = run("a", parallel(**LINES), METRICS, Greedy())
    whole = read_samples(record, path)
    kept = np.delete(np.arange(whole.evidence.rows), 1)
    one, two = aligned(whole, type(whole)(whole.evidence.rows_of(kept), whole.groups))
    assert one.evidence.rows == two.evidence.rows == len(kept)
    assert np.array_equal(one.evidence.index, two.evidence.index)


def test_no_p_value_is_shown_smaller_than_a_bootstrap_can_tell() -> None:
    assert [tables.p_value(p) for p in (None, 0.0, 3e-107, 0.0011, 1.0)] == [
        "", "<0.0001", "<0.0001", "0.0011", "1"
    ]  # fmt: skip
