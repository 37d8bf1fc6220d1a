"""Datasets: manifests, paths of one's own, and getting what is not there."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow
import pytest
from mocks.command import called, files_in, refused
from pyarrow import parquet

from tokbench import fetch
from tokbench.dataset import open_dataset
from tokbench.errors import UserError
from tokbench.fetch import fetch_dataset
from tokbench.files import cache_dir
from tokbench.manifest import Manifest, Split, load_manifest, manifest_names
from tokbench.task import load_suites, load_task, task_paths

Write = Callable[..., str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, a data root and a cache of the test's own."""
    monkeypatch.setenv("TOKBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TOKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    cache_dir.cache_clear()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def manifest(here: Path) -> Write:
    """Write a manifest; `rest` is TOML below the plain keys."""

    def write(rest: str = '[splits.all]\npath = "own/{group}.txt"\n', **keys: str) -> str:
        plain = {"version": "1", "modality": "text", "title": "own", "description": "own"}
        plain |= {"name": "own", "licence": "CC0-1.0", "reader": "lines", "default_split": "all"}
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in (plain | keys).items()]
        (here / "own.toml").write_text("".join(lines) + rest)
        return "own.toml"

    return write


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def texts_of(reference: str, split: str | None = None) -> dict[str, list[str]]:
    """All samples that are not empty, by group."""
    dataset = open_dataset(reference, split)
    return {part.group: [text for text in part.samples() if text] for part in dataset.parts}


# What is shipped


@pytest.mark.parametrize("name", manifest_names())
def test_a_shipped_manifest_has_licence_citation_and_a_way_to_get_it(name: str) -> None:
    found = load_manifest(name)
    assert found.name == name
    assert found.licence and found.citation and len(found.description) > 40
    embedded = any("embedded/" in (split.path or "") for split in found.splits.values())
    by_hand = found.homepage and "TOKBENCH_DATA" in found.note
    assert found.generator or found.hub or found.get or embedded or by_hand
    if found.hub:
        assert len(found.hub.revision or "") == 40 or "No revision is pinned" in found.note


def test_shipped_tasks_and_suites_name_what_is_there() -> None:
    for name in task_paths():
        task = load_task(name)
        assert task.dataset in manifest_names()
        assert task.description or task.title
    for names in load_suites().values():
        assert set(names) <= set(task_paths())


@pytest.mark.parametrize("name", ["cldr-names", "parallel-mini", "numbers", "python-stdlib"])
def test_embedded_data_is_there_at_once_and_the_same_each_time(name: str) -> None:
    first, second = open_dataset(name, fetch=False), open_dataset(name, fetch=False)
    assert first.fingerprint == second.fingerprint
    assert all(next(iter(part.samples())) for part in first.parts)


def test_cldr_names_are_parallel_in_over_a_hundred_languages() -> None:
    dataset = open_dataset("cldr-names")
    assert dataset.parallel
    assert len(dataset.groups) > 100
    assert {"eng_Latn", "tur_Latn", "zho_Hans", "arb_Arab"} <= set(dataset.groups)
    turkish = dataset.parts[dataset.groups.index("tur_Latn")]
    assert "Almanya" in list(turkish.samples())


def test_executables_are_bytes_of_at_most_four_mebibytes() -> None:
    dataset = open_dataset("executables")
    (part,) = dataset.parts
    sizes = [len(text) for text in part.samples()]
    assert dataset.raw_bytes
    assert max(sizes) == 4096
    assert 1 << 20 < sum(sizes) < 5 << 20


