"""Readers: which samples come out of which file, however the data is cut into shards."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from mocks.evidence import make_task
from pyarrow import parquet

from tokbench.dataset import open_dataset
from tokbench.errors import UserError
from tokbench.plan import Source

Samples = dict[str, list[tuple[int, str]]]


def samples_of(
    path: Path, most: int = 20_000, most_bytes: int = 1 << 20, limit: int | None = None
) -> Samples:
    """Number and text of every sample of each group, read slice by slice."""
    dataset = open_dataset(str(path))
    source = Source(dataset, make_task(["counts"], shard_samples=most, shard_bytes=most_bytes))
    found: Samples = {group: [] for group in dataset.groups}
    for shard in source.plan(limit):
        assert sum(piece.count for piece in shard) <= most
        for piece in shard:
            batch = source.read(piece)
            rows = zip(batch.index.tolist(), batch.texts, strict=True)
            found[dataset.groups[piece.part]] += rows
    return found


def of_one(path: Path, **cut: int) -> list[tuple[int, str]]:
    (samples,) = samples_of(path, **cut).values()
    return samples


def file_of(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content, expected",
    [
        ("one\ntwo\n", [(0, "one"), (1, "two")]),
        ("one\ntwo", [(0, "one"), (1, "two")]),
        ("one\r\ntwo\r\n", [(0, "one"), (1, "two")]),
        ("one\n\n\ntwo\n\n", [(0, "one"), (3, "two")]),
        ("\none\n", [(1, "one")]),
        ("\r\n\r\none\r\n", [(2, "one")]),
        (" \n\t\n", [(0, " "), (1, "\t")]),
        ("\n\n\n", []),
        ("a\u2028b\u2029c\x85d\x0be\x0cf\rg\n", [(0, "a\u2028b\u2029c\x85d\x0be\x0cf\rg")]),
        ("\ufeffone\n\ufefftwo\n", [(0, "one"), (1, "\ufefftwo")]),
        ("𝄞\nİ\n", [(0, "𝄞"), (1, "İ")]),
    ],
)
@pytest.mark.parametrize("cut", [(20_000, 1 << 20), (1, 1 << 20), (2, 1), (20_000, 3)])
def test_lines_end_at_line_feeds_and_empty_ones_keep_their_numbers(
    tmp_path: Path, content: str, expected: list[tuple[int, str]], cut: tuple[int, int]
) -> None:
    path = file_of(tmp_path, "text.txt", content)
    assert of_one(path, most=cut[0], most_bytes=cut[1]) == expected


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".txt.gz"])
@pytest.mark.parametrize("most", [1, 3, 7, 100])
def test_any_cut_gives_the_same_samples(tmp_path: Path, suffix: str, most: int) -> None:
    texts = ["satır " * (number % 5) + str(number) for number in range(20)]
    lines = [json.dumps({"text": text}) for text in texts] if suffix == ".jsonl" else texts
    content = "".join(f"{line}\n" for line in lines).encode()
    path = file_of(tmp_path, f"text{suffix}", gzip.compress(content) if "gz" in suffix else content)
    assert of_one(path, most=most, most_bytes=30) == list(enumerate(texts))


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_a_limit_keeps_the_first_samples_of_every_group(tmp_path: Path, limit: int) -> None:
    for name, count in (("a.txt", 4), ("b.txt", 2)):
        file_of(tmp_path, f"set/{name}", "".join(f"{number}\n" for number in range(count)))
    for most in (1, 3, 100):
        found = samples_of(tmp_path / "set", most=most, limit=limit)
        assert {group: len(rows) for group, rows in found.items()} == {
            "a": min(limit, 4),
            "b": min(limit, 2),
        }


def test_bytes_that_are_no_utf8_are_named_by_their_place_in_the_file(tmp_path: Path) -> None:
    path = file_of(tmp_path, "text.txt", b"a\n" * 5000 + b"b\xe2\x28\n" + b"c\n" * 5000)
    for most in (1, 7, 20_000):
        with pytest.raises(UserError, match=r"text\.txt: byte 10001: 0xe2 is not valid UTF-8"):
            samples_of(path, most=most, most_bytes=64 * most)


def test_json_lines_keep_line_feeds_within_a_sample(tmp_path: Path) -> None:
    texts = ["one\ntwo", "a\u2028b", "\x00", "", "ünïcödé 𝄞", '"quoted"']
    rows = "".join(json.dumps({"id": 1, "text": text}, ensure_ascii=False) + "\n" for text in texts)
    expected = [(number, text) for number, text in enumerate(texts) if text]
    assert of_one(file_of(tmp_path, "rows.jsonl", rows)) == expected
    assert of_one(file_of(tmp_path, "blank.jsonl", rows.replace("\n", "\r\n\n"))) == expected
    assert of_one(file_of(tmp_path, "rows.ndjson", rows.rstrip("\n"))) == expected


def test_compressed_lines_equal_plain_ones(tmp_path: Path) -> None:
    content = "one\r\n\ntwo\u2028three\nfour".encode()
    plain = of_one(file_of(tmp_path, "text.txt", content))
    assert plain == [(0, "one"), (2, "two\u2028three"), (3, "four")]
    assert of_one(file_of(tmp_path, "text.txt.gz", gzip.compress(content))) == plain
    for codec, suffix in (("zstd", ".zst"), ("zstd", ".zstd")):
        path = tmp_path / f"text{suffix}"
        with pyarrow.CompressedOutputStream(str(path), codec) as file:
            file.write(content)
        assert of_one(path) == plain


def test_files_of_several_compressed_pieces_are_read_to_their_end(tmp_path: Path) -> None:
    path = file_of(tmp_path, "text.gz", gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert of_one(path) == [(0, "one"), (1, "two")]
    frames = [pyarrow.Codec("zstd").compress(text, asbytes=True) for text in (b"one\n", b"two\n")]
    assert of_one(file_of(tmp_path, "text.zst", b"".join(frames))) == [(0, "one"), (1, "two")]


@pytest.mark.parametrize("codec, suffix", [("gzip", ".gz"), ("zstd", ".zst")])
def test_a_compressed_file_that_was_cut_short_is_refused(
    tmp_path: Path, codec: str, suffix: str
) -> None:
    path = tmp_path / f"text{suffix}"
    with pyarrow.CompressedOutputStream(str(path), codec) as file:
        file.write("".join(f"line {number}\n" for number in range(20_000)).encode())
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="cannot be decompressed"):
        of_one(path)


def test_a_parquet_column_is_read_whole(tmp_path: Path) -> None:
    texts = ["one", None, "", "two\nlines", "𝄞"]
    path = tmp_path / "rows.parquet"
    parquet.write_table(pyarrow.table({"id": range(5), "text": texts}), path, row_group_size=2)
    for most in (1, 2, 100):
        assert of_one(path, most=most) == [(0, "one"), (3, "two\nlines"), (4, "𝄞")]


def test_a_parquet_file_without_the_column_names_those_it_has(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    parquet.write_table(pyarrow.table({"texts": ["a"], "id": [1]}), path)
    with pytest.raises(UserError, match=r"no column 'text'; did you mean 'texts'\? \(columns:"):
        of_one(path)
    parquet.write_table(pyarrow.table({"text": [1]}), path)
    with pytest.raises(UserError, match="'text' is int, not text"):
        of_one(path)


def test_a_parquet_string_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    buffers = [None, pyarrow.py_buffer(b"\x00\0\0\0\x02\0\0\0"), pyarrow.py_buffer(b"\xff\xfe")]
    column = pyarrow.Array.from_buffers(pyarrow.string(), 1, buffers)
    parquet.write_table(pyarrow.table({"text": column}), path)
    with pytest.raises(UserError, match=r"rows\.parquet: not a readable parquet file"):
        of_one(path)


def test_a_table_is_parallel_text_and_a_gap_keeps_its_number(tmp_path: Path) -> None:
    table = "eng_Latn\ttur_Latn\r\none\tbir\r\n\tiki\r\nthree\t\r\n"
    expected = {"eng_Latn": [(0, "one"), (2, "three")], "tur_Latn": [(0, "bir"), (1, "iki")]}
    path = file_of(tmp_path, "set.tsv", table)
    assert samples_of(path) == samples_of(path, most=1) == expected
    assert open_dataset(str(path)).parallel
    assert samples_of(file_of(tmp_path, "marked.tsv", "\ufeff" + table)) == expected
    assert samples_of(file_of(tmp_path, "set.tsv.gz", gzip.compress(table.encode()))) == expected
    assert not open_dataset(str(file_of(tmp_path, "own.tsv", "a\tb\n1\t2\n"))).parallel


CATALOGUE = """
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\n"

