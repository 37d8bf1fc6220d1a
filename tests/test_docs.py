"""The documentation is true: its commands and code run, its links lead somewhere, the generated
reference is fresh.

In a page, `<!-- file: NAME -->` before a block makes it a file of the reader's folder, and
`<!-- not run: WHY -->` spares a block of commands, whose arguments are parsed all the same.
"""

from __future__ import annotations

import argparse
import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from mocks.command import called

import tokbench
from tokbench import cli
from tokbench.files import cache_dir
from tokbench.record import read_record

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
REFERENCE = sorted((ROOT / "docs" / "reference").glob("*.md"))
EXTRAS = {"evaluate-my-data.md": ("PIL", "soundfile", "tree_sitter")}
"""What a page's commands need beyond the core."""

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>file|not run): (?P<said>.*?) -->\n)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    language: str
    text: str
    file: str
    spared: str


def blocks(page: Path) -> list[Block]:
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [
        Block(
            each["language"],
            each["text"],
            each["said"] if each["mark"] == "file" else "",
            each["said"] if each["mark"] == "not run" else "",
        )
        for each in found
    ]


def commands(text: str) -> Iterator[list[str]]:
    """The words of each line; comments are left out."""
    for line in text.splitlines():
        if words := shlex.split(line, comments=True):
            yield words


def parsed(arguments: list[str]) -> argparse.Namespace:
    try:
        return cli._parser().parse_args(arguments)
    except SystemExit as error:
        raise AssertionError(f"tokbench {shlex.join(arguments)}: is not understood") from error


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's folder: what they call my_corpus.txt, my_tokenizer.json, photos/, clips/, …"""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    texts = {
        "my_corpus.txt": "Merhaba dünya.\nHow are you?\n",
        "translations/eng_Latn.txt": "one two\nthree four\n",
        "translations/tur_Latn.txt": "bir iki\nüç dört\n",
        "proverbs/eng_Latn.txt": "Better late than never.\nNo pain, no gain.\n",
        "proverbs/tur_Latn.txt": "Geç olsun güç olmasın.\nEmek olmadan yemek olmaz.\n",
        "src/sums.py": "def total(items):\n    return sum(items)\n",
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def add_media(folder: Path) -> None:
    import numpy as np
    import soundfile
    from mocks.images import picture

    from tokbench.image.pictures import save_png

    for name in ("photos", "clips"):
        (folder / name).mkdir()
    (folder / "photos" / "one.png").write_bytes(save_png(picture(1, 48, 64)))
    wave = np.sin(np.arange(8000, dtype=np.float32) / 7)
    soundfile.write(folder / "clips" / "tone.wav", wave / 2, 16000)


