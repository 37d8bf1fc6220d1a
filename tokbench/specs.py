"""Tokenizer specs: `family:reference[@revision][?option=value&…]`, a path, or
`family(spec,option=value,…)` for a tokenizer made of another one."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tokbench.errors import UserError, near, one_line
from tokbench.registry import TOKENIZERS, is_module, locate

if TYPE_CHECKING:
    from tokbench.types import Tokenizer


ON_THE_HUB = ("hf", "diffusers", "vqvae")
"""Families whose reference may end in @revision."""


class Options:
    """The options of one spec. A loader takes what it knows; `done` refuses the rest."""

    def __init__(self, name: str, given: dict[str, str], revision: str | None = None):
        self.name = name
        self.given = given
        self.revision = revision
        self._known: list[str] = []

    def take(self, key: str, default: str | None = None) -> str | None:
        """The value given for `key`, or the default."""
        self._known.append(key)
        return self.given.get(key, default)

    def choice(self, key: str, values: Sequence[str]) -> str:
        """One of `values`; the first is the default."""
        value = self.take(key, values[0])
        if value not in values:
            hint = near(str(value), values)
            raise UserError(f"{self.name}: {key}={value}: choose {' or '.join(values)}{hint}")
        return str(value)

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number within [low, high]."""
        value = self.take(key, str(default))
        try:
            number = int(str(value))
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise UserError(f"{self.name}: {key}={value}: give a whole number from {low} to {high}")
        return number

    def whole(self, reference: str, low: int, high: int) -> int:
        """The whole number that a spec such as `jpeg:75` gives after its colon."""
        if not reference.isdecimal() or not low <= int(reference) <= high:
            family = self.name.partition(":")[0]
            raise UserError(
                f"{self.name}: write {family}:N with a whole number from {low} to {high}"
            )
        return int(reference)

    def known_from(self, kind: type) -> None:
        """Know the parameters of a class as options."""
        parameters = inspect.signature(kind).parameters.values()
        self._known += [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            self._known += self.given

    def done(self) -> None:
        """Refuse options that no one took."""
        for key in self.given:
            if key not in self._known:
                knows = f"it knows {', '.join(self._known)}" if self._known else "it has none"
                raise UserError(f"{self.name}: no option '{key}'{near(key, self._known)} ({knows})")


_NUMBER = r"-?\d+(?:\.\d+)?"
_RANGE = re.compile(rf"(?<=[:=])({_NUMBER})\.\.({_NUMBER})(?::({_NUMBER}))?(?=[?&),]|$)")
MOST = 200
"""Specs that one range may stand for."""


def expanded(spec: str) -> list[str]:
    """A spec with ranges as single ones: `jpeg:10..90:10` is jpeg:10, jpeg:20, … jpeg:90, and
    `x:a?tokens=32..256:32` and `frames(webp:10..90:10)` likewise; without a step, every whole
    number. Several ranges give every combination. A file of that name is itself."""
    found = _RANGE.search(spec)
    if not found or Path(spec).exists():
        return [spec]
    low, high, step = (Decimal(text or "1") for text in found.groups())
    if step <= 0 or high < low:
        raise UserError(f"'{spec}': write a range as LOW..HIGH:STEP, the step above 0")
    count = int((high - low) / step) + 1
    if count > MOST:
        raise UserError(
            f"'{spec}': {count:,} specs; at most {MOST} (a wider step: {low}..{high}:N)"
        )
    return [
        each
        for number in range(count)
        for value in [format((low + number * step).normalize(), "f")]
        for each in expanded(spec[: found.start()] + value + spec[found.end() :])
    ]


class Resolved(NamedTuple):
    """A spec whose loader is known and has not run yet."""

    loader: Any
    reference: str
    name: str
    given: dict[str, str]
    family: str


def load_tokenizer(spec: str) -> Tokenizer:
    """The adapter for a spec.

    `family:reference`, a path (its kind is read off the content), or `my.pkg:Class` (also written
    `python:my.pkg:Class`).
    Raises `UserError` for an unknown family, a missing file, a wrong format or option.
    """
    found = resolve(spec)
    started = time.perf_counter()
    tokenizer = _made(found)
    _check_protocol(tokenizer, found.name)
    tokenizer.load_seconds = time.perf_counter() - started
    return tokenizer


def resolve(spec: str) -> Resolved:
    """What a spec names, without loading it. Raises `UserError` for what cannot be found."""
    around = re.fullmatch(r"([\w-]+)\((.*)\)(?:\?(.*))?", spec, re.DOTALL)
    if around and not Path(spec).exists():
        return _resolve_around(spec, *around.groups(default=""))
    bare, _, query = spec.partition("?")
    if not bare.strip():
        raise UserError(f"'{spec}': what tokenizer? (see: tokbench list tokenizers)")
    given = _options_of(spec, query.split("&"))
    family, colon, reference = bare.partition(":")
    path = Path(bare).expanduser()
    if family in TOKENIZERS:
        loader = TOKENIZERS.get(family)
        if not reference and (colon or not isinstance(loader, type)):
            raise UserError(f"'{spec}': what {family} tokenizer? (see: tokbench show {family})")
        if reference and isinstance(loader, type):
            raise UserError(f"'{spec}': {family} takes nothing after a colon; write {family}")
        own = "/" in reference and Path(reference).exists()
        name = _short_name(Path(reference), given) if own else spec
        return Resolved(loader, reference, name, given, family)
    if path.exists():
        from tokbench.tokenizers.text.families import family_of

        family = family_of(path)
        return Resolved(TOKENIZERS.get(family), str(path), _short_name(path, given), given, family)
    if "/" in bare or bare.endswith((".json", ".model", ".tiktoken", ".txt")):
        hint = f"; did you mean 'hf:{bare}'?" if bare.count("/") == 1 and "." not in bare else ""
        raise UserError(f"{bare}: no such file or folder{hint}")
    if f"{family}()" in TOKENIZERS:
        raise UserError(f"'{spec}': {family} is made of another tokenizer; write {family}(SPEC)")
    if family == "python" and ":" in reference:
        return Resolved(locate(reference), "", spec, given, "")
    if colon and is_module(family):
        return Resolved(locate(bare), "", spec, given, "")
    try:
        loader = TOKENIZERS.get(family)  # a plug-in
    except UserError as error:
        hub = "" if colon else f"; a hub repository is written hf:org/{bare}"
        raise UserError(f"{error}{hub}") from error
    return Resolved(loader, reference, spec, given, family)


def _resolve_around(spec: str, family: str, inside: str, query: str) -> Resolved:
    """`family(inner,option=value)`: its reference is the inner spec."""
    if f"{family}()" not in TOKENIZERS:
        known = [name[:-2] for name in TOKENIZERS if name.endswith("()")]
        takes = f"those are {', '.join(known)}"
        raise UserError(f"'{spec}': {family}() takes no tokenizer{near(family, known)} ({takes})")
    pairs: list[str] = []
    while "," in inside:  # an inner spec may hold commas: options are what ends it
        before, _, last = inside.rpartition(",")
        if not re.fullmatch(r"\w+=[^()]*", last):
            break
        inside, pairs = before, [last, *pairs]
    if not inside:
        raise UserError(f"'{spec}': {family}() of what? write {family}(SPEC)")
    given = _options_of(spec, pairs) | _options_of(spec, query.split("&"))
    said = "".join(f",{key}={value}" for key, value in given.items())
    name = f"{family}({resolve(inside).name}{said})"
    return Resolved(TOKENIZERS.get(f"{family}()"), inside, name, given, f"{family}()")


def _options_of(spec: str, pairs: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for pair in filter(None, pairs):
        key, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"'{spec}': option '{pair}' has no value; write {pair}=VALUE")
        given[key] = value
    return given


def _made(found: Resolved) -> Tokenizer:
    loader, reference, name, given, family = found
    revision = None
    if family in ON_THE_HUB and "@" in reference and not Path(reference).exists():
        reference, revision = reference.rsplit("@", 1)
    options = Options(name, given, revision)
    try:
        if isinstance(loader, type) and not hasattr(loader, "load"):
            options.known_from(loader)
            options.done()
            return loader(**given)
        tokenizer = getattr(loader, "load", loader)(reference, options)
    except UserError:
        raise
    except Exception as error:
        if family in TOKENIZERS.table:
            raise
        # code of the user's own
        raise UserError(
            f"{name}: cannot be made: {type(error).__name__}: {one_line(error)}"
        ) from error
    options.done()
    return tokenizer


def _check_protocol(tokenizer: Any, name: str) -> None:
    """Refuse what is no tokenizer before it fails in the middle of a run."""
    needs = ["name", "spec", "fingerprint", "encode", "decode"]
    modality = str(getattr(getattr(tokenizer, "spec", None), "modality", ""))
    if not hasattr(tokenizer, "reconstructions") and not hasattr(tokenizer, "stored_codes"):
        needs += _ALSO.get(modality, [])
    missing = [need for need in needs if not hasattr(tokenizer, need)]
    if missing:
        kind = modality if modality in _ALSO else "text"
        article = "a" if kind in ("text", "video") else "an"
        raise UserError(
            f"{name}: not a tokenizer: it has no {', '.join(missing)} ({article} {kind} tokenizer "
            f"subclasses tokbench.tokenizers.{kind}.adapter:{kind.capitalize()}Tokenizer)"
        )
    if modality not in _ALSO:
        raise UserError(f"{name}: its spec says modality '{modality}'; {', '.join(_ALSO)}")


_ALSO = {
    "text": ["pieces", "prefix", "unknown", "text_ids", "offsets"],
    "image": [],
    "video": ["rates"],
    "audio": ["output_rate", "rates"],
}
"""What a tokenizer of each modality has besides what all have."""


def _short_name(path: Path, given: dict[str, str]) -> str:
    """A file's name, with its folder's where it says nothing by itself."""
    generic = {"tokenizer.json", "vocab.txt", "tokenizer.model", "spiece.model", "tekken.json"}
    name = f"{path.resolve().parent.name}/{path.name}" if path.name in generic else path.name
    query = "&".join(f"{key}={value}" for key, value in given.items())
    return f"{name}?{query}" if query else name
