"""simplemma's word lists as plain files in the cache, so that a look-up loads no dictionary.

simplemma unpacks a language into a dictionary: seconds, and up to a gigabyte (Swahili). That is
done once, in a process of its own; the list of forms that is kept is read in a fraction of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from importlib import metadata
from pathlib import Path

import zstandard

from tokbench.errors import UserError
from tokbench.files import atomic_write, cache_dir
from tokbench.text.casing import fold
from tokbench.text.lexicon import PURE, SIMPLEMMA, WORD, Lexicon

_BETWEEN = b"\n\n"
_CHUNK = 4 << 20
"""Bytes of a list that are looked at at once: a list of millions is never held as objects."""

_LANGUAGE = {code: language for language, code in SIMPLEMMA.items()}


def _path(code: str) -> Path:
    version = metadata.version("simplemma")
    return cache_dir() / "wordlists" / f"simplemma-{version}-{code}-1.zst"


def unpack(code: str) -> None:
    """Write the list of one language to the cache in four parts: lemmas and other forms that are
    written without capitals, lemmas and other forms with capitals."""
    from simplemma.strategies.dictionaries.dictionary_factory import DefaultDictionaryFactory

    parts: tuple[list[str], ...] = ([], [], [], [])
    forms: list[str] = []
    lemma: list[bool] = []
    for form, lemma_form in DefaultDictionaryFactory(cache_max_size=1).get_dictionary(code).items():
        forms.append(form)
        lemma.append(form == lemma_form)
    folded = fold("\n".join(forms), _LANGUAGE[code]).split("\n")
    for form, small, own in zip(forms, folded, lemma, strict=True):
        parts[2 * (form != small) + (not own)].append(form)
    text = _BETWEEN.join("\n".join(part).encode() for part in parts)
    content = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(text)
    atomic_write(_path(code), content, durable=False)


def unpack_missing(codes: Iterable[str]) -> None:
    """Write the lists that are not in the cache yet, each in a process of its own."""
    missing = [code for code in dict.fromkeys(codes) if not _path(code).is_file()]
    if not missing:
        return
    if len(missing) > 3:
        print(f"unpacking {len(missing)} word lists, once", file=sys.stderr)
    running: list[tuple[str, subprocess.Popen[str]]] = []
    try:
        while missing or running:
            while missing and len(running) < (os.cpu_count() or 1):
                command = [sys.executable, "-m", "tokbench.text.wordlists", missing[0]]
                process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
                running.append((missing.pop(0), process))
            code, process = running.pop(0)
            _, errors = process.communicate()
            if process.returncode:
                why = errors.strip().splitlines()[-1:] or ["it was killed (out of memory?)"]
                raise UserError(f"simplemma's word list '{code}' cannot be unpacked: {why[0]}")
    finally:
        for _, process in running:
            process.kill()


def _parts(code: str) -> list[bytes]:
    for again in (False, True):
        unpack_missing([code])
        try:
            text = zstandard.ZstdDecompressor().decompress(_path(code).read_bytes())
            parts = text.split(_BETWEEN)
            if len(parts) == 4:
                return parts
            error: Exception = ValueError("not four parts")
        except zstandard.ZstdError as broken:
            error = broken
        if again:
            raise UserError(f"{_path(code)}: cannot be read back: {error}") from error
        _path(code).unlink()  # a file that a power cut left half written
    raise AssertionError


def found(words: Collection[str], language: str, exact: bool = False) -> dict[str, int]:
    """Verdicts of the words in simplemma's list; the words are folded, or `exact`."""
    asked = {word.encode(errors="replace"): word for word in words if word}
    small_lemmas, small, lemmas, forms = _parts(SIMPLEMMA[language])
    if not exact:
        lemmas, forms = (fold(part.decode(), language).encode() for part in (lemmas, forms))
    verdicts: dict[str, int] = {}
    for verdict, several in ((WORD, (small, forms)), (PURE, (small_lemmas, lemmas))):
        for part in several:
            for chunk in _chunks(part):
                for known in asked.keys() & chunk.split(b"\n"):
                    verdicts[asked[known]] = verdict
    return verdicts


def _chunks(part: bytes) -> Iterator[bytes]:
    """Pieces of whole lines."""
    start = 0
    while start < len(part):
        stop = part.find(b"\n", start + _CHUNK)
        stop = len(part) if stop < 0 else stop
        yield part[start:stop]
        start = stop + 1


class Wordlist(Lexicon):
    """A word is known when the list has it, pure when it is its own lemma."""

    def __init__(self, label: str, code: str, language: str):
        self.label, self.code, self.language = label, code, language

    def look_up(self, words: Collection[str], exact: bool) -> dict[str, int]:
        """Verdicts of the words in the list. simplemma writes a few characters in one way
        only (Arabic, Persian, …), so they are looked up as it writes them."""
        written = {word: _as_listed(word, self.code) for word in words}
        verdicts = found(set(written.values()), self.language, exact)
        return {word: verdicts[form] for word, form in written.items() if form in verdicts}


def _as_listed(word: str, code: str) -> str:
    from simplemma import utils

    canonical = getattr(utils, "canonicalize_token", None)  # since simplemma 2
    return canonical(word, code) if canonical else word


if __name__ == "__main__":
    unpack(sys.argv[1])
