"""Folders of many files: their order, their fingerprint, and how little of them is held."""

import json
import tracemalloc
from pathlib import Path

import pytest
from mocks.images import picture

from tokbench.dataset import open_dataset
from tokbench.files import sha256, sha256_file
from tokbench.image.pictures import save_png
from tokbench.listing import PACKED, Files, FilesPart, Listed, walk
from tokbench.media_parts import FileItem

NAMES = (
    "b.png",
    "a/z.png",
    "a.png",
    "a-b/c.png",
    "a/.hidden/x.png",
    "é/ş.png",
    "Z.png",
    "a/10.PNG",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    for number, name in enumerate(NAMES):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(save_png(picture(number)))
    (root / "a" / ".x.png").write_bytes(b"hidden")
    (root / "b.txt").write_text("about b")
    (root / "lost.png").symlink_to(root / "nothing")
    (root / "linked").symlink_to(root / "a", target_is_directory=True)
    return root


def test_files_come_in_the_order_of_their_paths(folder: Path) -> None:
    expected = sorted(path for path in folder.rglob("*") if path.is_file())
    assert [folder / path for path in walk(folder)] == expected
    [part] = open_dataset(str(folder)).parts
    assert isinstance(part, FilesPart) and part.size() == sum(
        path.stat().st_size for path in expected if path.suffix.lower() == ".png"
    ) - len(b"hidden")
    assert [item.load().name for item in part.items] == [
        "Z", "a/.hidden/x", "a/10", "a/z", "a-b/c", "a", "b", "é/ş",
    ]  # fmt: skip


def test_the_fingerprint_is_that_of_names_contents_and_notes(folder: Path) -> None:
    """As records have it that are filed already."""
    said = {"words": [{"text": "çay", "box": [1, 2, 9, 8]}], "a": 1.5}
    (folder / "annotations.jsonl").write_text(json.dumps({"name": "a/z.png"} | said) + "\n")

    def expected() -> str:
        files = [folder / path for path in walk(folder) if path.rpartition("/")[2][0] != "."]
        digests = []
        for path in files:
            if path.suffix.lower() == ".png":
                name = path.relative_to(folder).as_posix().removesuffix(path.suffix)
                notes = '{"a":1.5,"words":[{"box":[1,2,9,8],"text":"çay"}]}'
                digests.append(sha256(name, sha256_file(path), notes if name == "a/z" else "{}"))
        return sha256(*digests)

    assert open_dataset(str(folder)).parts[0].fingerprint() == expected()
    before = expected()
    (folder / "b.png").write_bytes(save_png(picture(99)))  # what is remembered is seen to be old
    assert open_dataset(str(folder)).parts[0].fingerprint() == expected() != before


def test_files_are_found_by_number(tmp_path: Path) -> None:
    listed = [Listed(f"{n}", f"{n}.png", {"n": n}) for n in range(2 * PACKED + 3)]
    files = Files(tmp_path, listed)
    assert len(files) == len(listed)
    for number in (PACKED, 0, 2 * PACKED + 2, -1, PACKED - 1):
        expected = listed[number]
        assert files[number] == FileItem(expected.name, tmp_path / expected.path, expected.notes)
    assert [file.name for file in files[PACKED - 1 : PACKED + 1]] == [str(PACKED - 1), str(PACKED)]
    assert [file.notes["n"] for file in files] == list(range(len(listed)))
    with pytest.raises(IndexError):
        files[len(listed)]


def test_a_file_takes_a_few_bytes(tmp_path: Path) -> None:
    many = 20_000
    made = (
        Listed(f"class{n % 100:03}/{n:08}", f"class{n % 100:03}/{n:08}.png", {})
        for n in range(many)
    )
    tracemalloc.start()
    files = Files(tmp_path, made)
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(files) == many and now / many < 16 and peak < now + (1 << 20)
