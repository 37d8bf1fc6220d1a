"""What the tests share: a cache of their own, real data where there is some, small runs."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from mocks.browser import browser, chromium  # noqa: F401
from mocks.evidence import make_task

from tokbench.bench import Job
from tokbench.files import cache_dir
from tokbench.record import Record
from tokbench.runner import evaluate
from tokbench.specs import load_tokenizer
from tokbench.task import MetricUse
from tokbench.tokenizers.text.adapter import TextTokenizer

# Begun in the background of a script, the tests inherit that Ctrl-C is ignored, and so would the
# commands which they start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cache(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """One cache for the session, never the user's."""
    monkeypatch.setenv("TOKBENCH_CACHE", str(cache_folder))
    cache_dir.cache_clear()
    yield cache_folder
    cache_dir.cache_clear()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real tokenizers and texts; without it the test is skipped."""
    chosen = os.environ.get("TOKBENCH_DATA", "").split(os.pathsep)[0]
    if not chosen:
        pytest.skip("TOKBENCH_DATA is not set: this test needs real tokenizers and FLORES-200")
    return Path(chosen)


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder of published results; without it the test is skipped."""
    chosen = os.environ.get("TOKBENCH_REFERENCE", "")
    if not chosen:
        pytest.skip("TOKBENCH_REFERENCE is not set: this test needs published results")
    return Path(chosen)


@pytest.fixture(scope="session")
def real(shared: Path) -> Callable[[str], TextTokenizer]:
    """A real tokenizer by file name, loaded once."""

    @functools.cache
    def loaded(name: str) -> TextTokenizer:
        return load_tokenizer(str(shared / "tokenizers" / name))

    return loaded


@pytest.fixture
def parallel(tmp_path: Path) -> Callable[..., Path]:
    """Write lines of several languages as a folder of parallel text."""

    def write(**lines: Sequence[str]) -> Path:
        folder = tmp_path / "parallel"
        folder.mkdir(exist_ok=True)
        for language, texts in lines.items():
            (folder / f"{language}.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
        return folder

    return write


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[Record, Path]]:
    """Run one job in the test's own folder: the record and its path."""

    def job(
        spec: str,
        data: Path | str,
        metrics: Sequence[str | MetricUse],
        tokenizer: TextTokenizer | None = None,
        out: str = "runs",
        workers: int = 1,
        limit: int | None = None,
        **task: object,
    ) -> tuple[Record, Path]:
        wanted = Job(spec, make_task(metrics, **task), str(data), limit=limit)
        return evaluate(wanted, tmp_path / out, workers=workers, tokenizer=tokenizer)

    return job
