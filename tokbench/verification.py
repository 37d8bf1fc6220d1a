"""`tokbench submit --verify`: may a stranger's record be believed?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tokbench.claimed import same_tokenizer
from tokbench.errors import MissingExtra, UserError, one_line
from tokbench.files import slug
from tokbench.published import against_published
from tokbench.record import Record, read_record
from tokbench.samples import read_samples
from tokbench.submission import asked, check_record


@dataclass
class Verdict:
    """What became of each check: why it refuses, what it confirmed, or why it was not made."""

    path: Path
    refused: list[str] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """`refused`, `verified`, or `passed, but not re-run`: three outcomes that never read
        alike."""
        if self.refused:
            return "refused"
        return "verified" if not self.skipped else "passed, but not all could be checked"


def verify(path: Path, trusted: Sequence[str] = ()) -> Verdict:
    """Every check on a record that can be made here; nothing in it is believed, and nothing that
    it names is run but tokbench's own tokenizers.

    trusted: specs, files or folders of files that may load its tokenizer, given by the user.
    Raises `UserError` for what is no record at all.
    """
    if path.is_dir():
        path = path / "record.json"
    verdict = Verdict(path)
    record = read_record(path)
    verdict.refused += check_record(record, path, path.parent.parent)
    verdict.refused += _place(record, path)
    differences, known = against_published(record)
    verdict.refused += [f"published: {line}" for line in differences]
    if known and not differences:
        verdict.confirmed.append(f"published: {known} figures agree")
    if not verdict.refused:
        verdict.confirmed.append("schema, key, names, task, data, hash of the evidence, bounds")
        _rerun(record, path, trusted, verdict)
    return verdict


def _place(record: Record, path: Path) -> list[str]:
    """On a leaderboard a record lies where its own task, name and key put it."""
    if path.name == "record.json":
        return []
    stem = f"{slug(record.tokenizer)}--{record.key[:12]}.json"
    if (path.parent.name, path.name) == (slug(record.task), stem):
        return []
    return [f"place: it belongs in {slug(record.task)}/{stem}"]


def _rerun(record: Record, path: Path, trusted: Sequence[str], verdict: Verdict) -> None:
    """Scores against the evidence, the evidence against a shard measured again."""
    from tokbench.rerun import from_evidence, not_compared, opened, rerun

    try:
        samples = read_samples(record, path)
        assert samples is not None  # check_record has seen it
        task = asked(record)
        differences, known = from_evidence(record, samples, task)
    except (UserError, KeyError, ValueError, IndexError) as error:
        verdict.refused.append(f"evidence: gives no scores ({one_line(error)})")
        return
    verdict.refused += [f"evidence: {line}" for line in differences[:8]]
    if len(differences) > 8:
        verdict.refused.append(f"evidence: and {len(differences) - 8} more scores")
    if differences:
        return
    verdict.confirmed.append(f"evidence: gives {len(known):,} of {len(record.scores):,} scores")
    try:
        tokenizer, spec = same_tokenizer(record, trusted)
        bench = opened(record, task, tokenizer, spec)
        found, what, all_scores = rerun(record, samples, bench)
    except LookupError as error:
        verdict.skipped.append(f"re-run: {error.args[0]}")
    except MissingExtra as error:
        verdict.skipped.append(f"re-run: {one_line(error)}")
    except UserError as error:
        if str(error).startswith("tokenizer: "):
            verdict.refused.append(str(error))
        else:
            verdict.skipped.append(f"re-run: {one_line(error)}")
    else:
        verdict.refused += [f"re-run: {what}: {line}" for line in found]
        verdict.confirmed.append(f"re-run: {what}{'; every score' if all_scores else ''}")
        if all_scores:
            return
    missing = not_compared(record, known)
    if missing:
        verdict.skipped.append(
            f"scores: {', '.join(missing[:6])}{' …' if len(missing) > 6 else ''} need every id of "
            "the data (tokbench eval)"
        )
