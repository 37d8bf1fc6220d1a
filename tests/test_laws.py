"""The laws every metric keeps: evidence merges like a monoid, and shards, order and workers
change no score."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocks.evidence import Groups, make_task, pieces_of, scores_from
from mocks.greedy import Greedy

from tokbench import evidence as evidence_module
from tokbench.bench import Bench, Job
from tokbench.evidence import BLOCKS, EXAMPLES, Evidence, Example, Failure, Tally
from tokbench.files import atomic_write
from tokbench.metrics.metric import Metric, parameters
from tokbench.metrics.text import vocabulary_languages
from tokbench.metrics.text.constructs import ConstructBytes
from tokbench.metrics.text.fairness import Gini
from tokbench.registry import METRICS
from tokbench.runner import evaluate
from tokbench.tokenizers.text.adapter import TextTokenizer
from tokbench.tokenizers.text.baselines import Bytes, Codepoints, Words

TOKENIZERS = {"greedy": Greedy, "bytes": Bytes, "codepoints": Codepoints, "words": Words}
TEXT = [name for name, entry in METRICS.table.items() if entry.modality == "text"]
OF_LANGUAGE = [name for name in TEXT if "language" in parameters(METRICS.get(name))]
ALL_METRICS: list[Metric] = [
    *(METRICS.get(name)() for name in TEXT),
    Gini(cost="bytes"),
    *(METRICS.get(name)(language="python") for name in OF_LANGUAGE),
    ConstructBytes(language="log"),
]
STATISTICS = list(dict.fromkeys(name for metric in ALL_METRICS for name in metric.statistics))
each_metric = pytest.mark.parametrize(
    "metric", ALL_METRICS, ids=lambda metric: metric.signature().replace("|", " ")
)
each_tokenizer = pytest.mark.parametrize("tokenizer", TOKENIZERS)


@pytest.fixture(autouse=True)
def one_word_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small list for the table of languages: unpacking all of them takes minutes."""
    monkeypatch.setattr(vocabulary_languages, "languages_of", lambda script: ["gla_Latn"])


