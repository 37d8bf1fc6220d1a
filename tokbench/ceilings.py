"""Tokenizers that are the original itself: what others are held against, and no choice."""

from __future__ import annotations

from tokbench.record import Record

CEILINGS = ("raw pixels", "linear PCM, 16 bits")
"""Their algorithms. They lose nothing and save nothing."""


def is_ceiling(record: Record) -> bool:
    """Is the record of such a tokenizer?"""
    algorithm = record.about.tokenizer.spec.algorithm
    return algorithm.removesuffix(", frame by frame") in CEILINGS
