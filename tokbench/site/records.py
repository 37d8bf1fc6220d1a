"""A page for every record: its scores, its history, where it comes from; and a copy of it."""

from __future__ import annotations

from collections.abc import Iterator

from tokbench.commands.evaluate import headline
from tokbench.files import read_bytes, slug
from tokbench.site import figures
from tokbench.site.board import Board, Row, file_name
from tokbench.site.pages import SitePage

SHOWN = 80
"""Scores of a page; the record has the rest."""


def record_pages(found: Board) -> Iterator[dict[str, bytes]]:
    """One after the other, with the files beside each."""
    for questions in found.tasks.values():
        for question in questions:
            named: dict[str, list[Row]] = {}
            for row in sorted(question.rows, key=lambda row: (row.created, row.record.key)):
                named.setdefault(row.record.tokenizer, []).append(row)
            for row in question.rows:
                yield _page(row, named[row.record.tokenizer], len(question.rows))


def _page(row: Row, history: list[Row], of: int) -> dict[str, bytes]:
    record, main = row.record, row.main
    name = figures.shortened(record.tokenizer, 60)
    page = SitePage(f"{name} · {figures.shortened(record.task, 60)}", path=f"{row.stem}.html")
    whole = headline(record, False)[:SHOWN]
    versions = len({other.record.about.tokenizer.fingerprint for other in history})
    figure = ""
    if len(history) > 1:
        figure = page.figure(
            f"{row.stem.rpartition('/')[2]}-history",
            figures.history(history),
            f"{record.about.task.main} from record to record, oldest first.",
            f"{record.about.task.main} of {len(history)} records over time",
        )
    made = page.made(
        "record.html",
        live=False,
        record=record,
        task_page=f"tasks/{file_name(record.task)}.html",
        main=record.about.task.main,
        score=main,
        place=row.place,
        of=of,
        signature=record.score_signature(main) if main else record.signature,
        json=f"{row.stem.rpartition('/')[2]}.json",
        scores=whole,
        more=len(record.scores) - len(whole),
        row_name=f"{slug(record.task)}/{slug(record.tokenizer)}",
        history=[(other, None if other is row else other.stem) for other in history],
        versions=versions,
        figure=figure,
        facts=_facts(row),
    )
    return made | {f"{row.stem}.json": read_bytes(row.source)}


def _facts(row: Row) -> list[tuple[str, str]]:
    record = row.record
    about, source = record.about, record.provenance
    spec, data = about.tokenizer.spec, about.dataset
    packages = ", ".join(f"{name} {version}" for name, version in source.packages.items())
    facts = [
        ("algorithm", spec.algorithm),
        ("vocabulary", " × ".join(f"{size:,}" for size in spec.vocabulary)),
        ("special tokens", spec.special_tokens),
        ("licence", spec.licence),
        ("source", spec.source),
        ("fingerprint", about.tokenizer.fingerprint),
        ("data", f"{data.name}@{data.version}:{data.split} ({data.licence or 'licence not said'})"),
        ("data hash", data.fingerprint),
        ("key", record.key),
        ("made", f"{source.created} by tokbench {source.tokbench} {source.git}".strip()),
        (
            "machine",
            f"{source.platform}, Python {source.python}, {source.cpu}, {source.cores} cores",
        ),
        ("packages", packages),
        ("command", " ".join(source.arguments)[:2000]),
        ("failures", "; ".join(f"{cause}: {f.count:,}" for cause, f in record.failures.items())),
    ]
    return [(key, value) for key, value in facts if value]
