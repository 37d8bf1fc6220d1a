"""The compiled passes equal the numpy ones, and a build brings them or says why not."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocks.evidence import batch_of

from tokbench import kernel, kgrams
from tokbench.evidence import Tally
from tokbench.kernel import Kernel
from tokbench.registry import STATISTICS
from tokbench.statistics import EncodedText, Statistic, measure
from tokbench.text.batch import TextBatch
from tokbench.tokenizers.text.adapter import TextTokenizer, TokenBytes, token_spans
from tokbench.types import Codes, Ragged

ROOT = Path(__file__).parent.parent
CORE = ("words", "tokens", "word-cover", "ids", "token-bytes", "unknown")


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    pytest.importorskip("hatchling", reason="the build hook needs hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def library(hook: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The present source compiled, whatever this installation has."""
    path = tmp_path_factory.mktemp("kernel") / "libkernel.so"
    if why := hook.compile_kernel(ROOT / "tokbench" / "kernel.c", path):
        pytest.skip(f"no kernel to compare: {why}")
    return path


@pytest.fixture(scope="module")
def compiled(library: Path) -> Kernel:
    found = kernel.load(library)
    assert found is not None
    return found


class Table(TextTokenizer):
    """Ids that were chosen beforehand; id 0 is UNK and has no bytes."""

    def __init__(self, pieces: list[bytes], prefix: bytes):
        self.pieces, self.prefix, self.unknown = TokenBytes(pieces), prefix, 0

    def decode(self, codes: Codes) -> list[str]:
        return ["" for _ in range(len(codes.ids))]


def either(compiled: Kernel, function: Callable[[], object]) -> tuple[object, object]:
    """What a function gives with the kernel and without."""
    results = []
    for one in (compiled, None):
        with patch.object(kernel, "compiled", one):
            results.append(function())
    return results[0], results[1]


TEXT = st.text(st.sampled_from("ab19 \n\t.'é語😀\u0301"), max_size=40)


@st.composite
def encoded(draw: st.DrawFn) -> tuple[Table, TextBatch, Codes]:
    """Texts cut anywhere, even inside characters, into pieces short and long; sometimes with
    tokens that have no bytes or that are wrong."""
    prefix = draw(st.sampled_from([b"", b" "]))
    texts = draw(st.lists(TEXT, min_size=1, max_size=5))
    numbers = {b"": 0, b"a": 1, b" ": 2}
    rows = []
    for text in texts:
        raw = prefix + text.encode()
        cuts = draw(st.sets(st.integers(0, len(raw)), max_size=len(raw))) | {0, len(raw)}
        edges = sorted(cuts)
        row = [numbers.setdefault(raw[first:last], len(numbers)) for first, last in pairwise(edges)]
        if draw(st.integers(0, 3)) == 0:
            row.insert(draw(st.integers(0, len(row))), 0)
        rows.append(row)
    if draw(st.integers(0, 3)) == 0:
        wrong = draw(st.sampled_from(rows))
        if wrong:
            wrong[draw(st.integers(0, len(wrong) - 1))] = draw(st.integers(0, len(numbers) - 1))
    # batch_of leaves out empty texts; here they are samples too
    count = len(texts)
    group = np.full(count, 3)
    if draw(st.booleans()):
        group = np.sort(np.array(draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))))
    first = draw(st.integers(0, 40))
    batch = TextBatch(texts, group, np.arange(first, first + count))
    return Table(list(numbers), prefix), batch, Codes((Ragged.of(rows),))


@settings(max_examples=150, deadline=None)
@given(case=encoded())
def test_spans_are_those_of_numpy(compiled: Kernel, case: tuple[Table, TextBatch, Codes]) -> None:
    found, expected = either(compiled, lambda: token_spans(*case))
    for part in ("starts", "stops", "tiled", "known"):
        assert getattr(found, part).tolist() == getattr(expected, part).tolist()


