"""Lexicons: is a string a word of a language, and is it a bare root or affix?

Turkish is analysed by zeyrek, some fifty languages are looked up in simplemma's word lists, and
a list of the user's own serves any language.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import msgspec

from tokbench.dataset import open_dataset
from tokbench.errors import MissingExtra, UserError, near
from tokbench.files import cache_dir, cache_write, sha256_file, slug
from tokbench.text.casing import fold

UNKNOWN, WORD, PURE = 0, 1, 2
"""Verdicts: no word of the language; a word (or affix); a root, lemma or affix by itself."""

SIMPLEMMA = dict(
    pair.split(":")
    for pair in """
    arb_Arab:ar ast_Latn:ast bul_Cyrl:bg cat_Latn:ca ces_Latn:cs cym_Latn:cy dan_Latn:da
    deu_Latn:de ell_Grek:el eng_Latn:en enm_Latn:enm epo_Latn:eo spa_Latn:es est_Latn:et
    ekk_Latn:et pes_Arab:fa fin_Latn:fi fra_Latn:fr gle_Latn:ga gla_Latn:gd glg_Latn:gl
    grc_Grek:grc glv_Latn:gv bos_Latn:hbs hrv_Latn:hbs srp_Latn:hbs srp_Cyrl:hbs heb_Hebr:he
    hin_Deva:hi hun_Latn:hu hye_Armn:hy ind_Latn:id isl_Latn:is ita_Latn:it kat_Geor:ka
    lat_Latn:la ltz_Latn:lb lit_Latn:lt lvs_Latn:lv mkd_Cyrl:mk mal_Mlym:ml zsm_Latn:ms
    nob_Latn:nb nld_Latn:nl nno_Latn:nn pol_Latn:pl por_Latn:pt ron_Latn:ro rus_Cyrl:ru
    sme_Latn:se slk_Latn:sk slv_Latn:sl als_Latn:sq swe_Latn:sv swh_Latn:sw tgl_Latn:tl
    tur_Latn:tr ukr_Cyrl:uk
    """.split()
)
"""FLORES code -> code of simplemma's word list (`hbs`: Bosnian, Croatian and Serbian)."""

ANALYSED = "tur_Latn"
"""The language that zeyrek analyses."""


class Lexicon:
    """Verdicts on strings. Subclasses look up; this class folds case and remembers.

    label: what the verdicts depend on (library and version, or content), for signatures.
    language: FLORES code, which says how case is folded.
    """

    label: str
    language: str

    def look_up(self, words: Collection[str], exact: bool) -> dict[str, int]:
        """Verdicts of the words that are known; folded words unless `exact`."""
        raise AttributeError(f"{type(self).__name__} does not look_up()")

    def judge(self, words: Sequence[str], exact: bool = False) -> list[int]:
        """A verdict for each word. Folded for case, or `exact`: as it stands, case and all."""
        asked = words if exact else [fold(word, self.language) for word in words]
        memory = _memory(self.label, exact)
        new = {word for word in asked if word not in memory}
        if new:
            found = self.look_up(new, exact)
            memory.update({word: found.get(word, UNKNOWN) for word in new})
            content = msgspec.json.encode(dict(memory))
            cache_write(_remembered(self.label, exact), content)
        return [memory[word] for word in asked]


def _remembered(label: str, exact: bool) -> Path:
    return cache_dir() / "verdicts" / f"{slug(label)}{'-exact' if exact else ''}-1.json"


