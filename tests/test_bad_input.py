"""Bad input: each kind gets one line that says what, where and how to mend it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from mocks.command import called, files_in, finished, refused

from tokbench.errors import FAILURES
from tokbench.tokenizers.text.mistral import packaged

TASK = {"name": "own", "title": "own", "modality": "text", "dataset": "numbers", "main": "tokens"}
TOKENIZER = json.dumps(
    {
        "version": "1.0",
        "added_tokens": [],
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "one": 1}, "unk_token": "[UNK]"},
    }
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "text.txt").write_text("one two\nthree\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def toml(table: dict[str, object]) -> str:
    """A flat table as TOML; JSON's strings, numbers and lists are TOML's too."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())


# Tokenizer files


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("tokenizer.json", b"", "the file is empty"),
        ("tokenizer.json", TOKENIZER[:-20].encode(), "not valid JSON"),
        ("tokenizer.json", b'{"model": {"type": "BPE"}}', "not a readable tokenizer.json"),
        ("tokenizer.json", b'{"version": "1.0"}', "neither a tokenizer.json"),
        ("tokenizer.json", b"[1, 2]", "not a tokenizer file that tokbench knows"),
        ("tokenizer.json", b'{"a": "\xff"}', "not valid JSON"),
        ("tekken.json", b'{"config": {}, "vocab": []}', "not a readable tekken.json"),
        ("tekken.json", b'{"config": {"pattern": "."}, "vocab": 1}', "not a readable tekken.json"),
        ("random.model", bytes(range(256)), "not a readable SentencePiece model"),
        ("random.model", b"\x0a\xff\xff\xff" * 9, "not a readable SentencePiece model"),
        ("empty.model", b"", "the file is empty"),
        ("bad.tiktoken", b"IQ== 0\nnonsense\n", "line 2: not 'base64 rank'"),
        ("bad.tiktoken", b"garbage\n", "line 1: not 'base64 rank'"),
        ("bad.tiktoken", b"IQ== 0\nIg== 0\n", "the same rank stands on two lines"),
        ("own.tiktoken", b"IQ== 0\nIg== 1\n", "?pattern=cl100k_base"),
        ("vocab.txt", b"one\ntwo\n", "it has no [UNK] line"),
        ("vocab.txt", b"[UNK]\n\xff\n", "byte 6: not UTF-8"),
        ("noise.dat", b"just some words\n", "not a tokenizer file that tokbench knows"),
    ],
)
def test_a_corrupt_tokenizer_file_is_named_with_what_is_wrong(
    here: Path, name: str, content: bytes, message: str
) -> None:
    (here / name).write_bytes(content)
    refused(called("eval", here / name, "--data", "text.txt"), str(here / name), message)
    assert files_in(here) == sorted([name, "text.txt"])


@pytest.mark.parametrize(
    "spec, message",
    [
        ("tokenizers:none.json", "none.json: cannot read: No such file"),
        ("sentencepiece:none.model", "none.model: cannot read: No such file"),
        ("wordpiece:none.txt", "none.txt: cannot read: No such file"),
        ("tekken:none.json", "none.json: cannot read: No such file"),
        ("tiktoken:none.tiktoken", "no such encoding or file"),
        ("gpt2-bpe:none", "holds neither encoder.json"),
        ("none/tokenizer.json", "no such file or folder"),
        ("none.model", "no such file or folder"),
        ("sentencepiece:text.txt", "not a readable SentencePiece model"),
        ("tokenizers:text.txt", "not a readable tokenizer.json"),
        ("tiktoken:text.txt", "line 1: not 'base64 rank'"),
        ("wordpiece:text.txt", "it has no [UNK] line"),
        (".", "no tokenizer in this folder"),
    ],
)
def test_a_missing_or_foreign_file_is_named(spec: str, message: str) -> None:
    refused(called("eval", spec, "--data", "text.txt"), message)


def test_a_folder_with_broken_gpt2_files_is_named(here: Path) -> None:
    (here / "gpt2").mkdir()
    (here / "gpt2" / "encoder.json").write_text('{"a": 0')
    (here / "gpt2" / "vocab.bpe").write_text("#version: 0.2\n")
    refused(called("eval", "gpt2", "--data", "text.txt"), "gpt2: cannot be read")


def test_a_corrupt_model_prints_one_line_even_from_native_code(here: Path) -> None:
    (here / "cut.model").write_bytes(packaged()["v1"].read_bytes()[:100_000])
    refused(finished("eval", "cut.model", "--data", "text.txt"), "cut.model: not a readable")


