"""`tokbench sweep`: matched text, curves, equalised sizes, resume, refusals."""

from __future__ import annotations

import csv
import functools
import io
import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mocks.command import Done, called, files_in, finished, refused, started
from scipy.optimize import curve_fit

from tokbench import curves, sweep
from tokbench.equalise import Points, changes, equalise, halves, summaries
from tokbench.errors import INTERRUPTED, UserError
from tokbench.matched import RUN, matched

SENTENCES = 400
SIZES = "320,380,460,560"


def spelt(language: str, concept: int, ending: int) -> str:
    """A word: eng short, deu without spaces later, tur with endings, tam of two-byte letters."""
    dice = random.Random(f"{language}{concept}")
    letters = {"tam": "абвгдежзик", "tur": "aeklmrtunyi"}.get(language, "aeiostrnld")
    stem = "".join(dice.choices(letters, k=2 + concept % 5))
    return stem + ("", "ler", "lerin", "de")[ending] if language == "tur" else stem


@functools.cache
def translations() -> dict[str, list[str]]:
    """The same sentences in four made-up languages, words by Zipf's law."""
    dice = random.Random(7)
    ranks = range(1, 301)
    texts: dict[str, list[str]] = {f"{code}": [] for code in ("eng", "deu", "tam", "tur")}
    for number in range(SENTENCES):
        concepts = dice.choices(ranks, [1 / rank for rank in ranks], k=9)
        endings = dice.choices(range(4), k=9)
        for language, lines in texts.items():
            words = [spelt(language, c, e) for c, e in zip(concepts, endings, strict=True)]
            gap = "" if language == "deu" else " "
            pairs = [gap.join(words[at : at + 2]) for at in range(0, 9, 2)]
            lines.append(f"{' '.join(pairs)} {number}.")
    scripts = {"eng": "eng_Latn", "deu": "deu_Latn", "tam": "tat_Cyrl", "tur": "tur_Latn"}
    return {scripts[language]: lines for language, lines in texts.items()}