@lru_cache(maxsize=64)
def _memory(label: str, exact: bool) -> dict[str, int]:
    """Verdicts of earlier runs; a file that cannot be read is as good as none."""
    try:
        return msgspec.json.decode(_remembered(label, exact).read_bytes(), type=dict[str, int])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def installed(package: str) -> str:
    """Version of an installed package. Raises `MissingExtra`."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        raise MissingExtra(package, "morphology") from None


def has_lexicon(language: str) -> bool:
    """Is there a lexicon for this FLORES code?"""
    return language in SIMPLEMMA


def label_of(language: str = "", own: str = "") -> str:
    """What verdicts depend on, for a signature: content of the user's own list, or versions of
    the libraries (of both where the language is not fixed); `absent` without any."""
    if own:
        return f"own#{_content(own)[:8]}"
    packages = ["zeyrek"] if language in ("", ANALYSED) else []
    packages += ["simplemma"] if language != ANALYSED else []
    found = []
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{package}-{metadata.version(package)}")
    return "+".join(found) or "absent"


@lru_cache(maxsize=64)
def lexicon_for(language: str, own: str = "") -> Lexicon:
    """The lexicon of a language, or the user's own list. Raises `UserError` in one line that
    names the languages that have one, and `MissingExtra` where the library is missing."""
    if own:
        return own_lexicon(own, language)
    if not has_lexicon(language):
        raise UserError(
            f"no lexicon for '{language}'{near(language, SIMPLEMMA)}; there are lexicons for "
            f"{', '.join(sorted(SIMPLEMMA))}; your own: --lexicon FILE"
        )
    if language == ANALYSED:
        from tokbench.text.turkish import TurkishLexicon

        return TurkishLexicon(f"zeyrek-{installed('zeyrek')}")
    from tokbench.text.wordlists import Wordlist

    code = SIMPLEMMA[language]
    return Wordlist(f"simplemma-{installed('simplemma')}-{code}", code, language)


KINDS = {"root": PURE, "affix": PURE, "word": WORD}


class OwnLexicon(Lexicon):
    """A list of the user's own: one entry a line, and after a tab `root`, `affix` or `word`
    (`word` where there is none). Affixes may be written with hyphens (`-ler`)."""

    def __init__(self, lines: Sequence[str], language: str, where: str):
        self.language = language
        self.entries: dict[str, int] = {}
        for number, line in enumerate(lines, 1):
            entry, _, kind = (part.strip() for part in line.partition("\t"))
            if not entry or entry.startswith("#"):
                continue
            if kind and kind not in KINDS:
                raise UserError(
                    f"{where}:{number}: '{kind}' is not root, affix or word{near(kind, KINDS)}"
                )
            entry = entry.strip("-") or entry if kind == "affix" else entry
            self.entries[entry] = max(KINDS[kind or "word"], self.entries.get(entry, UNKNOWN))
        if not self.entries:
            raise UserError(f"{where}: a lexicon without entries")
        self.folded: dict[str, int] = {}
        for entry, verdict in self.entries.items():
            entry = fold(entry, language)
            self.folded[entry] = max(verdict, self.folded.get(entry, UNKNOWN))

    def judge(self, words: Sequence[str], exact: bool = False) -> list[int]:
        """A verdict for each word, from the list itself."""
        if exact:
            return [self.entries.get(word, UNKNOWN) for word in words]
        return [self.folded.get(fold(word, self.language), UNKNOWN) for word in words]


def _own_file(reference: str) -> Path | None:
    """The file that the user's own list is, or None where it is a manifest."""
    path = Path(reference).expanduser()
    return path if path.is_file() and path.suffix != ".toml" else None


def _content(reference: str) -> str:
    path = _own_file(reference)
    return sha256_file(path) if path else open_dataset(reference).fingerprint


@lru_cache(maxsize=64)
def own_lexicon(reference: str, language: str) -> OwnLexicon:
    """A list by path, or a manifest of one list or of one for each language."""
    path = _own_file(reference)
    if path is not None:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{reference}: not a readable UTF-8 text file: {error}") from error
        return OwnLexicon(lines, language, reference)
    parts = {part.group: part for part in open_dataset(reference).parts}
    chosen = parts.get(language) or parts.get("")
    if chosen is None:
        hint = near(language, parts)
        raise UserError(f"lexicon {reference}: no list for '{language}'{hint}")
    return OwnLexicon(list(chosen.samples()), language, reference)