def test_flores_is_the_known_content(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKBENCH_DATA", str(shared))
    dataset = open_dataset("flores200", fetch=False)
    assert dataset.known
    assert (len(dataset.groups), dataset.parallel) == (204, True)


# Paths


def test_a_folder_of_languages_with_equal_lines_is_parallel(here: Path) -> None:
    put(here / "set/eng_Latn.dev", "one\ntwo\n")
    put(here / "set/tur_Latn.dev", "bir\n\n")  # an empty line is still a line
    dataset = open_dataset("set")
    assert (dataset.groups, dataset.parallel) == (["eng_Latn", "tur_Latn"], True)
    put(here / "set/tur_Latn.dev", "bir\niki\nüç\n")
    assert not open_dataset("set").parallel
    put(here / "set/tur_Latn.dev", "bir\niki\n").rename(here / "set/turkish.txt")
    assert not open_dataset("set").parallel


def test_a_set_is_known_by_content_not_by_place(here: Path) -> None:
    for folder in ("one", "two"):
        put(here / folder / "eng_Latn.txt", "hello\n")
        put(here / folder / "tur_Latn.txt", "merhaba\n")
    first = open_dataset("one").fingerprint
    assert open_dataset("two").fingerprint == first
    (here / "two/eng_Latn.txt").rename(here / "two/deu_Latn.txt")
    assert open_dataset("two").fingerprint != first
    put(here / "one/eng_Latn.txt", "hello!\n")
    assert open_dataset("one").fingerprint != first


def test_hidden_files_are_no_groups(here: Path) -> None:
    put(here / "set/.DS_Store", b"\xff")
    put(here / "set/a.txt", "a\n")
    assert texts_of("set") == {"": ["a"]}


def test_a_manifests_name_wins_over_a_folder_of_that_name(here: Path) -> None:
    put(here / "numbers/a.txt", "not a number\n")
    assert open_dataset("numbers").manifest
    assert texts_of("./numbers") == {"": ["not a number"]}


def test_a_set_without_english_is_compared_with_its_first_language(here: Path) -> None:
    put(here / "set/deu_Latn.txt", "eins\nzwei\n")
    put(here / "set/tur_Latn.txt", "bir\niki\n")
    done = called("eval", "bytes", "--data", "set", "--format", "json")
    (record,) = json.loads(done.out)["records"]
    values = {score["name"]: score["value"] for score in record["scores"]}
    assert (record["task"], values["premium/tur_Latn"]) == ("text-parallel", 6 / 8)


# Manifests of one's own


def test_groups_are_the_part_of_a_file_name_that_varies(here: Path, manifest: Write) -> None:
    own = manifest('[splits.all]\npath = "own/dev_{group}.txt"\n')
    put(here / "data/own/dev_eng_Latn.txt", "one\n")
    put(here / "data/own/test_eng_Latn.txt", "two\n")
    put(here / "data/own/dev_tur_Latn.txt", "bir\n")
    assert texts_of(own) == {"eng_Latn": ["one"], "tur_Latn": ["bir"]}


def test_a_field_names_the_column_to_read(here: Path, manifest: Write) -> None:
    splits = '[splits.all]\npath = "own.jsonl"\n[fields]\ntext = "{}"\n'
    put(here / "data/own.jsonl", '{"question": "why", "answer": "because"}\n')
    assert texts_of(manifest(splits.format("question"), reader="jsonl")) == {"": ["why"]}
    first = open_dataset("own.toml").fingerprint
    assert texts_of(manifest(splits.format("answer"), reader="jsonl")) == {"": ["because"]}
    assert open_dataset("own.toml").fingerprint != first


def test_splits_joined_by_a_plus_follow_each_other(here: Path, manifest: Write) -> None:
    own = manifest(
        '[splits.a]\npath = "a/{group}.txt"\n[splits.b]\npath = "b/{group}.txt"\n',
        default_split="a",
    )
    for split in "ab":
        put(here / f"data/{split}/eng_Latn.txt", f"{split}\n")
    assert texts_of(own, "a+b") == {"eng_Latn": ["a", "b"]}
    assert texts_of(own, "b+a") == {"eng_Latn": ["b", "a"]}
    with pytest.raises(UserError, match="no split 'c'"):
        open_dataset(own, "a+c")
    put(here / "data/b/tur_Latn.txt", "b\n")
    with pytest.raises(UserError, match="do not have the same groups"):
        open_dataset(own, "a+b")


def test_parallel_splits_with_gaps_are_not_joined_out_of_step(here: Path, manifest: Write) -> None:
    own = manifest(
        '[splits.a]\npath = "a.tsv"\n[splits.b]\npath = "b.tsv"\n', reader="tsv", default_split="a"
    )
    put(here / own, "parallel = true\n" + (here / own).read_text())
    put(here / "data/a.tsv", "eng_Latn\ttur_Latn\none\tbir\n")
    put(here / "data/b.tsv", "eng_Latn\ttur_Latn\ntwo\tiki\n")
    assert texts_of(own, "a+b") == {"eng_Latn": ["one", "two"], "tur_Latn": ["bir", "iki"]}
    put(here / "data/a.tsv", "eng_Latn\ttur_Latn\none\tbir\nzero\t\n")
    with pytest.raises(UserError, match="a has gaps"):
        open_dataset(own, "a+b")


def test_pinned_content_is_recognised_and_other_content_refused(
    here: Path, manifest: Write
) -> None:
    put(here / "data/own/eng_Latn.txt", "one\n")
    found = open_dataset(manifest()).fingerprint
    pinned = '[splits.all]\npath = "own/{group}.txt"\nfingerprints = { "first" = "%s" }\n'
    assert open_dataset(manifest(pinned % found)).known == "first"
    done = called("data", "verify", "own.toml")
    assert (done.code, done.err) == (0, "")
    assert "is the known content 'first'" in done.out
    put(here / "data/own/eng_Latn.txt", "two\n")
    refused(called("data", "verify", "own.toml"), "the content differs from the manifest's hash")
    refused(called("eval", "bytes", "--task", "text", "--data", "own.toml"), "content differs")
    put(here / "own.toml", (here / "own.toml").read_text().replace("[sp", 'varies = "daily"\n[sp'))
    assert open_dataset("own.toml").known == ""


def test_what_is_not_there_cannot_be_verified_and_is_not_invented(manifest: Write) -> None:
    manifest()
    refused(called("data", "verify", "own.toml"), "no files at own/{group}.txt")
    refused(called("data", "fetch", "own.toml"), "nothing to fetch")


def test_data_list_says_what_is_here(here: Path, manifest: Write) -> None:
    assert called("data", "list", manifest()).out.splitlines()[-1].split()[-1] == "no"
    put(here / "data/own/eng_Latn.txt", "one\n")
    assert called("data", "list", "own.toml").out.splitlines()[-1].split()[-1] == "all"
    assert len(called("data", "list").out.splitlines()) == len(manifest_names()) + 2


# Fetching


def tar_of(files: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))
    return file.getvalue()