@pytest.fixture
def data(parallel: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return parallel(**translations())


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing is slow."""
    monkeypatch.setattr("tokbench.commands.sweep.drawn", lambda *_: b"")


def swept(data: Path, *arguments: object) -> Done:
    return called("sweep", "--data", data, "--vocab", SIZES, *arguments)


def result(out: str = "sweep") -> dict:
    return json.loads(Path(out, "sweep.json").read_text(encoding="utf-8"))


# Text


def test_training_and_evaluation_share_no_sentence_and_cover_all(data: Path) -> None:
    found = matched((str(data), None), share=0.75)
    train, held = set(found.training["tur_Latn"]), set(found.evaluation)
    assert not train & held
    assert train | held == set(range(SENTENCES))
    assert len(held) == SENTENCES // 4
    assert found.match == "sentences"
    assert all(np.array_equal(found.training["eng_Latn"], own) for own in found.training.values())
    # In runs: a held-out sentence has held-out neighbours, not trained ones on both sides.
    runs = np.split(found.evaluation, np.flatnonzero(np.diff(found.evaluation) > 1) + 1)
    assert {len(run) for run in runs} == {RUN}


def test_lines_of_the_evaluation_and_gaps_are_left_out_in_every_language(
    data: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in data.iterdir():
        lines = path.read_text(encoding="utf-8").splitlines()
        new = [f"{line} again" for line in lines[:200]]
        if path.stem == "tur_Latn":
            new[3], new[5] = lines[9], ""  # a line of the evaluation, and an empty one
        (other / path.name).write_text("\n".join(new) + "\n", encoding="utf-8")
    found = matched((str(data), None), (str(other), None))
    assert found.repeated == 1
    for language in found.languages:
        assert found.training[language].tolist() == [n for n in range(200) if n not in (3, 5)]
    assert len(found.evaluation) == SENTENCES


@pytest.mark.parametrize("match", ["content", "bytes"])
def test_amounts_of_text_that_is_not_parallel(match: str, data: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    for number, (language, lines) in enumerate(translations().items()):
        some = [f"{line}!" for line in lines[: 300 + number]]
        (plain / f"{language}.txt").write_text("\n".join(some) + "\n", encoding="utf-8")
    found = matched((str(data), None), (str(plain), None), match=match, amounts=[12000, 9500])
    size = {
        language: sum(len(line.encode()) for line in lines)
        for language, lines in translations().items()
    }
    for language in found.languages:
        premium = size[language] / size["eng_Latn"]
        assert found.premiums[language] == pytest.approx(premium)
        for amount in (12000, 9500):
            taken = list(found.training_lines(language, amount))
            wanted = amount * (premium if match == "content" else 1)
            assert wanted - 120 < sum(len(line.encode()) for line in taken) <= wanted + 1
    assert found.premiums["tat_Cyrl"] > 1.3
    with pytest.raises(UserError, match=r"--train-bytes 99999: \w+ has text for \d+ bytes"):
        matched((str(data), None), (str(plain), None), match=match, amounts=[99999])


def test_the_text_alone_makes_the_key(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in data.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    one = matched((str(data), None))
    two = matched((str(copy), None), languages=["tur_Latn"])
    assert one.fingerprint("tur_Latn", 0) == two.fingerprint("tur_Latn", 0)
    assert one.fingerprint("tur_Latn", 0) != one.fingerprint("deu_Latn", 0)
    (copy / "tur_Latn.txt").write_text(
        (copy / "tur_Latn.txt").read_text(encoding="utf-8").replace("7.", "seven."), "utf-8"
    )
    three = matched((str(copy), None), languages=["tur_Latn"])
    assert one.fingerprint("tur_Latn", 0) != three.fingerprint("tur_Latn", 0)
    assert one.fingerprint("eng_Latn", 0) == three.fingerprint("eng_Latn", 0)


# Curves

KNOWN = {
    "log": lambda v: 90_000 - 7_000 * np.log(v),
    "power": lambda v: 80_000 * v**-0.25,
    "floor": lambda v: 9_000 + 400_000 * v**-0.6,
}
TRIED = np.array([500.0, 1000, 2000, 4000, 8000])


@pytest.mark.parametrize("form", KNOWN)
def test_a_known_curve_is_recovered(form: str) -> None:
    counts = KNOWN[form](TRIED)
    assert curves.best(curves.errors(TRIED, counts)) == form
    curve = curves.fit(form, TRIED, np.stack([counts, 2 * counts]))
    assert curve.at(3000.0) == pytest.approx([KNOWN[form](3000), 2 * KNOWN[form](3000)], rel=1e-4)
    assert curve.size(KNOWN[form](3000))[0] == pytest.approx(3000, rel=1e-3)
    assert curves.explained(curve, TRIED, counts) == pytest.approx(1)
    wanted = {
        "log": {"a": 90_000, "b": -7_000},
        "power": {"b": 80_000, "c": 0.25},
        "floor": {"a": 9_000, "b": 400_000, "c": 0.6},
    }
    assert curve.parameters == pytest.approx(wanted[form], rel=1e-3)


@pytest.mark.parametrize("form", KNOWN)
def test_noisy_counts_are_fitted_as_scipy_does(form: str) -> None:
    counts = KNOWN[form](TRIED) + np.random.default_rng(3).normal(0, 150, (6, 5))
    model, start = {
        "log": (lambda v, a, b: a + b * np.log(v), (9e4, -7e3)),
        "power": (lambda v, b, c: b * v**-c, (8e4, 0.25)),
        "floor": (lambda v, a, b, c: a + b * v**-c, (9e3, 4e5, 0.6)),
    }[form]
    curve = curves.fit(form, TRIED, counts)
    for row, own in enumerate(counts):
        wanted, _ = curve_fit(model, TRIED, own, start, maxfev=20_000)
        theirs = ((model(TRIED, *wanted) - own) ** 2).sum()
        ours = sum((curve.at(size)[row] - n) ** 2 for size, n in zip(TRIED, own, strict=True))
        assert ours == pytest.approx(theirs, rel=1e-4)


def test_a_curve_never_reaches_less_than_its_floor() -> None:
    curve = curves.fit("floor", TRIED, KNOWN["floor"](TRIED)[None])
    assert np.isinf(curve.size(8_999))[0]
    rising = curves.fit("log", TRIED, TRIED[None])
    assert np.isinf(rising.size(1000))[0]


def points(counts: np.ndarray, sizes: np.ndarray = TRIED) -> Points:
    """Spread over 50 sentences, unevenly, the same sentences long in every language."""
    share = np.random.default_rng(1).uniform(0.5, 1.5, 50)
    return Points(sizes, np.outer(counts, share / share.sum()))


def test_sizes_that_equalise_known_curves() -> None:
    tokens = {
        "eng_Latn": KNOWN["floor"](TRIED),
        "tur_Latn": 1.2 * KNOWN["floor"](TRIED),
        "shn_Mymr": 4.0 * KNOWN["floor"](TRIED),
    }
    fits, level = equalise({one: points(own) for one, own in tokens.items()}, "eng_Latn", 300)
    found = {fit.language: fit for fit in fits}
    assert level == pytest.approx(KNOWN["floor"](2000), rel=1e-4)
    assert (found["eng_Latn"].size, found["eng_Latn"].status) == (2000, "within")
    exact = ((KNOWN["floor"](2000) / 1.2 - 9_000) / 400_000) ** (-1 / 0.6)
    assert found["tur_Latn"].size == pytest.approx(exact, abs=2)
    # All languages draw the same sentences, so what they have in common leaves no doubt.
    assert (found["tur_Latn"].low, found["tur_Latn"].high) == pytest.approx(
        (exact, exact), rel=0.01
    )
    assert (found["shn_Mymr"].size, found["shn_Mymr"].status) == (8000, "out of reach")
    _, chosen = equalise({"eng_Latn": points(tokens["eng_Latn"])}, "eng_Latn", 300, 700)
    assert chosen == pytest.approx(KNOWN["floor"](700), rel=1e-4)


def test_the_level_moves_to_where_most_languages_follow() -> None:
    tokens = {"eng_Latn": KNOWN["power"](TRIED), "tur_Latn": 1.6 * KNOWN["power"](TRIED)}
    fits, level = equalise({one: points(own) for one, own in tokens.items()}, "eng_Latn", 300)
    assert level == pytest.approx(1.6 * KNOWN["power"](8000), rel=1e-4)
    assert [fit.status for fit in fits] == ["within", "within"]
    assert fits[1].size == 8000


def test_no_fit_without_three_sizes_or_a_fall() -> None:
    flat = {
        "eng_Latn": points(KNOWN["log"](TRIED)),
        "tur_Latn": points(np.full(5, 40_000.0)),
        "deu_Latn": points(KNOWN["log"](TRIED[:2]), TRIED[:2]),
    }
    fits, _ = equalise(flat, "eng_Latn", 300)
    assert [fit.why for fit in fits] == [
        "", "tokens do not fall as the vocabulary grows", "sizes reached: 2; a fit needs 3",
    ]  # fmt: skip
    assert [fit.size for fit in fits[1:]] == [None, None]


def test_summaries_by_hand() -> None:
    tokens = np.array([[10, 10, 10, 10], [15, 15, 15, 15], [20, 20, 20, 20]], dtype=float)
    found = {row.name: row for row in summaries(tokens, 0)}
    assert found["max"].value == found["max"].low == found["max"].high == 2
    assert found["mean"].value == pytest.approx(1.75)
    assert found["standard-deviation"].value == pytest.approx(np.std([1, 1.5, 2]))
    assert found["gini"].value == pytest.approx((5 + 5 + 10) * 2 / (2 * 9 * 15))
    change = {row.name: row for row in changes(tokens, tokens[[0, 0, 1]], 0)}
    assert change["max"].value == change["max"].high == -0.5
    fit_half, judge_half = halves(5)
    assert sorted([*fit_half, *judge_half]) == list(range(5))


# The command


def test_a_sweep_shrinks_premiums_and_says_where_from(data: Path) -> None:
    done = swept(data)
    assert (done.code, done.err) == (0, "")
    found = result()
    (series,) = found["series"]
    sizes = [row["vocabulary"] for row in series["rows"]]
    assert sizes == [320, 380, 460, 560]
    pair = series["equalised"]
    change = {row["name"]: row for row in pair["change"]}
    assert change["max"]["value"] < 0 and change["max"]["high"] < 0
    assert change["standard-deviation"]["high"] < 0
    assert pair["after"]["summaries"][0]["value"] < 1.1
    assert all(fit["status"] == "within" for fit in series["fits"])
    assert all(abs(fit["miss"]) < 0.03 and fit["r2"] > 0.98 for fit in series["fits"])
    assert found["design"]["held_out"] and found["design"]["match"] == "sentences"
    assert "change from" in done.out and "trained at these sizes" in done.out
    pictures = [Path(f"sweep/sweep.{form}") for form in ("png", "svg")]
    first = [picture.read_bytes() for picture in pictures]
    assert first[0].startswith(b"\x89PNG") and first[1].startswith(b"<?xml")
    assert swept(data).out == done.out
    assert [picture.read_bytes() for picture in pictures] == first


@pytest.mark.usefixtures("undrawn")
def test_a_cell_is_what_eval_counts(data: Path, tmp_path: Path, run) -> None:
    """One cell against `train:` and the task runner on the same lines."""
    swept(data, "--languages", "tur_Latn")
    text = matched((str(data), None), languages=["tur_Latn"])
    for name, lines in (
        ("train", text.training_lines("tur_Latn", 0)),
        ("test", text.evaluation_lines("tur_Latn")),
    ):
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    record, _ = run("train:bpe?vocab=460&on=train.txt", tmp_path / "test.txt", ["counts"])
    tokens = next(score.value for score in record.scores if score.name == "tokens")
    cells = {
        (cell["language"], cell["vocabulary"]): cell
        for cell in result()["cells"]
        if not cell["equalised"]
    }
    assert cells["tur_Latn", 460]["tokens"] == tokens
    base = cells["eng_Latn", 460]["tokens"]
    assert cells["tur_Latn", 460]["premium"] == pytest.approx(tokens / base)


@pytest.mark.usefixtures("undrawn")
def test_serial_parallel_and_resumed_are_one(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = "--algorithm", "bpe,wordpiece", "--languages", "tur_Latn"
    swept(data, *arguments, "--out", "one")
    swept(data, *arguments, "--out", "two", "--workers", "2")
    results = [result("one"), result("two")]
    assert files_in(Path("one")) == files_in(Path("two"))
    for found in results:
        del found["provenance"]
    assert results[0] == results[1]
    for name in files_in(Path("one")):
        if not name.endswith("sweep.json"):
            assert Path("one", name).read_bytes() == Path("two", name).read_bytes(), name
    # Half of the cells gone, one of them damaged: the rest is not made again.
    cells = sorted(Path("one/cells").iterdir())
    kept, first = cells[len(cells) // 2 :], {path: path.read_bytes() for path in cells}
    for path in cells[: len(cells) // 2]:
        path.unlink()
    kept[0].write_bytes(kept[0].read_bytes()[:50])
    made = []
    measure = sweep._measured
    monkeypatch.setattr(
        sweep, "_measured", lambda text, cell: made.append(cell) or measure(text, cell)
    )
    swept(data, *arguments, "--out", "one")
    assert len(made) == len(set(made)) == len(cells) // 2 + 1
    assert {path: path.read_bytes() for path in cells} == first
    made.clear()
    swept(data, *arguments, "--out", "one")
    assert not made


def test_interrupted_it_keeps_what_is_finished(data: Path) -> None:
    arguments = "sweep", "--data", data, "--vocab", ",".join(map(str, range(300, 460, 2)))
    with started(*arguments, "--algorithm", "superbpe") as process:
        until = time.monotonic() + 60
        while time.monotonic() < until and len(list(Path("sweep/cells").glob("*.json"))) < 3:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (INTERRUPTED, "")
    assert err.endswith("goes on where it stopped\n") and err.count("\n") == 1
    kept = files_in(Path("sweep/cells"))
    assert len(kept) >= 3 and not Path("sweep/sweep.json").exists()


@pytest.mark.usefixtures("undrawn")
def test_sizes_that_the_text_does_not_yield_are_shown_and_never_priced(data: Path) -> None:
    done = swept(data, "--vocab", f"{SIZES},90000", "--format", "csv")
    rows = [row for row in csv.DictReader(io.StringIO(done.out)) if row["vocabulary"] == "90000"]
    assert len(rows) == 4
    for row in rows:
        assert 560 < int(row["reached"]) < 90000
        assert row["note"] == f"the text yields {row['reached']} tokens"
        assert row["premium"] == "" and int(row["tokens"]) > 0
    assert [row["vocabulary"] for row in result()["series"][0]["rows"]] == [320, 380, 460, 560]
    table = swept(data, "--vocab", f"{SIZES},90000").out
    assert "the text does not yield all sizes; the most it yields: " in table
    assert f"{rows[-1]['language']} {int(rows[-1]['reached']):,}\n" in table


@pytest.mark.usefixtures("undrawn")
def test_several_amounts_are_series_of_their_own(data: Path) -> None:
    swept(data, "--train-bytes", "9000,6000", "--languages", "tur_Latn")
    found = result()
    assert [series["amount"] for series in found["series"]] == [6000, 9000]
    lines = found["design"]["training_lines"]
    assert lines["6000"]["tur_Latn"] == lines["6000"]["eng_Latn"] < lines["9000"]["eng_Latn"]
    sizes = {cell["training_bytes"] for cell in found["cells"] if cell["language"] == "eng_Latn"}
    assert all(any(amount - 120 < size <= amount + 1 for size in sizes) for amount in (6000, 9000))


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("form", ["table", "json", "csv", "md"])
def test_forms(form: str, data: Path) -> None:
    done = swept(data, "--languages", "tur_Latn", "--vocab", "320,400", "--format", form)
    assert (done.code, done.err) == (0, "")
    if form == "json":
        assert json.loads(done.out)["series"][0]["why"] == "sizes reached: 2; a fit needs 3"
    elif form == "csv":
        assert len(done.out.splitlines()) == 5
    else:
        assert "not equalised: sizes reached: 2; a fit needs 3" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--algorithm", "bpee"], "no algorithm 'bpee'; did you mean 'bpe'?"),
        (["--vocab", "100,500"], "--vocab 100: give sizes from 300"),
        (["--vocab", "a"], "'a' is not a whole number"),
        (["--languages", "tur_Lat"], "no language 'tur_Lat' in parallel; did you mean 'tur_Latn'?"),
        (["--languages", "eng_Latn"], "a premium needs two languages"),
        (["--reference", "eng"], "no language 'eng'"),
        (["--at", "9000"], "give a size within those of --vocab"),
        (["--train-share", "1"], "'1' is not a share between 0 and 1"),
        (["--train-share", "0.95"], "20 lines are left for evaluation; a sweep needs 50"),
        (["--train-share", "0.2"], "80 lines are left for training in deu_Latn; a sweep needs 100"),
        (["--train-bytes", "900"], "a sweep needs 100"),
        (["--on", "numbers"], "languages in common: none"),
        (["--on-split", "dev"], "give --on as well"),
        (["--match", "content", "--data", "numbers"], "premiums need parallel text"),
        (["--data", "parallel-mini"], "12 lines are left for evaluation"),
    ],
)
def test_refusals_write_nothing(arguments: list[str], message: str, data: Path) -> None:
    refused(swept(data, *arguments), message)
    assert not Path("sweep").exists()


def test_training_on_the_evaluation_is_refused(data: Path) -> None:
    refused(swept(data, "--on", data), "0 lines are left for training in deu_Latn")


def test_a_text_that_yields_no_vocabulary_is_refused(data: Path) -> None:
    done = swept(data, "--vocab", "40000,50000", "--languages", "tur_Latn")
    refused(done, "bpe: no size of --vocab is reached by eng_Latn and another language", "yields")


def test_help_imports_nothing_heavy() -> None:
    assert finished("sweep", "--help").code == 0
