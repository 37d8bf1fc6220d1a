"""Faces cut out of pictures, with how like themselves they still are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tokbench.errors import UserError
from tokbench.files import slug
from tokbench.metrics.image.faces import FaceSimilarity, cosines
from tokbench.probes.faces import face_probe, faces_of
from tokbench.report.media_section import Block
from tokbench.report.page import Page
from tokbench.report.pictures import lossless
from tokbench.report.shown import Shown

MOST = 12
"""Faces that are shown."""
SIDE = 256
"""Pixels of the longer side of a face's picture, larger ones made smaller."""
AROUND = 0.2
"""Of the box that is shown on each side of it."""
TITLE = "Faces and their similarity"


class Crop(NamedTuple):
    """A face in one picture; similarity: None for the original."""

    url: str
    width: int
    height: int
    similarity: float | None


class Face(NamedTuple):
    """A face of the gallery: the picture's name, the original, then each tokenizer."""

    name: str
    crops: list[Crop]


def seen_faces(page: Page, shown: Shown) -> Block | None:
    """The faces of the shown pictures, least alike first; None where the task sees none."""
    uses = [m for m in shown.subjects[0].tasks[shown.task].made if isinstance(m, FaceSimilarity)]
    names = [subject.name for subject in shown.shown if shown.media[subject.name].outputs]
    if not uses:
        return None
    if not names:
        return Block(TITLE, notes=("No faces: no tokenizer shows pictures here.",))
    probe = face_probe(uses[0].probe)
    if missing := probe.missing():
        return Block(TITLE, notes=(f"No faces: {missing}.",))
    try:
        faces = _faces(page, shown, names, uses[0].probe)
    except UserError as error:
        return Block(TITLE, notes=(f"No faces: {error}.",))
    if not faces:
        return Block(TITLE, notes=("No faces: none is found in the pictures shown.",))
    faces.sort(key=lambda face: min(c.similarity for c in face.crops if c.similarity is not None))
    body = page.fill("image_faces.html", faces=faces[:MOST], names=names, probe=uses[0].probe)
    return Block(TITLE, body)


def _faces(page: Page, shown: Shown, names: list[str], probe: str) -> list[Face]:
    model, pairs = face_probe(probe), [shown.pairs(name) for name in names]
    rows = []
    for place in shown.places:
        if not all(place in each for each in pairs):
            continue
        sample = pairs[0][place].sample
        assert sample.data is not None
        found = faces_of(model, sample)
        if not len(found):
            continue
        like = [
            cosines(found.embeddings, model.embed(each[place].output, found.keypoints))
            for each in pairs
        ]
        for number, box in enumerate(found.boxes):
            key = f"{slug(shown.task)}-{place[0]}-{place[1]}-{number}"
            pictures = [sample.data, *(each[place].output for each in pairs)]
            values = [None, *(float(row[number]) for row in like)]
            crops = [
                _crop(page, f"pictures/face-{key}-{column}", picture, box, value)
                for column, (picture, value) in enumerate(zip(pictures, values, strict=True))
            ]
            rows.append(Face(sample.name, crops))
    return rows


def _crop(page: Page, path: str, picture: np.ndarray, box: np.ndarray, value: float | None) -> Crop:
    from tokbench.image.fitting import resized

    edge = AROUND * (box[2:] - box[:2])
    left, top = np.maximum(np.floor(box[:2] - edge), 0).astype(int)
    right, bottom = np.ceil(box[2:] + edge).astype(int)
    cut = picture[top:bottom, left:right]
    scale = SIDE / max(cut.shape[:2])
    if scale < 1:
        cut = resized(np.ascontiguousarray(cut), *(round(side * scale) for side in cut.shape[:2]))
    form, content = lossless(cut)
    return Crop(page.url(f"{path}.{form}", content), cut.shape[1], cut.shape[0], value)