def test_a_panic_in_native_code_counts_as_a_failed_sample(here: Path) -> None:
    lines = [base64.b64encode(bytes([byte])) + b" %d" % byte for byte in range(97, 123)]
    (here / "gaps.tiktoken").write_bytes(b"\n".join(lines))  # no rank for a space
    done = called(
        "eval", "gaps.tiktoken?pattern=cl100k_base", "--data", "text.txt", "--format", "json"
    )
    (record,) = json.loads(done.out)["records"]
    ((cause, failure),) = record["failures"].items()
    assert done.code == FAILURES
    assert cause.startswith("encode: PanicException")
    assert failure == {"count": 1, "example": "sample 0"}


def test_the_hub_out_of_reach_is_one_line() -> None:
    refused(
        finished("eval", "hf:tokbench-tests/no-such-thing", "--data", "text.txt"),
        "hf:tokbench-tests/no-such-thing: the hub cannot be reached",
        "give a local folder",
    )


def test_a_hub_dataset_out_of_reach_is_one_line(here: Path) -> None:
    done = finished("eval", "bytes", "--data", "humanevalpack")
    refused(done, "humanevalpack:test: the hub cannot be reached", "TOKBENCH_DATA")
    assert files_in(here) == ["text.txt"]


# Code of the user's own


@pytest.mark.parametrize(
    "code, message",
    [
        ("raise OSError('no licence')", "its module cannot be imported: OSError: no licence"),
        ("def broken(:", "its module cannot be imported: SyntaxError"),
        ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
        ("class Own: pass", "not a tokenizer: it has no name, spec, fingerprint, encode, decode"),
        ("class Own:\n    def __init__(self): 1 / 0", "cannot be made: ZeroDivisionError"),
        ("class Own:\n    def __init__(self, size): pass", "cannot be made: TypeError"),
    ],
)
def test_a_broken_adapter_is_named_as_the_users_own(
    here: Path, request: pytest.FixtureRequest, code: str, message: str
) -> None:
    name = f"own_broken_{abs(hash(request.node.name))}"
    (here / f"{name}.py").write_text(code)
    refused(called("eval", f"{name}:Own", "--data", "text.txt"), f"{name}:Own", message)


def test_a_module_that_is_not_there_is_named_to_its_missing_part() -> None:
    refused(called("eval", "own.package:Class"), "no module 'own' can be imported")
    refused(called("eval", "json.nothing:Class"), "no module 'json.nothing' can be imported")
    refused(called("eval", "json:JSONDecodr"), "did you mean 'JSONDecoder'?")


@pytest.mark.parametrize(
    "body, cause",
    [
        ("raise RuntimeError('all gone')", "encode: RuntimeError: all gone"),
        ("return super().encode(batch[1:])", "encode: ValueError: encode returned 0 sequences"),
        (
            "codes = super().encode(batch); codes.ids.values[:] += 300; return codes",
            "encode: ValueError: ids outside the vocabulary of 256",
        ),
        (
            "codes = super().encode(batch); codes.ids.values[:] -= 300; return codes",
            "encode: ValueError: ids outside the vocabulary of 256",
        ),
    ],
)
def test_a_tokenizer_that_fails_on_everything_leaves_nothing_behind(
    here: Path, request: pytest.FixtureRequest, body: str, cause: str
) -> None:
    name = f"own_failing_{abs(hash(request.node.name))}"
    (here / f"{name}.py").write_text(
        "from tokbench.tokenizers.text.baselines import Bytes\n\n"
        f"class Own(Bytes):\n    def encode(self, batch):\n        {body}\n"
    )
    refused(called("eval", f"{name}:Own", "--data", "text.txt"), "nothing was encoded", cause)
    assert not (here / "runs").exists() or files_in(here / "runs") == []


