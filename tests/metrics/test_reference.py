"""Figures that others published, or that an independent computation gave, measured again."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest

from tokbench.metrics.text.fairness import gini
from tokbench.task import MetricUse

CORE = [
    "arb_Arab", "deu_Latn", "eng_Latn", "fra_Latn", "hin_Deva", "ind_Latn", "jpn_Jpan",
    "kor_Hang", "por_Latn", "rus_Cyrl", "spa_Latn", "tur_Latn", "zho_Hans",
]  # fmt: skip
"""The 13 languages of TokEval's `flores_core`."""


def dev(shared: Path, language: str) -> list[str]:
    path = shared / "flores200" / "dev" / f"{language}.dev"
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def test_gpt2_on_the_quick_start_of_tokeval(real, run, tmp_path: Path) -> None:
    # README of TokEval (MIT): 209 bytes, 55 tokens, 3.800 bytes a token.
    lines = [
        "The quick brown fox jumps over the lazy dog.",
        "Tokenizers differ most on text they were not trained on.",
        "def compute_total(items): return sum(i.price for i in items)",
        "The invoice totalled 1234567 euros on 2024-03-15.",
    ]
    (tmp_path / "corpus.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    gpt2 = real("gpt2.tokenizer.json")
    record, _ = run("gpt2", tmp_path / "corpus.txt", ["counts", "bytes-per-token"], gpt2)
    assert record.score("bytes").value == 209
    assert record.score("tokens").value == 55
    assert record.score("bytes-per-token").value == 209 / 55


FLORES_CORE = {
    # tokens a line, utilisation, types over tokens, Shannon bits, Gini over lines, over bytes
    "o200k_base": (34.707, 0.2447, 0.1088, 13.218, 0.0654, None),
    "cl100k_base": (54.696, 0.2057, 0.0291, 11.137, 0.2156, 0.1171),
    "r50k_base": (83.796, 0.2687, 0.0124, 9.115, 0.2938, 0.1993),
}


@pytest.mark.parametrize("encoding", FLORES_CORE)
def test_flores_core_of_tokeval(encoding: str, shared: Path, real, parallel, run) -> None:
    # These figures are of lines with every run of white space made one blank.
    folder = parallel(**{
        language: [" ".join(line.split()) for line in dev(shared, language)] for language in CORE
    })  # fmt: skip
    by_bytes = MetricUse("gini", {"cost": "bytes"})
    record, _ = run(
        encoding,
        folder,
        ["counts", "tokens-per-line", "utilisation", "shannon-efficiency", "gini", by_bytes],
        real(f"{encoding}.tiktoken"),
    )
    lines, used, ratio, shannon, by_line, by_byte = FLORES_CORE[encoding]

    def value(name: str) -> float:
        return record.score(name).value

    assert value("samples") == 13 * 997
    assert value("tokens-per-line") == pytest.approx(lines, rel=1e-3)
    assert value("utilisation") == pytest.approx(used, rel=1e-3)
    # Printed with three or four digits, so compared to half a unit of the last.
    assert value("types") / value("tokens") == pytest.approx(ratio, abs=5.1e-5)
    assert value("shannon-entropy") == pytest.approx(shannon, rel=1e-3)
    assert value("gini") == pytest.approx(by_line, abs=5.1e-5)
    if by_byte is not None:
        assert value("gini-bytes") == pytest.approx(by_byte, abs=5.1e-5)


def test_o200k_as_published_for_gpt_oss(shared: Path, real) -> None:
    # swiss-ai RESULTS, flores_core: 34.730 tokens a line, TTR .1087, Gini .065 (stripped lines).
    tokenizer = real("o200k_base.tiktoken")
    codes = [tokenizer.encode([x.strip() for x in dev(shared, name)]).ids for name in CORE]
    tokens = np.array([len(ids.values) for ids in codes])
    types = len(np.unique(np.concatenate([ids.values for ids in codes])))
    assert tokens.sum() / (13 * 997) == pytest.approx(34.730, rel=1e-3)
    assert types / tokens.sum() == pytest.approx(0.1087, abs=5.1e-5)
    assert gini(tokens) == pytest.approx(0.065, abs=5.1e-4)


# "Domain term counts" of the KL3M paper (2503.17247); columns as in TERM_COLUMNS.
TERMS = {
    "11 U.S.C. § 362(a)": (10, 13, 13, 13),
    "res judicata": (3, 4, 6, 5),
    "stare decisis": (4, 5, 5, 6),
    "habeas corpus": (4, 3, 4, 5),
    "certiorari": (3, 3, 2, 4),
    "de novo review": (3, 4, 6, 6),
    "28 C.F.R. § 14.2(a)": (12, 14, 15, 14),
    "42 U.S.C. § 1983": (9, 9, 12, 10),
    "Fed. R. Civ. P. 12(b)(6)": (14, 14, 15, 15),
    "prima facie": (3, 4, 5, 5),
    "EBITDA": (3, 3, 3, 3),
    "P/E ratio": (3, 4, 6, 6),
    "10-K filing": (3, 4, 5, 6),
    "SEC Form 8-K": (5, 5, 7, 6),
    "quarterly dividend": (3, 3, 5, 8),
    "year-over-year growth": (4, 6, 8, 11),
    "Basel III compliance": (4, 4, 6, 9),
    "GAAP accounting": (3, 3, 5, 7),
    "ROI analysis": (2, 3, 4, 6),
    "market capitalization": (2, 3, 4, 10),
}
TERM_COLUMNS = (
    "o200k_base.tiktoken",
    "gpt2.tokenizer.json",
    "kl3m-001-32k.tokenizer.json",
    "kl3m-004-char-8k-cased.tokenizer.json",
)


@pytest.mark.parametrize("column", range(4), ids=lambda column: TERM_COLUMNS[column])
def test_token_counts_of_the_kl3m_papers_terms(column: int, real) -> None:
    tokenizer = real(TERM_COLUMNS[column])
    counts = tokenizer.encode(list(TERMS)).ids.lengths.tolist()
    assert dict(zip(TERMS, counts, strict=True)) == {
        term: published[column] for term, published in TERMS.items()
    }


def test_byte_premiums_of_burmese_and_shan(shared: Path, parallel, run) -> None:
    # Published on dev and devtest together; dev alone differs by under 1 %.
    languages = ("eng_Latn", "mya_Mymr", "shn_Mymr")
    folder = parallel(**{language: dev(shared, language) for language in languages})
    record, _ = run("bytes", folder, ["premium"])
    for language, published in (("mya_Mymr", 3.513), ("shn_Mymr", 3.936)):
        score = record.score(f"premium/{language}")
        assert score.value == pytest.approx(published, rel=0.01)
        assert score.n == 997


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("cl100k_base", "223921b7"), ("o200k_base", "446a9538"), ("r50k_base", "306cd27f")],
)
def test_the_encodings_are_openais_own_files(name: str, prefix: str, shared: Path) -> None:
    content = (shared / "tokenizers" / f"{name}.tiktoken").read_bytes()
    assert hashlib.sha256(content).hexdigest().startswith(prefix)