def lines_of(count: int, seed: int, fragments: Sequence[str]) -> list[str]:
    rng = random.Random(seed)
    lines = ["".join(rng.choices(fragments, k=rng.randint(1, 6))) for _ in range(count)]
    for row in rng.sample(range(count), count // 10):
        lines[row] = ""  # a translation that is missing
    return lines


def texts(count: int) -> Groups:
    # Known and unknown characters, blanks, line feeds, and a script without spaces.
    return {
        "eng_Latn": lines_of(count, 1, ["hello", " world", ", ", "ab", "!", " zz", "\n"]),
        "jpn_Jpan": lines_of(count, 2, ["日本", "語", "a", "テスト", " "]),
        "tur_Latn": lines_of(count, 3, ["wor", "ld", " ", "éé", "ab", "ış"]),
    }


@cache
def pieces(tokenizer: str, count: int, size: int) -> list[Evidence]:
    """Evidence of all statistics, `size` lines at a time."""
    return pieces_of(TOKENIZERS[tokenizer](), texts(count), STATISTICS, size)


def plain(evidence: Evidence) -> dict[str, object]:
    """Everything in the evidence but its seconds, for comparing."""
    return {
        "group": evidence.group.tolist(),
        "index": evidence.index.tolist(),
        "columns": {
            name: (values.dtype.kind, values.tolist()) for name, values in evidence.columns.items()
        },
        "tallies": {
            name: (tally.keys.tolist(), tally.counts.tolist())
            for name, tally in evidence.tallies.items()
        },
        "block": evidence.block,
        "failures": evidence.failures,
        "examples": evidence.examples,
    }


def empty() -> Evidence:
    return Evidence.joined([])


@each_tokenizer
def test_the_merge_is_associative(tokenizer: str) -> None:
    parts = pieces(tokenizer, 40, 7)
    whole = plain(Evidence.joined(parts))
    assert len(parts) > 9
    for cut in range(1, len(parts)):
        left, right = Evidence.joined(parts[:cut]), Evidence.joined(parts[cut:])
        assert plain(Evidence.joined([left, right])) == whole
    one_by_one = empty()
    for part in parts:
        one_by_one = Evidence.joined([one_by_one, part])
    assert plain(one_by_one) == whole


@each_tokenizer
def test_nothing_joined_to_evidence_changes_nothing(tokenizer: str) -> None:
    part = pieces(tokenizer, 40, 7)[2]
    for joined in (
        Evidence.joined([part]),
        Evidence.joined([empty(), part]),
        Evidence.joined([part, empty()]),
        Evidence.joined([empty(), empty(), part, empty()]),
    ):
        assert plain(joined) == plain(part)
    assert plain(Evidence.joined([empty(), empty()])) == plain(empty())


@each_tokenizer
def test_the_merge_leaves_its_parts_as_they_were(tokenizer: str) -> None:
    parts = pieces(tokenizer, 40, 7)
    before = [plain(part) for part in parts]
    Evidence.joined(parts)
    assert [plain(part) for part in parts] == before


@each_tokenizer
@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_one_shard_is_k_shards(tokenizer: str, size: int) -> None:
    assert plain(Evidence.joined(pieces(tokenizer, 40, size))) == plain(
        Evidence.joined(pieces(tokenizer, 40, 40))
    )


@each_metric
@each_tokenizer
def test_scores_do_not_depend_on_shards(tokenizer: str, metric: Metric) -> None:
    def scores(size: int) -> object:
        whole = Evidence.joined(pieces(tokenizer, 40, size))
        spec = TOKENIZERS[tokenizer]().spec
        return scores_from(metric, whole, texts(40), spec, replicates=50)

    expected = scores(40)
    assert expected
    assert scores(7) == expected
    assert scores(1) == expected


@each_metric
def test_a_score_has_a_value_or_says_why_not(metric: Metric) -> None:
    for tokenizer in TOKENIZERS:
        whole = Evidence.joined(pieces(tokenizer, 40, 40))
        spec = TOKENIZERS[tokenizer]().spec
        found = scores_from(metric, whole, texts(40), spec, replicates=50)
        for score in found.values():
            assert score.value is not None or score.note, score
            assert (score.low is None) == (score.high is None) == (score.interval is None), score
            # Counts and maxima of the data have no sampling interval; all else says why.
            assert score.interval or score.note or metric.name == "counts", score


@each_metric
def test_a_metric_describes_itself(metric: Metric) -> None:
    assert METRICS.get(metric.name) is type(metric)
    assert metric.__doc__
    assert metric.reference
    assert metric.aggregation
    assert metric.version >= 1
    assert metric.better in ("higher", "lower", "neither")
    assert set(metric.options()) == set(parameters(type(metric)))
    for option, value in metric.options().items():
        assert f"|{option}:{value}|" in metric.signature()


SMALL = 512
"""Rows kept for one group in these tests, so that a few samples are many."""
COUNT = SMALL + 114


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert BLOCKS == 4096
    monkeypatch.setattr(evidence_module, "BLOCKS", SMALL)


@pytest.fixture(scope="module")
def long() -> Callable[[int], list[Evidence]]:
    """Evidence of more samples than are kept apart, `size` lines at a time."""
    found = {}

    def made(size: int) -> list[Evidence]:
        if size not in found:
            found[size] = pieces_of(Greedy(), texts(COUNT), STATISTICS, size)
        return found[size]

    return made


def test_neighbours_are_summed_beyond_the_most_rows_of_a_group(long) -> None:
    apart = pieces_of(Greedy(), texts(COUNT), ["tokens"], COUNT)
    assert [part.block for part in apart] == [1, 1, 1]
    whole = Evidence.joined(long(COUNT))
    assert whole.block == 2
    assert whole.index.max() == (COUNT - 1) // 2 < SMALL
    for number, part in enumerate(apart):
        rows = whole.group == number
        expected = np.bincount(part.index // 2, part.columns["tokens"])
        assert (whole.columns["tokens"][rows] == expected[whole.index[rows]]).all()
        # A pair of which one line is missing is one sample, and a pair of none is no row.
        assert whole.columns["samples"][rows].sum() == len(part.index)
        assert (whole.columns["samples"][rows] > 0).all()


def test_coarse_evidence_merges_as_fine_evidence_does(long) -> None:
    whole = plain(Evidence.joined(long(COUNT)))
    for size in (125, 64):  # one cuts pairs in two
        parts = long(size)
        assert plain(Evidence.joined(parts)) == whole
        for cut in (1, len(parts) // 2, len(parts) - 1):
            halves = [Evidence.joined(parts[:cut]), Evidence.joined(parts[cut:])]
            assert plain(Evidence.joined(halves)) == whole


@each_metric
def test_scores_of_coarse_evidence_do_not_depend_on_shards(metric: Metric, long) -> None:
    expected, found = (
        scores_from(metric, Evidence.joined(long(size)), texts(1), Greedy().spec, replicates=50)
        for size in (COUNT, 125)
    )
    assert found == expected


def test_parity_is_refused_where_single_lines_are_no_longer_known(long) -> None:
    metric = METRICS.get("parity")()
    found = scores_from(metric, Evidence.joined(long(COUNT)), texts(1), Greedy().spec)
    assert found["parity"].value is None
    assert "too many samples" in found["parity"].note


def test_premium_of_coarse_evidence_matches_whole_pairs_of_lines(long) -> None:
    metric = METRICS.get("premium")()
    whole = Evidence.joined(long(COUNT))
    found = scores_from(metric, whole, texts(1), Greedy().spec)["premium/tur_Latn"]
    lines = {}
    for part in pieces_of(Greedy(), texts(COUNT), ["tokens"], COUNT):
        counts = np.zeros(COUNT, dtype=np.int64)  # every line that is there has tokens
        counts[part.index] = part.columns["tokens"]
        lines[int(part.group[0])] = counts.reshape(-1, 2)
    english, turkish = lines[0], lines[2]
    both = (english > 0).all(1) & (turkish > 0).all(1)
    assert 0.5 < both.mean() < 0.8
    assert found.value == turkish[both].sum() / english[both].sum()
    assert found.n == 2 * both.sum()


def test_premium_of_coarse_evidence_without_gaps_counts_every_line() -> None:
    groups = {"eng_Latn": ["ab"] * COUNT + ["a"], "tur_Latn": ["éé"] * COUNT + ["é"]}
    metric = METRICS.get("premium")()
    whole = Evidence.joined(pieces_of(Greedy(), groups, ["tokens"], COUNT))
    assert whole.block == 2
    found = scores_from(metric, whole, groups, Greedy().spec)["premium/tur_Latn"]
    assert found.value == (2 * COUNT + 1) / (COUNT + 1)
    assert found.n == COUNT + 1


@st.composite
def consecutive(draw: st.DrawFn) -> tuple[list[Evidence], list[int]]:
    """Evidence of consecutive samples cut anywhere, and a bracketing of its merge."""
    rows = [
        (group, index)
        for group in range(draw(st.integers(1, 3)))
        for index in sorted(draw(st.sets(st.integers(0, 70), max_size=20)))
    ]
    cuts = sorted(draw(st.sets(st.integers(0, len(rows)), max_size=6)) | {0, len(rows)})
    parts = []
    for first, last in pairwise(cuts):
        group, index = np.array(rows[first:last], dtype=np.int64).reshape(-1, 2).T
        number = np.arange(first, last)
        keys = (group << 32) + number % 3
        causes = {f"cause {first % 2}": Failure(last - first, f"sample {first}")}
        examples = [Example("s", "", row, "") for row in range(first, last, 2)][:EXAMPLES]
        parts.append(
            Evidence(
                group, index,
                {"samples": np.ones_like(index), "n": number**2},
                {"t": Tally.of(keys, np.ones_like(keys))},
                failures=causes, examples=examples, seconds={"encode": float(last - first)},
            )
        )  # fmt: skip
    brackets = draw(st.lists(st.integers(0, 5), max_size=len(parts)))
    return parts, brackets


@settings(max_examples=300, deadline=None, derandomize=True)
@given(consecutive())
def test_any_bracketing_of_any_cut_gives_the_same_evidence(cut) -> None:
    parts, brackets = cut
    original = evidence_module.BLOCKS
    evidence_module.BLOCKS = 16  # so that a few samples are many
    try:
        whole = Evidence.joined(parts)
        waiting = list(parts)
        for place in brackets:
            if len(waiting) > 1:
                at = place % (len(waiting) - 1)
                waiting[at : at + 2] = [Evidence.joined(waiting[at : at + 2])]
        bracketed = Evidence.joined(waiting)
    finally:
        evidence_module.BLOCKS = original
    assert plain(bracketed) == plain(whole)
    assert bracketed.seconds == whole.seconds
    assert sum(failure.count for failure in whole.failures.values()) == sum(
        failure.count for part in parts for failure in part.failures.values()
    )


@each_tokenizer
def test_evidence_comes_back_from_bytes(tokenizer: str) -> None:
    evidence = Evidence.joined(pieces(tokenizer, 40, 7))
    evidence.failures = {"encode: ValueError: no": Failure(3, "eng_Latn 4")}
    evidence.seconds = {"encode": 0.25}
    back = Evidence.from_bytes(evidence.to_bytes())
    assert plain(back) == plain(evidence)
    assert back.seconds == evidence.seconds
    assert back.to_bytes() == evidence.to_bytes()
    assert plain(Evidence.from_bytes(empty().to_bytes())) == plain(empty())


def test_the_merge_bounds_its_memory_and_changes_nothing(monkeypatch) -> None:
    monkeypatch.setattr(evidence_module, "BLOCKS", 1)  # merged every 64 rows
    one = np.ones(1, dtype=np.int64)
    parts = [Evidence(one * group, one * 0, {"n": one * group}) for group in range(200)]
    joined = Evidence.joined(iter(parts))
    assert joined.group.tolist() == joined.columns["n"].tolist() == list(range(200))
    assert joined.block == 1


def test_examples_are_the_first_of_the_run_and_few() -> None:
    whole = Evidence.joined(pieces("greedy", 40, 7))
    found = [example for example in whole.examples if example.statistic == "round-trip"]
    assert len(found) == EXAMPLES
    assert {example.group for example in found} == {"eng_Latn"}
    assert [example.index for example in found] == sorted(example.index for example in found)


@pytest.mark.parametrize("spec", ["mocks.greedy:Greedy", "mistral:v1"])
def test_workers_resumption_and_order_of_shards_change_no_score(
    spec: str, parallel, tmp_path
) -> None:
    lines = {name: [t.replace("\n", " ") for t in group] for name, group in texts(40).items()}
    folder = parallel(**lines)
    asked = [name for name in TEXT if not METRICS.get(name).notes]  # what lines can answer
    job = Job(spec, make_task(asked, shard_samples=9), str(folder))

    serial, path = evaluate(job, tmp_path / "serial")
    assert serial.score("samples").value == 108

    spread, _ = evaluate(job, tmp_path / "spread", workers=2)

    # Shards that other workers left in another order, one of them not done yet.
    bench = Bench(job)
    shards = bench.source.plan(None)
    assert len(shards) > 9
    run = tmp_path / "resumed" / path.parent.name / "shards"
    done = [number for number in range(len(shards)) if number != 3]
    for number in random.Random(0).sample(done, len(done)):
        atomic_write(run / f"{number:06}.npz", bench.evidence(shards[number]).to_bytes())
    steps = []
    resumed, _ = evaluate(
        job, tmp_path / "resumed", progress=lambda done, of: steps.append((done, of))
    )
    assert steps[0] == (len(shards) - 1, len(shards))

    for other in (spread, resumed):
        assert other.key == serial.key
        assert other.scores == serial.scores
        assert other.examples == serial.examples
        assert other.evidence == serial.evidence  # the hash of the per-sample table

    # Another cut is another key, for intervals may differ in principle; yet no score does.
    coarse, _ = evaluate(Job(spec, make_task(asked), str(folder)), tmp_path / "coarse")
    assert coarse.key != serial.key
    assert coarse.scores == serial.scores
    assert coarse.evidence == serial.evidence


def test_an_encoder_that_fails_on_some_texts_is_counted_and_merged(parallel, run) -> None:
    class Picky(Greedy):
        def encode(self, batch: Sequence[str]):
            if any("!" in text for text in batch):
                raise ValueError("no exclamations")
            return super().encode(batch)

    folder = parallel(eng_Latn=["ab", "a!", "b!", "hello"], tur_Latn=["a", "b", "ab", "!"])
    tokenizer: TextTokenizer = Picky()
    whole, _ = run("picky", folder, ["counts", "premium"], tokenizer, out="whole")
    cut, _ = run("picky", folder, ["counts", "premium"], tokenizer, out="cut", shard_samples=1)
    assert whole.status == "failures"
    assert whole.failures == {"encode: ValueError: no exclamations": Failure(3, "eng_Latn 1")}
    assert cut.failures == whole.failures
    assert cut.scores == whole.scores
    assert whole.score("samples").value == 5
    # Premium over the one line that both languages have: ab against a.
    assert whole.score("premium/tur_Latn").value == 1


def test_shards_do_not_pile_up_before_they_are_merged() -> None:
    def shard(number: int) -> Evidence:
        index = np.arange(20_000) + 20_000 * number
        ids = Tally(np.arange(256), np.ones(256, np.int64))
        return Evidence(np.zeros_like(index), index, {"tokens": index}, {"ids": ids})

    tracemalloc.start()
    whole = Evidence.joined(map(shard, range(200)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert whole.columns["tokens"].sum() == 4_000_000 * 3_999_999 // 2
    assert peak < 16 << 20  # a shard has 0.5 MB