def zip_of(files: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def behind(archive: Path, unpack: str, strip: int = 0, digest: str | None = None) -> str:
    """The TOML of a set behind a file:// URL."""
    return (
        '[splits.all]\npath = "own/{group}.txt"\n'
        f'[get]\nurl = "{archive.as_uri()}"\nunpack = "{unpack}"\nstrip = {strip}\n'
        f'sha256 = "{digest or hashlib.sha256(archive.read_bytes()).hexdigest()}"\n'
    )


FILES = {"eng_Latn.txt": "one\n", "tur_Latn.txt": "bir\n"}


@pytest.mark.parametrize("pack, unpack", [(tar_of, "tar.gz"), (zip_of, "zip")])
@pytest.mark.parametrize("folders", ["", "top/", "top/top/"])
def test_an_archive_is_fetched_checked_and_unpacked(
    here: Path, manifest: Write, pack: Callable[..., bytes], unpack: str, folders: str
) -> None:
    archive = put(here / "set.archive", pack({folders + name: FILES[name] for name in FILES}))
    manifest(behind(archive, unpack, strip=folders.count("/")))
    assert texts_of("own.toml") == {"eng_Latn": ["one"], "tur_Latn": ["bir"]}
    archive.unlink()  # and it is kept
    assert texts_of("own.toml") == {"eng_Latn": ["one"], "tur_Latn": ["bir"]}
    assert files_in(here / "cache/data") == ["own/eng_Latn.txt", "own/tur_Latn.txt"]
    assert "is here already" in called("data", "fetch", "own.toml").out


@pytest.mark.parametrize("kind", ["url", "hub"])
def test_two_that_fetch_at_once_fetch_once(
    here: Path, manifest: Write, request: pytest.FixtureRequest, kind: str
) -> None:
    if kind == "hub":
        request.getfixturevalue("hub")
    else:
        manifest(behind(put(here / "set.archive", tar_of(FILES)), "tar.gz"))
    first, second, waiting = threading.Event(), threading.Event(), []
    turn = fetch._turn

    @contextlib.contextmanager
    def slow(target: Path) -> Iterator[Path]:
        waiting.append(target)
        (first if len(waiting) == 1 else second).set()
        with turn(target) as scratch:
            second.wait(60)  # the other has found nothing either
            yield scratch

    made = []
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(fetch, "_turn", slow)
        replace = fetch._replace
        patch.setattr(fetch, "_replace", lambda *given: made.append(given) or replace(*given))
        one = pool.submit(open_dataset, "own.toml")
        first.wait(60)
        other = pool.submit(open_dataset, "own.toml")
        assert one.result().fingerprint == other.result().fingerprint
    assert len(made) == 1
    assert not [name for name in files_in(here / "cache") if "/." in name]


def test_what_a_killed_fetch_has_left_goes(here: Path, manifest: Write) -> None:
    manifest(behind(put(here / "set.archive", tar_of(FILES)), "tar.gz"))
    put(here / "cache/data/.own.fetch/unpacked/eng_Latn.txt", "half")
    assert texts_of("own.toml") == {"eng_Latn": ["one"], "tur_Latn": ["bir"]}
    assert files_in(here / "cache/data") == ["own/eng_Latn.txt", "own/tur_Latn.txt"]


def test_a_single_file_is_fetched_as_it_is(here: Path, manifest: Write) -> None:
    put(here / "eng_Latn.txt", "one\n")
    manifest(behind(here / "eng_Latn.txt", "none"))
    done = called("data", "fetch", "own.toml")
    assert (done.code, done.err) == (0, "")
    assert "licence CC0-1.0" in done.out
    assert texts_of("own.toml") == {"eng_Latn": ["one"]}


def test_a_download_with_another_hash_is_not_kept(here: Path, manifest: Write) -> None:
    archive = put(here / "set.zip", zip_of(FILES))
    manifest(behind(archive, "zip", digest="0" * 64))
    refused(
        called("data", "fetch", "own.toml"), "the manifest says 000000000000…", "nothing was kept"
    )
    refused(called("eval", "bytes", "--task", "text", "--data", "own.toml"), "nothing was kept")
    assert files_in(here / "cache") == []


@pytest.mark.parametrize(
    "content, unpack, strip, message",
    [
        (tar_of(FILES)[:100], "tar.gz", 0, "not a readable tar.gz archive"),
        (b"no archive", "tar.gz", 0, "not a readable tar.gz archive"),
        (zip_of(FILES)[:-20], "zip", 0, "not a readable zip archive"),
        (tar_of({"../outside.txt": "x"}), "tar.gz", 0, "not a readable tar.gz archive"),
        (tar_of(FILES), "tar.gz", 1, "strip = 1: not one folder"),
        (zip_of({"top/a.txt": "", "b.txt": ""}), "zip", 1, "strip = 1: not one folder"),
        (zip_of({"other.dat": "x"}), "zip", 0, "no files at own/{group}.txt"),
    ],
    ids=["cut", "no archive", "cut zip", "outside", "no folder", "two roots", "other files"],
)
def test_an_archive_that_is_no_good_leaves_one_line_and_nothing_outside(
    here: Path, manifest: Write, content: bytes, unpack: str, strip: int, message: str
) -> None:
    manifest(behind(put(here / "set.archive", content), unpack, strip))
    refused(called("eval", "bytes", "--task", "text", "--data", "own.toml"), message)
    left = files_in(here / "cache")
    assert left == (["data/own/other.dat"] if "no files" in message else [])
    assert files_in(here) == sorted(
        ["own.toml", "set.archive", *(f"cache/{path}" for path in left)]
    )


def test_a_url_that_does_not_answer_is_one_line(here: Path, manifest: Write) -> None:
    archive = put(here / "set.zip", zip_of(FILES))
    rest = behind(archive, "zip")
    archive.unlink()
    command = "data", "fetch", manifest(rest)
    refused(called(*command), "own: cannot fetch file://", "TOKBENCH_DATA")
    manifest(rest.replace("file://", "nowhere://"))
    refused(called(*command), "own: cannot fetch nowhere://")
    manifest(rest.replace(archive.as_uri(), "http://127.0.0.1:9/set.zip"))
    refused(called(*command), "Connection refused")
    assert files_in(here / "cache") == []


def test_a_download_that_ends_early_is_not_kept(
    here: Path, manifest: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Answer(io.BytesIO):
        headers = {"Content-Length": "1000"}

    manifest(behind(put(here / "eng_Latn.txt", "one\n"), "none"))
    monkeypatch.setattr(fetch.urllib.request, "urlopen", lambda url, timeout: Answer(b"one\n"))
    refused(called("data", "fetch", "own.toml"), "cut short after 4 of 1,000 bytes")
    assert files_in(here / "cache") == []


@pytest.fixture
def hub(here: Path, manifest: Write) -> Manifest:
    """A folder that `datasets` streams as it would a repository: two languages in parquet."""
    readme = "---\nconfigs:\n"
    for language, texts in (
        ("eng_Latn", ["one", None, "t\nwo"]),
        ("tur_Latn", ["bir", "iki", "üç"]),
    ):
        folder = here / "repository" / language
        folder.mkdir(parents=True)
        table = pyarrow.table({"body": texts, "id": [0, 1, 2]})
        parquet.write_table(table, folder / "test.parquet")
        readme += f"- config_name: {language}\n  data_files: {language}/*.parquet\n"
    put(here / "repository/README.md", f"{readme}---\n")
    manifest(
        '[splits.all]\nhub_split = "train"\n'
        f'[hub]\nrepo = "{here / "repository"}"\n'
        'groups = ["eng_Latn", "tur_Latn"]\nconfig = "{group}"\ntext = "body"\n',
        reader="hub",
    )
    return load_manifest("own.toml")


def test_a_hub_set_is_streamed_group_by_group_and_kept(here: Path, hub: Manifest) -> None:
    assert texts_of("own.toml") == {"eng_Latn": ["one", "t\nwo"], "tur_Latn": ["bir", "iki", "üç"]}
    assert files_in(here / "cache/data") == ["own/all/eng_Latn.jsonl", "own/all/tur_Latn.jsonl"]
    (here / "repository").rename(here / "gone")
    assert texts_of("own.toml")["tur_Latn"] == ["bir", "iki", "üç"]


def test_a_limit_takes_the_first_rows_of_a_hub_set(here: Path, hub: Manifest) -> None:
    hub.splits["all"] = Split(hub_split="train", limit=2)
    fetch_dataset(hub, "all")
    assert texts_of("own.toml") == {"eng_Latn": ["one"], "tur_Latn": ["bir", "iki"]}


def test_json_lines_without_groups_are_streamed_too(here: Path, manifest: Write) -> None:
    put(here / "repository/train.jsonl", '{"text": "one"}\n{"text": "two"}\n')
    manifest(
        f'[splits.all]\nhub_split = "train"\n[hub]\nrepo = "{here / "repository"}"\n',
        reader="hub",
    )
    assert texts_of("own.toml") == {"all": ["one", "two"]}


def test_an_interrupted_fetch_is_not_taken_for_the_set(
    here: Path, hub: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = fetch.atomic_write

    def interrupted(path: Path, content: bytes) -> None:
        if path.name == "tur_Latn.jsonl":
            raise KeyboardInterrupt
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(fetch, "atomic_write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_dataset("own.toml")
    with pytest.raises(UserError, match="no files at own/all"):
        open_dataset("own.toml", fetch=False)
    assert set(texts_of("own.toml")) == {"eng_Latn", "tur_Latn"}  # goes on with the second
    assert files_in(here / "cache/data") == ["own/all/eng_Latn.jsonl", "own/all/tur_Latn.jsonl"]


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('text = "body"', 'text = "boddy"', "has no column 'boddy'"),
        ('hub_split = "train"', 'hub_split = "dev"', "cannot stream"),
        ('config = "{group}"', 'config = "no_{group}"', "cannot stream"),
    ],
)
def test_a_hub_set_that_is_described_wrongly_is_one_line(
    here: Path, hub: Manifest, old: str, new: str, message: str
) -> None:
    put(here / "own.toml", (here / "own.toml").read_text().replace(old, new))
    refused(called("data", "fetch", "own.toml"), "own: ", message)
    assert files_in(here / "cache") == []
