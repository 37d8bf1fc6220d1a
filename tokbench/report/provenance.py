"""Where the numbers come from: data with licences, machine, versions, arguments, keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokbench.record import Record
from tokbench.report.page import Page, Section
from tokbench.report.subjects import Subject


def sections(page: Page, subjects: Sequence[Subject]) -> Iterator[Section]:
    """One section: the data, the tokenizers, and each record unfolded."""
    records = [(one.name, record) for one in subjects for record, _ in one.records.values()]
    yield Section("provenance", "Provenance", page.fill(
        "provenance.html",
        data=_data(page, [record for _, record in records]),
        tokenizers=_tokenizers(page, subjects),
        records=[(name, record, _facts(record)) for name, record in records],
    ))  # fmt: skip


def _data(page: Page, records: Sequence[Record]) -> str:
    header = ["dataset", "version", "split", "samples", "groups", "licence", "content", "hash"]
    rows = {
        (d.name, d.version, d.split, d.samples, d.groups, d.licence or "not stated",
         "as in the manifest" if d.known else "not in a manifest", d.fingerprint[:16]): None
        for d in (record.about.dataset for record in records)
    }  # fmt: skip
    return page.table("data", header, list(rows), "Data", right=(3, 4))


def _tokenizers(page: Page, subjects: Sequence[Subject]) -> str:
    header = ["tokenizer", "algorithm", "vocabulary", "special tokens", "licence", "source", "hash"]
    rows = []
    for subject in subjects:
        about = next(iter(subject.records.values()))[0].about.tokenizer
        spec = about.spec
        size = " × ".join(f"{each:,}" for each in spec.vocabulary) or "open"
        rows.append([
            subject.name, spec.algorithm or spec.kind, size, spec.special_tokens or "—",
            spec.licence or "not stated", spec.source or "—", about.fingerprint[:16],
        ])  # fmt: skip
    return page.table("tokenizers", header, rows, "Tokenizers")


def _facts(record: Record) -> dict[str, str]:
    made = record.provenance
    seconds = ", ".join(f"{name} {value:,.1f} s" for name, value in made.seconds.items())
    packages = ", ".join(f"{name} {version}" for name, version in made.packages.items())
    size = record.bootstrap.unit
    unit = "samples" if size == 1 else f"blocks of {size} samples"
    facts = {
        "made": f"{made.created} with tokbench {made.tokbench}" + (made.git and f" ({made.git})"),
        "command": f"tokbench {' '.join(made.arguments)}",
        "machine": f"{made.cpu}, {made.cores} cores, {made.memory_gib:g} GiB, {made.platform}",
        "versions": f"Python {made.python}, {packages}" if packages else f"Python {made.python}",
        "time": seconds,
        "status": record.status,
        "intervals": f"{record.bootstrap.replicates:,} bootstrap replicates of "
        f"{unit}"
        f", seed {record.bootstrap.seed}",
        "evidence": record.evidence,
    }
    return {name: fact for name, fact in facts.items() if fact}
