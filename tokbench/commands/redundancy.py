"""`tokbench redundancy`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from tokbench import tables
from tokbench.board_index import index_of
from tokbench.commands.evaluate import is_headline
from tokbench.correlate import FEW
from tokbench.errors import UserError
from tokbench.leaderboard import pivot
from tokbench.redundancy import FEWEST, SAME, Redundancy
from tokbench.redundancy import redundancy as found_in

_EXACT = 1e-9
"""Departure up to which an identity holds but for rounding."""


def redundancy(options: argparse.Namespace, given: list[str]) -> int:
    """Group the headline scores of every question with enough tokenizers."""
    board = index_of(options.folder, options.task)
    table = board.frame()
    slash = (table["facet"] != "").map({True: "/", False: ""})
    table["full"] = table["score"] + slash + table["facet"]
    answers: list[tuple[str, str, int, Redundancy]] = []
    most = 0
    for task in sorted(table["task"].unique()):
        measured = table["full"][table["task"] == task].drop_duplicates().tolist()
        mains = {entry.main for entry in board.entries if entry.task == task}
        names = sorted(filter(is_headline, measured), key=lambda name: name not in mains)
        for wide in pivot(table, task, names):
            most = max(most, len(wide))
            if len(wide) >= FEWEST:
                answer = found_in(wide.drop(columns="rank"))
                answers.append((task, wide.attrs["question"], len(wide), answer))
    if not answers:
        has = "1 tokenizer" if most == 1 else f"{most} tokenizers"
        raise UserError(f"{board.folder}: {has} at most for one question; {FEWEST} are needed")
    if options.format == "json":
        rows = [
            {"task": t, "question": q, "tokenizers": n, "threshold": SAME} | asdict(answer)
            for t, q, n, answer in answers
        ]
        print(json.dumps({"redundancy": rows}, ensure_ascii=False))
        return 0
    for task, _, count, answer in answers:
        _print(task, count, answer)
    return 0


def _print(task: str, count: int, answer: Redundancy) -> None:
    print(f"{task}: scores that rank {count} tokenizers alike (|Spearman| ≥ {SAME})")
    if count < FEW:
        print(f"warning: {count} tokenizers; under {FEW}, scores rank alike by chance")
    for names, least in answer.groups:
        print(f"  {' · '.join(names)} (≥ {int(least * 1000) / 1000})")
    for label, names in (
        ("like no other", answer.apart),
        ("the same for all", answer.constant),
        ("left out, not measured for all", answer.missing),
    ):
        if names:
            print(f"  {label}: {' · '.join(names)}")
    exact = [held for held in answer.identities if held.spread <= _EXACT]
    if exact:
        print("  identities:")
    for held in exact:
        identity = held.identity
        sign = "×" if identity.what == "product" else "÷"
        constant = tables.number(held.constant)
        print(f"    {identity.a} {sign} {identity.b} = {constant}: {identity.why}")
    print()