@settings(max_examples=150, deadline=None)
@given(case=encoded())
def test_statistics_are_those_of_numpy(
    compiled: Kernel, case: tuple[Table, TextBatch, Codes]
) -> None:
    functions = {name: STATISTICS.get(name) for name in CORE}

    def statistics() -> Statistic:
        return measure(EncodedText(*case, list("abcd")), functions)

    found, expected = either(compiled, statistics)
    for name, column in expected.columns.items():
        assert found.columns[name].tolist() == column.tolist()
    for name, tally in expected.tallies.items():
        assert found.tallies[name].keys.tolist() == tally.keys.tolist()
        assert found.tallies[name].counts.tolist() == tally.counts.tolist()


def test_pieces_longer_than_the_text_that_is_left_do_not_read_beyond_it(compiled: Kernel) -> None:
    tokenizer = Table([b"", b"ab" * 40, b"ab"], b"")
    codes = Codes((Ragged.of([[2], [1], []]),))
    batch = TextBatch(["ab", "ab", ""], np.zeros(3, np.int64), np.arange(3))
    found, expected = either(compiled, lambda: token_spans(tokenizer, batch, codes))
    assert found.tiled.tolist() == expected.tiled.tolist() == [True, False, True]


@pytest.mark.parametrize("wrong", [-1, 3])
def test_an_id_outside_the_vocabulary_is_not_looked_up(compiled: Kernel, wrong: int) -> None:
    tokenizer, codes = Table([b"", b"a", b"b"], b""), Codes((Ragged.of([[wrong]]),))
    with patch.object(kernel, "compiled", compiled), pytest.raises(IndexError, match="outside"):
        token_spans(tokenizer, batch_of(["a"]), codes)


def test_offsets_and_numbers_that_would_be_read_out_of_bounds_are_refused(
    compiled: Kernel,
) -> None:
    tokenizer, ids = Table([b"", b"a"], b""), np.array([1, 1], np.int32)
    for offsets in ([0, 3], [0, 1], [0, 2, 1], [1, 2]):
        codes = Codes((Ragged(ids, np.array(offsets)),))
        with patch.object(kernel, "compiled", compiled), pytest.raises(ValueError, match="deal"):
            token_spans(tokenizer, batch_of(["aa"]), codes)
    with pytest.raises(ValueError, match="negative"):
        compiled.count(np.array([1, -1]))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, int]:
    """Contexts (some left out), tokens and blocks of some places; few, so that pairs repeat."""
    many, size = draw(st.integers(0, 400)), draw(st.sampled_from([1, 3, 40, 3000, 70000]))
    kinds = draw(st.sampled_from([1, 2, 30, 5000]))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    before = np.minimum(rng.zipf(1.5, many) - 2, size - 1).astype(np.int32)
    after = np.minimum(rng.zipf(1.7, many) - 1, kinds - 1).astype(np.int32)
    return before, after, rng.integers(0, 16, many).astype(np.uint8), size, kinds


def assert_frequencies(
    compiled: Kernel, places: np.ndarray, first: np.ndarray, block: np.ndarray
) -> None:
    """They are numpy's, which also says how many k-grams occur nowhere else."""
    found = Tally.of(*compiled.frequencies(places, first, block))
    plain = kgrams._frequencies(np.cumsum(first) - 1, first, block[places])
    real = (plain.keys & 0xFFFFFFFF > 0) & (plain.counts != 0)
    assert found.keys.tolist() == plain.keys[real].tolist()
    assert found.counts.tolist() == plain.counts[real].tolist()


@settings(max_examples=100, deadline=None)
@given(case=pairs(), portion=st.sampled_from([4, 64, 1 << 19]))
def test_pairs_are_sorted_as_by_numpy(compiled: Kernel, case: tuple, portion: int) -> None:
    before, after, block, size, kinds = case

    def sorted_pairs() -> tuple[list[int], list[bool], list[int]]:
        places, marks, cuts = [], [], []
        for some, first in kgrams.runs(before, after, size, kinds):
            assert first[0]  # no pair is cut
            places += some.tolist()
            marks += first.tolist()
            cuts.append(len(some))
        return places, marks, cuts

    with patch.object(kgrams, "PORTION", portion), patch.object(kgrams, "STRETCH", 2 * portion):
        found, expected = either(compiled, sorted_pairs)
    assert found[:2] == expected[:2]
    assert max(found[2], default=0) <= portion + len(before)
    wide = after if portion > 4 else after.astype(np.uint16)
    places, first = compiled.sort_pairs(before, wide, (0, size), kinds, len(before))
    if len(places):
        assert_frequencies(compiled, places, first, block)


