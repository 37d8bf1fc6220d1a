"""Programming languages that can be parsed, and the tree-sitter package behind each."""

from __future__ import annotations

from typing import NamedTuple

from tokbench.errors import near


class Grammar(NamedTuple):
    """Where a grammar comes from: PyPI distribution, module, and suffixes of its files."""

    distribution: str
    module: str
    suffixes: tuple[str, ...]


GRAMMARS = {
    "c": Grammar("tree-sitter-c", "tree_sitter_c", (".c", ".h")),
    "cpp": Grammar("tree-sitter-cpp", "tree_sitter_cpp", (".cpp", ".cc", ".cxx", ".hpp", ".hh")),
    "go": Grammar("tree-sitter-go", "tree_sitter_go", (".go",)),
    "java": Grammar("tree-sitter-java", "tree_sitter_java", (".java",)),
    "javascript": Grammar("tree-sitter-javascript", "tree_sitter_javascript", (".js", ".mjs")),
    "python": Grammar("tree-sitter-python", "tree_sitter_python", (".py", ".pyi")),
    "rust": Grammar("tree-sitter-rust", "tree_sitter_rust", (".rs",)),
}
"""One package a grammar: each carries it in a wheel of 0.1 to 0.3 MB, so it works offline."""

_ALIASES = {"c++": "cpp", "js": "javascript", "py": "python", "golang": "go", "rs": "rust"}

LEXED = ("json", "log")
"""Languages without a grammar that have constructs: `tokbench.text.lexical`."""

BY_GROUP = "group"
"""In place of a language: the label of each sample's group names it."""

SUFFIXES = {suffix: name for name, grammar in GRAMMARS.items() for suffix in grammar.suffixes}


def language_of(label: str) -> str | None:
    """The language that a group's label (`python`, `js`, `c++`) names, or None."""
    name = _ALIASES.get(label.lower(), label.lower())
    return name if name in GRAMMARS or name in LEXED else None


def checked_language(name: str, lexed: bool) -> str:
    """A language as a metric's option. Raises `ValueError` with a near match."""
    known = [BY_GROUP, *GRAMMARS, *(LEXED if lexed else ())]
    found = name if name == BY_GROUP else language_of(name)
    if found is None or found not in known:
        raise ValueError(f"no language '{name}'{near(name, known)} (it knows {', '.join(known)})")
    return found


def versions(language: str) -> str:
    """Versions of what parses a language, for signatures; `absent` where not installed."""
    from importlib.metadata import PackageNotFoundError, version

    from tokbench.files import sha256
    from tokbench.text.lexical import VERSION

    if language in LEXED:
        return f"lexical-{VERSION}"
    wanted = [language] if language != BY_GROUP else list(GRAMMARS)
    found = []
    for name in wanted:
        try:
            found.append(version(GRAMMARS[name].distribution))
        except PackageNotFoundError:
            found.append("absent")
    return found[0] if len(found) == 1 else sha256(*found)[:8]