msgid "Open"
msgstr "Aç"

msgid "Close"
msgstr "Kapat"

msgid "Save"
msgstr ""

#, fuzzy
msgid "Quit"
msgstr "Çık"

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d dosya"
"""


def test_catalogues_are_parallel_text_by_their_message(tmp_path: Path) -> None:
    file_of(tmp_path, "set/tur_Latn.po", CATALOGUE)
    file_of(tmp_path, "set/deu_Latn.po", 'msgid "Open"\nmsgstr "Öffnen"\n')
    assert samples_of(tmp_path / "set") == {
        "deu_Latn": [(1, "Öffnen")],
        "eng_Latn": [(0, "Close"), (1, "Open")],
        "tur_Latn": [(0, "Kapat"), (1, "Aç")],
    }
    assert open_dataset(str(tmp_path / "set")).parallel


def test_a_single_catalogue_stands_beside_its_messages(tmp_path: Path) -> None:
    found = samples_of(file_of(tmp_path, "tur_Latn.po", CATALOGUE))
    assert {group: [text for _, text in rows] for group, rows in found.items()} == {
        "eng_Latn": ["Close", "Open"],
        "tur_Latn": ["Kapat", "Aç"],
    }


def test_a_binary_file_is_its_bytes_in_pieces(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40
    path = file_of(tmp_path, "program.bin", content)
    found = of_one(path)
    assert [len(text) for _, text in found] == [4096, 4096, 2048]
    assert "".join(text for _, text in found).encode("latin-1") == content
    assert open_dataset(str(path)).raw_bytes


def test_raw_bytes_are_counted_as_bytes(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    path = file_of(tmp_path, "program.bin", bytes(range(256)))
    record, _ = run("codepoints", path, ["counts"])
    assert {name: record.score(name).value for name in ("bytes", "characters", "tokens")} == {
        "bytes": 256,
        "characters": 256,
        "tokens": 256,
    }


@pytest.mark.parametrize("content", ["one\ntwo\n", "one\r\ntwo\r\n"])
def test_a_joined_text_ends_with_the_empty_line_after_the_last(
    tmp_path: Path, content: str
) -> None:
    """Petrov et al. split a file at line feeds and join by spaces, the last empty one too."""
    dataset = open_dataset(str(file_of(tmp_path, "text.txt", content)))
    source = Source(dataset, make_task(["counts"], unit="joined"))
    (shard,) = source.plan(None)
    assert source.read(shard[0]).texts == ["one two "]


def test_words_of_a_line_are_samples_numbered_by_their_line(tmp_path: Path) -> None:
    dataset = open_dataset(str(file_of(tmp_path, "text.txt", "one, two\n\nthree\n")))
    source = Source(dataset, make_task(["counts"], unit="word"))
    (shard,) = source.plan(None)
    batch = source.read(shard[0])
    assert (batch.texts, batch.index.tolist()) == (["one", "two", "three"], [0, 0, 2])


def test_the_counted_words_of_a_file_depend_on_how_it_is_read(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    """The cache of words must not take one reading of a file for another."""
    rows = '{"text": "one two three"}\n{"text": "four"}\n'
    record, _ = run("bytes", file_of(tmp_path, "rows.jsonl", rows), ["counts"])
    assert record.score("words").value == 4
    record, _ = run("bytes", file_of(tmp_path, "rows.txt", rows), ["counts"])
    assert record.score("words").value == 6


@pytest.mark.parametrize("name", ["text", "audio"])
def test_memory_does_not_grow_with_a_parquet_file(name: str, tmp_path: Path) -> None:
    """Row groups that were read are let go."""
    rng = np.random.default_rng(0)
    path = tmp_path / "0.parquet"

    def some() -> pyarrow.Table:
        if name == "text":
            return pyarrow.table({"text": [rng.bytes(100).hex() for _ in range(5000)]})
        return pyarrow.table({"audio": [{"bytes": rng.bytes(100_000)} for _ in range(10)]})

    with parquet.ParquetWriter(path, some().schema) as file:
        for _ in range(10):
            file.write_table(some())
    before, most = pyarrow.total_allocated_bytes(), 0
    [part] = open_dataset(str(path)).parts
    for _ in part.slices(0, 1, 1 << 20, None):
        most = max(most, pyarrow.total_allocated_bytes() - before)
    assert 1 << 18 < most < 5 << 20 < path.stat().st_size