def test_frequencies_beyond_the_table_are_listed(compiled: Kernel) -> None:
    runs = (9000, 4096, 4095, 1, 4097)
    first = np.zeros(sum(runs), dtype=bool)
    first[np.cumsum((0, *runs[:-1]))] = True
    places = np.random.default_rng(0).permutation(len(first)).astype(np.int32)
    for block in (places * 0, places % 16):
        assert_frequencies(compiled, places, first, block.astype(np.uint8))


def test_numbers_outside_their_bounds_are_not_sorted(compiled: Kernel) -> None:
    numbers = np.array([0, 1, 2], np.int32)
    for after, room in ((numbers, 3), (np.array([0, -1, 0]), 3), (numbers * 0, 2)):
        with pytest.raises(IndexError, match="outside"):
            compiled.sort_pairs(numbers, after, (0, 3), 2, room)
    with pytest.raises(ValueError, match="not to be sorted"):
        compiled.sort_pairs(numbers, numbers[:2], (0, 3), 3, 3)
    places, first = compiled.sort_pairs(numbers, numbers, (1, 2), 3, 1)
    assert (places.tolist(), first.tolist()) == ([1], [True])
    with pytest.raises(ValueError, match="blocks"):
        compiled.frequencies(numbers, numbers == 0, np.zeros(2, np.uint8))
    with pytest.raises(IndexError, match="outside"):
        compiled.frequencies(numbers, numbers == 0, np.full(3, 16, np.uint8))
    assert not kernel.sortable(1 << 30, 1 << 30, 1 << 30)
    assert kernel.sortable(1 << 30, 1 << 22, 1 << 18)


def test_a_library_of_another_revision_or_none_is_not_called(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kernel.load(tmp_path / "absent.so") is None
    (tmp_path / "broken.so").write_bytes(b"no library")
    assert kernel.load(tmp_path / "broken.so") is None
    monkeypatch.setattr(kernel, "REVISION", kernel.REVISION + 1)
    assert kernel.load(library) is None


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a build reads, without a library."""
    folder = tmp_path / "checkout"
    leave = shutil.ignore_patterns("libkernel.so", "__pycache__")
    shutil.copytree(ROOT / "tokbench", folder / "tokbench", ignore=leave)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("tasks", "data_manifests", "leaderboards"):
        (folder / name).mkdir()
        (folder / name / "placeholder").touch()
    return folder


def test_an_editable_install_compiles_beside_the_source(
    hook: ModuleType, library: Path, checkout: Path
) -> None:
    build_data: dict = {"force_include": {}}
    made = hook.KernelHook(str(checkout), {}, None, None, "", "wheel")
    made.initialize("editable", build_data)
    assert build_data["force_include"] == {}
    assert build_data["tag"] != "py3-none-any"
    assert kernel.load(checkout / "tokbench" / "libkernel.so") is not None


@pytest.mark.parametrize("compiler", ["no-such-compiler", f"{sys.executable} -c exit(1)"])
def test_without_a_working_compiler_the_wheel_is_built_and_says_so(
    hook: ModuleType, checkout: Path, compiler: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from hatchling.build import build_wheel; build_wheel('.')"],
        cwd=checkout,
        env=os.environ | {"CC": compiler},
        capture_output=True,
        text=True,
        check=True,
    )
    (wheel,) = checkout.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert "tokbench is built without its compiled passes" in done.stdout + done.stderr
    names = zipfile.ZipFile(wheel).namelist()
    assert "tokbench/kernel.py" in names
    assert not any(name.endswith(".so") for name in names)
