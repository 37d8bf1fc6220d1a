"""TokBench's own folder of pictures with words and faces, as its authors publish it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokbench.errors import UserError, one_line
from tokbench.image.pictures import pillow_needed
from tokbench.image.readers import item
from tokbench.listing import Files, FilesPart, Listed
from tokbench.parts import Part
from tokbench.readers import Found


def tokbench_text(found: Found, fields: dict[str, str]) -> list[Part]:
    """The folder that TokBench publishes: each `annotations/text_SET.json` is a group, its pictures
    in `images/text_data/SET`. It lists pictures with `file_name` and `annotations`, of which
    `rec` becomes the `text` of our `words`, `bbox` (corners, pixels of the original) the `box`,
    and `ratio` stays. Only annotated pictures are samples. (Keys as TokBench's scripts read
    them.)"""
    pillow_needed()
    parts: list[Part] = []
    for _, root in found:
        for path in sorted((root / "annotations").glob("text_*.json")):
            group = path.stem.removeprefix("text_")
            folder = root / "images" / "text_data" / group
            files = _files(path, folder, "file_name", _words)
            parts.append(FilesPart(group, "image", Files(folder, files), item))
        if not parts:
            raise UserError(f"{root}: not TokBench's folder: no annotations/text_*.json")
    return parts


def tokbench_faces(found: Found, fields: dict[str, str]) -> list[Part]:
    """The folder that TokBench publishes: `annotations/face_meta.json`, pictures (WFLW) in
    `images/face_data/wflw`. It lists pictures with `image_name` and `faces`, of which `kps` (five
    points) become our `keypoints`, and `box` and `ratio` stay. (Keys as TokBench's scripts read
    them.)"""
    pillow_needed()
    parts: list[Part] = []
    for group, root in found:
        path = root / "annotations" / "face_meta.json"
        if not path.is_file():
            raise UserError(f"{root}: not TokBench's folder: no annotations/face_meta.json")
        folder = root / "images" / "face_data" / "wflw"
        files = _files(path, folder, "image_name", _faces)
        parts.append(FilesPart(group, "image", Files(folder, files), item))
    return parts


def _files(
    path: Path, folder: Path, name: str, notes: Callable[[dict[str, Any]], dict[str, Any]]
) -> list[Listed]:
    try:
        noted = json.loads(path.read_bytes())
        files = [
            Listed(Path(one[name]).with_suffix("").as_posix(), one[name], notes(one))
            for one in noted
        ]
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or one_line(error)}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: not TokBench's annotations ({name}, {_KEYS[name]}): "
            f"{type(error).__name__}: {one_line(error)}"
        ) from error
    missing = [Path(file.path).name for file in files if not (folder / file.path).is_file()]
    if missing:
        raise UserError(
            f"{folder}: {len(missing)} of {len(files)} annotated pictures are not there: "
            f"{', '.join(missing[:5])}{' …' * (len(missing) > 5)}"
        )
    return files


_KEYS = {
    "file_name": "annotations with rec, bbox, ratio", "image_name": "faces with kps, box, ratio",
}  # fmt: skip


def _words(noted: dict[str, Any]) -> dict[str, Any]:
    words = [
        {"text": word["rec"], "box": word["bbox"], "ratio": word.get("ratio")}
        for word in noted["annotations"]
    ]
    return {"words": words}


def _faces(noted: dict[str, Any]) -> dict[str, Any]:
    return {
        "faces": [
            {"keypoints": face["kps"], "box": face["box"], "ratio": float(face["ratio"])}
            for face in noted["faces"]
        ]
    }
