"""TokBench's own folder of pictures with words, as its authors publish it."""

from __future__ import annotations

import json
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
            parts.append(FilesPart(group, "image", Files(folder, _files(path, folder)), item))
        if not parts:
            raise UserError(f"{root}: not TokBench's folder: no annotations/text_*.json")
    return parts


def _files(path: Path, folder: Path) -> list[Listed]:
    try:
        noted = json.loads(path.read_bytes())
        files = [
            Listed(Path(one["file_name"]).stem, one["file_name"], {"words": _words(one)})
            for one in noted
        ]
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or one_line(error)}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: not TokBench's annotations (file_name, annotations with rec, bbox, ratio): "
            f"{type(error).__name__}: {one_line(error)}"
        ) from error
    missing = [file.path for file in files if not (folder / file.path).is_file()]
    if missing:
        raise UserError(
            f"{folder}: {len(missing)} of {len(files)} annotated pictures are not there: "
            f"{', '.join(missing[:5])}{' …' * (len(missing) > 5)}"
        )
    return files


def _words(noted: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"text": word["rec"], "box": word["bbox"], "ratio": word.get("ratio")}
        for word in noted["annotations"]
    ]