IDENTITIES = [
    "counts", "bytes-per-token", "characters-per-token", "words-per-token", "tokens-per-line",
    "fertility", "utilisation", "shannon-efficiency",
]  # fmt: skip


def test_restatements_of_one_number_agree_to_the_last_digits(run, parallel) -> None:
    folder = parallel(
        eng_Latn=["The council met on 3 May.", "Nobody came, so it met again."],
        tur_Latn=["Kurul 3 Mayıs'ta toplandı.", "Kimse gelmeyince yeniden toplandı."],
        hin_Deva=["परिषद की बैठक 3 मई को हुई।", "कोई नहीं आया, इसलिए वह फिर से हुई।"],
    )
    per_token = []
    for spec in ("bytes", "codepoints", "mistral:v1", "mistral:v3"):
        record, _ = run(spec, folder, IDENTITIES)
        for group in ("", "/eng_Latn", "/tur_Latn", "/hin_Deva"):

            def value(name: str, record=record, group=group) -> float:
                return record.score(name + group).value

            tokens, lines, words = value("tokens"), value("samples"), value("words")
            # A rate in any unit, times tokens a line, is the corpus's own size a line.
            for unit in ("bytes", "characters", "words"):
                rate = value(f"{unit}-per-token") * value("tokens-per-line")
                assert rate == pytest.approx(value(unit) / lines, rel=1e-12)
            assert value("fertility") * value("words-per-token") == pytest.approx(1, rel=1e-12)
            assert tokens / words == pytest.approx(value("fertility"), rel=1e-12)
        # Types over tokens is utilisation in other units; entropy is efficiency in bits.
        size = record.about.tokenizer.spec.vocabulary[0]
        assert record.score("utilisation").value * size == pytest.approx(
            record.score("types").value, rel=1e-12
        )
        assert record.score("shannon-efficiency").value * math.log2(size) == pytest.approx(
            record.score("shannon-entropy").value, rel=1e-12
        )
        names = ("bytes-per-token", "characters-per-token", "words-per-token")
        rates = [record.score(name).value for name in names]
        per_token.append([*rates, 1 / record.score("tokens-per-line").value])
    # So all four rank tokenizers on one corpus alike: reporting two of them is saying it twice.
    ranks = np.argsort(np.argsort(per_token, axis=0), axis=0)
    assert (ranks == ranks[:, :1]).all()