# Tasks and manifests


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"metrics": ["counts", "gini", "@"]}, "metrics[2]: no key 'nmae'; did you mean 'name'?"),
        ({"titel": "x"}, "no key 'titel'; did you mean 'title'?"),
        ({"metrics": "counts"}, "metrics: expected `array`, got `str`"),
        ({"metrics": []}, "metrics: expected `array` of length >= 1"),
        ({"seed": "one"}, "seed: expected `int`, got `str`"),
        ({"shard_samples": 0}, "shard_samples: expected `int` >= 1"),
        ({"unit": "lines"}, "unit: invalid enum value 'lines'"),
        ({"modality": "txt"}, "modality: invalid enum value 'txt'"),
        ({"metrics": ["counst"]}, "metrics[0]: no metric named 'counst'; did you mean 'counts'?"),
        (
            {"metrics": ["counts", "psnr"]},
            "metrics[1]: 'psnr' is a metric of image, the task is of text (see: ",
        ),
        (
            {"modality": "image", "metrics": ["lossless"]},
            "metrics[0]: 'lossless' is a metric of text, the task is of image",
        ),
        (
            {"modality": "audio", "metrics": ["frame-ssim", "ssim"]},
            "metrics[0]: 'frame-ssim' is a metric of video, the task is of audio",
        ),
        (
            {"modality": "video", "metrics": ["psnr"]},
            "metrics[0]: 'psnr' is a metric of image, the task is of video; did you mean",
        ),
        ({"dataset": "numbrs"}, "did you mean 'numbers'?"),
    ],
)
def test_a_wrong_task_file_is_named_with_the_place(
    here: Path, changes: dict[str, object], message: str
) -> None:
    text = toml(TASK | {"metrics": ["counts"]} | changes)
    (here / "own.toml").write_text(text.replace('"@"', '{ nmae = "strr" }'))
    done = called("eval", "bytes", "--task", "own.toml")
    refused(done, message, *(["own.toml: "] if "dataset" not in changes else []))
    assert files_in(here) == ["own.toml", "text.txt"]


def test_a_metric_option_that_does_not_exist_is_named_with_the_place(here: Path) -> None:
    uses = '\nmetrics = ["counts", { name = "premium", options = { referense = "eng_Latn" } }]\n'
    (here / "own.toml").write_text(toml(TASK) + uses)
    refused(
        called("eval", "bytes", "--task", "own.toml"),
        "metrics[1]: metric 'premium' has no option 'referense'; did you mean 'reference'?",
    )


def test_a_key_that_is_missing_is_named(here: Path) -> None:
    (here / "own.toml").write_text(toml(TASK))
    message = "own.toml: object missing required field `metrics`"
    refused(called("eval", "bytes", "--task", "own.toml"), message)


def test_text_that_is_no_toml_is_named_with_its_line(here: Path) -> None:
    (here / "own.toml").write_text("name = 'own'\nmetrics = [\n")
    refused(called("eval", "bytes", "--task", "own.toml"), "own.toml: not valid TOML")
    (here / "own.toml").write_bytes(b"name = '\xff'\n")
    refused(called("eval", "bytes", "--task", "own.toml"), "own.toml: not valid TOML")


MANIFEST = {
    "name": "own-set",
    "version": "1",
    "modality": "text",
    "title": "own",
    "description": "own",
    "licence": "CC0-1.0",
    "reader": "lines",
    "default_split": "all",
}
SPLIT = '\n[splits.all]\npath = "own/{group}.txt"\n'


@pytest.mark.parametrize(
    "changes, rest, message",
    [
        ({"licens": "MIT"}, SPLIT, "no key 'licens'; did you mean 'licence'?"),
        ({}, SPLIT + "fingerprint = {}\n", "splits[...]: no key 'fingerprint'"),
        ({}, SPLIT + 'limit = "ten"\n', "splits[...].limit: expected `int | null`, got `str`"),
        ({}, SPLIT + '[get]\nurl = "x"\nunpack = "rar"\n', "get.unpack: invalid enum value 'rar'"),
        ({}, SPLIT + '[get]\nulr = "x"\n', "get: no key 'ulr'; did you mean 'url'?"),
        ({"parallel": "yes"}, SPLIT, "parallel: expected `bool`, got `str`"),
        ({"reader": "line"}, SPLIT, "reader: no reader 'line'; did you mean 'lines'?"),
        ({"default_split": "al"}, SPLIT, "default_split: no split 'al'; did you mean 'all'?"),
        ({"name": "../out"}, SPLIT, "name: expected `str` matching regex"),
        (
            {"reader": "jsonl"},
            SPLIT + '[fields]\ntxt = "body"\n',
            "fields: no field 'txt'; did you mean 'text'?",
        ),
        ({}, SPLIT, "own-set:all: no files at own/{group}.txt under TOKBENCH_DATA"),
    ],
)
def test_a_wrong_manifest_is_named_with_the_place(
    here: Path, changes: dict[str, object], rest: str, message: str
) -> None:
    (here / "own-set.toml").write_text(toml(MANIFEST | changes) + rest)
    done = called("eval", "bytes", "--task", "numbers", "--data", "own-set.toml")
    refused(done, message)
    assert files_in(here) == ["own-set.toml", "text.txt"]


def test_content_that_differs_from_the_manifests_hash_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKBENCH_DATA", str(here))
    (here / "own").mkdir()
    (here / "own" / "eng_Latn.txt").write_text("one\n")
    pinned = SPLIT + f'fingerprints = {{ "first" = "{"0" * 64}" }}\n'
    (here / "own-set.toml").write_text(toml(MANIFEST) + pinned)
    command = "eval", "bytes", "--task", "numbers", "--data", "own-set.toml"
    refused(called(*command), "own-set:all: the content differs from the manifest's hash")
    assert not (here / "runs").exists()