def add_tokenizer(folder: Path) -> None:
    import tokenizers

    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(["the cat sat on the mat"] * 9, trainer)
    made.save(str(folder / "my_tokenizer.json"))


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.stem)
def test_a_page_does_what_it_says(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in EXTRAS.get(page.name, ()):
        pytest.importorskip(package, reason=f"{page.name} shows what needs {package}")
    if "photos/" in page.read_text(encoding="utf-8"):
        add_media(folder)
    add_tokenizer(folder)
    names: dict[str, object] = {}
    for block in blocks(page):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            exec(compile(block.text, page.name, "exec"), names)
        elif block.language == "bash":
            for words in commands(block.text):
                obey(words, bool(block.spared), folder, monkeypatch)
    if page.stem in SAID:
        SAID[page.stem](folder)


def of_the_extensions(folder: Path) -> None:
    """The metric of the page, in its task, on its adapter."""
    (path,) = (folder / "runs").glob("ascii--my-task--*/record.json")
    record = read_record(path)
    per_byte, per_token = record.score("tokens-per-byte"), record.score("bytes-per-token")
    assert per_byte.value == pytest.approx(1 / per_token.value)


def of_the_papers(folder: Path) -> None:
    """The published figures of the page's table."""
    (path,) = (folder / "runs").glob("cut--scorer--*/record.json")
    record = read_record(path)
    assert record.score("renyi-efficiency").value == pytest.approx(0.82651, abs=1e-5)
    assert record.score("shannon-efficiency").value == pytest.approx(0.92119, abs=1e-5)
    assert record.score("percentile-frequency").value == pytest.approx(0.857143, abs=1e-6)
    board = tokbench.load_leaderboard(task="premium-flores200")
    ours = board[(board["tokenizer"] == "bytes") & (board["score"] == "premium")]
    for language, published in (("mya_Mymr", 3.51), ("shn_Mymr", 3.94)):
        (value,) = ours[ours["facet"] == language]["value"]
        assert value == pytest.approx(published, rel=0.01)


SAID = {"extend": of_the_extensions, "reproduce-a-paper": of_the_papers}
"""What a page says comes out."""


def obey(words: list[str], spared: bool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of a page: `export NAME=VALUE` or a command of tokbench; nothing else."""
    if words[0] == "export":
        name, _, value = words[1].partition("=")
        monkeypatch.setenv(name, value.replace("$PWD", str(folder)))
        cache_dir.cache_clear()
        return
    assert words[0] == "tokbench", f"{words}: only tokbench's commands are tried"
    arguments = [
        each
        for word in words[1:]
        for each in (sorted(map(str, Path().glob(word))) if "*" in word and "/" in word else [word])
        or [word]
    ]
    if spared:
        parsed(arguments)
        return
    done = called(*arguments)
    assert done.code == 0, f"tokbench {shlex.join(arguments)}\n{done.err}\n{done.out}"


def test_the_commands_of_the_readme_are_understood() -> None:
    lines = [words for b in blocks(PAGES[0]) if b.language == "bash" for words in commands(b.text)]
    tried = [words[words.index("tokbench") + 1 :] for words in lines if "tokbench" in words]
    tried += [
        words[words.index(".venv/bin/tokbench") + 1 :]
        for words in lines
        if ".venv/bin/tokbench" in words
    ]
    assert {"eval", "compare", "report", "leaderboard", "submit"} <= {words[0] for words in tried}
    for words in tried:
        parsed(words)


@pytest.mark.parametrize("page", [*PAGES, *REFERENCE], ids=lambda page: page.stem)
def test_commands_within_a_sentence_are_understood(page: Path) -> None:
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    for found in re.findall(r"(?<!`)`tokbench ([^`]+)`(?!`)", text):
        arguments = shlex.split(" ".join(found.split()))
        if len(arguments) == 1:  # a command by its name
            assert re.search(rf"^    {arguments[0]}\s", cli._parser().format_help(), re.MULTILINE)
        elif "…" not in found:
            parsed(arguments)


@pytest.mark.parametrize("page", [*PAGES, *REFERENCE], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", _BLOCK.sub("", text))
    assert targets or page not in PAGES[:1]
    for target in targets:
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        there = page.parent / name if name else page
        assert there.is_file(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(there), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_every_page_is_linked_from_the_readme_and_short_enough() -> None:
    readme = PAGES[0].read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 180
    for page in [*PAGES[1:], *REFERENCE]:
        assert page.relative_to(ROOT).as_posix() in readme, page.name


@pytest.mark.parametrize("language", ["python", "toml"])
def test_examples_of_extensions_are_short(language: str) -> None:
    (page,) = [page for page in PAGES if page.stem == "extend"]
    found = [block for block in blocks(page) if block.language == language]
    assert len(found) == 2
    for block in found:
        code = [line for line in block.text.splitlines() if line.strip()]
        assert len(code) < 20, block.file


def test_metrics_tasks_and_suites_named_exist() -> None:
    from tokbench.registry import METRICS
    from tokbench.suites import suite
    from tokbench.task import load_task

    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name in set(re.findall(r"--task ([a-z0-9-]+)(?=[\s`])", text)):
        load_task(name)
    for name in set(re.findall(r"--suite ([a-z0-9-]+)(?=[\s`])", text)):
        if name.removeprefix("text-") not in ("tur",):
            suite(name)
    (table,) = re.findall(r"^## What it measures\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`([a-z0-9-]+)`", table.partition("[What is")[0]))
    assert len(named) > 30 and named <= set(METRICS)


def test_the_reference_is_fresh() -> None:
    pages = runpy.run_path(str(ROOT / "docs" / "generate.py"))["pages"]()
    assert sorted(pages) == [page.name for page in REFERENCE]
    for page in REFERENCE:
        written = page.read_text(encoding="utf-8")
        assert written == pages[page.name], f"{page.name}: run python docs/generate.py"