# Data


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("d.txt", b"", "the dataset is empty"),
        ("d.txt", b"\n\n\n", "no sample has any text"),
        ("d.txt", b"one\ntw\xff\n", "d.txt: byte 6: 0xff is not valid UTF-8"),
        ("d.txt", "ünï\n".encode("utf-16"), "d.txt: byte 0: 0xff is not valid UTF-8"),
        ("d.jsonl", b"", "the dataset is empty"),
        ("d.jsonl", b'{"text": "a"}\n{"text": ', "d.jsonl: line 2: not JSON"),
        ("d.jsonl", b'{"txet": "a"}\n', "d.jsonl: line 1: no key 'text'; did you mean 'txet'?"),
        ("d.jsonl", b'["text"]\n', "d.jsonl: line 1: no key 'text'"),
        ("d.jsonl", b'{"text": 7}\n', "d.jsonl: line 1: 'text' is int, not text"),
        ("d.jsonl", b'{"text": "a\\ud800"}\n', "line 1: 'text' holds a lone surrogate at 1"),
        ("d.jsonl", b"[" * 100_000, "d.jsonl: line 1: not JSON"),
        ("d.jsonl", b'{"text": "a"}\n\xff\n', "d.jsonl: byte 14: 0xff is not valid UTF-8"),
        ("d.txt.gz", b"plain", "d.txt.gz: cannot be decompressed"),
        ("d.txt.zst", b"plain", "d.txt.zst: cannot be decompressed"),
        ("d.parquet", b"PAR1 no", "d.parquet: not a readable parquet file"),
        ("d.tsv", b"eng_Latn\ttur_Latn\na\n", "line 2: 1 cells where the header has 2"),
        ("d.tsv", b"eng_Latn\teng_Latn\na\tb\n", "line 1: two columns are named 'eng_Latn'"),
        ("d.po", b'msgid "a\nmsgstr', "d.po: not a readable catalogue"),
    ],
)
def test_unreadable_data_is_named_with_file_and_place(
    here: Path, name: str, content: bytes, message: str
) -> None:
    (here / name).write_bytes(content)
    refused(called("eval", "bytes", "--task", "text", "--data", name), message)
    assert files_in(here) == sorted([name, "text.txt"])


def test_a_folder_that_is_no_dataset_says_why(here: Path) -> None:
    folder = here / "folder"
    folder.mkdir()
    refused(called("eval", "bytes", "--data", "folder"), "folder: no files in this folder")
    (folder / "a.txt").write_text("a\n")
    (folder / "a.text").write_text("a\n")
    refused(called("eval", "bytes", "--data", "folder"), "two files are named 'a'")
    (folder / "b.jsonl").write_text('{"text": "b"}\n')
    refused(called("eval", "bytes", "--data", "folder"), "files of several kinds (jsonl, lines)")


def test_a_path_has_no_splits() -> None:
    refused(called("eval", "bytes", "--data", "text.txt", "--split", "dev"), "has no splits")


# What a new user tries


@pytest.mark.parametrize("command", ["eval", "show", "check"])
def test_no_tokenizer_at_all_is_asked_for(command: str) -> None:
    refused(called(command, ""), "'': what tokenizer?")


def test_a_reference_that_nothing_uses_is_not_ignored() -> None:
    done = called("eval", "bytes", "--data", "text.txt", "--reference", "eng_Latn")
    refused(done, "--reference eng_Latn: no metric of text compares with a language")


def test_a_task_file_of_another_name_is_told_how_to_end(here: Path) -> None:
    (here / "own.txt").write_text(toml(TASK))
    done = called("eval", "bytes", "--task", "own.txt")
    refused(done, "own.txt: a task file's name ends in .toml")


def test_a_vocabulary_below_the_least_is_not_advised(here: Path) -> None:
    done = called("eval", "train:bpe?on=text.txt")
    refused(done, "give more text")
    assert "vocab=" not in done.err
    (here / "empty.txt").write_text("")
    refused(called("eval", "train:bpe?on=empty.txt"), "empty.txt:all is empty")


def test_columns_of_a_leaderboard_that_are_empty_or_named_twice() -> None:
    refused(called("leaderboard", "--scores", ""), "no score ''")
    out = called("leaderboard", "numbers", "--scores", "tokens, tokens").out
    assert out.splitlines()[2].split() == ["rank", "tokenizer", "tokens"]
