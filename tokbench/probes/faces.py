"""Face probes: what they share, and which there are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import msgspec
import numpy as np

from tokbench.errors import UserError, one_line
from tokbench.files import sha256
from tokbench.probes.kept import kept
from tokbench.registry import locate
from tokbench.types import Sample

PROBES = {
    "dlib": "tokbench.probes.dlib_faces:DlibFaces",
    "insightface": "tokbench.probes.arcface:ArcFace",
}
"""Face probes by name."""


@dataclass(frozen=True, slots=True)
class Faces:
    """The faces of one original.

    boxes: (n, 4), x0, y0, x1, y1 in pixels. keypoints: (n, 5, 2), x and y of the five points
    that the probe aligns by. embeddings: (n, d) of the original.
    """

    boxes: np.ndarray
    keypoints: np.ndarray
    embeddings: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)


class FaceProbe(Protocol):
    """Finds faces in an original and describes those of original and reconstruction.

    same: Euclidean distance under which two embeddings are one person's, where its authors say.
    """

    name: str
    same: float | None

    def missing(self) -> str:
        """Why it cannot run here, in one line, or an empty string."""

    def fingerprint(self) -> str:
        """Hex digest of its weights and of the versions of what runs it."""

    def detect(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes and keypoints of the faces of a picture."""

    def annotated(
        self, picture: np.ndarray, notes: list[dict[str, Any]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Boxes and keypoints of the faces that the dataset says are there."""

    def embed(self, picture: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """Embeddings (n, d) of the faces at these keypoints."""


@cache
def face_probe(name: str) -> FaceProbe:
    """The probe of that name, one for the process."""
    return locate(PROBES[name])()


def faces_of(probe: FaceProbe, sample: Sample) -> Faces:
    """The faces of an original: those annotated (`faces` in its notes), else those detected.
    Kept by content, so that the next tokenizer finds them ready."""
    picture, notes = sample.data, sample.notes.get("faces")
    assert picture is not None
    said = msgspec.json.encode(notes, order="sorted")
    content = sha256(str(picture.shape), np.ascontiguousarray(picture).tobytes(), said)

    def look() -> dict[str, np.ndarray]:
        try:
            boxes, keypoints = (
                probe.detect(picture) if notes is None else probe.annotated(picture, notes)
            )
        except (ValueError, TypeError, AttributeError) as error:
            if notes is None:
                raise
            raise UserError(f"{sample.name}: annotated faces: {one_line(error)}") from error
        embeddings = probe.embed(picture, keypoints)
        return {"boxes": boxes, "keypoints": keypoints, "embeddings": embeddings}

    return Faces(**kept(probe, content, look))


def boxes_of(notes: list[dict[str, Any]]) -> np.ndarray:
    """The annotated boxes (n, 4); around the keypoints, twice as wide as they are, where a face
    has keypoints alone. Raises `ValueError` for a face with neither."""
    boxes = []
    for note in notes:
        if "box" in note:
            boxes.append(np.asarray(note["box"], np.float64).reshape(4))
        elif "keypoints" in note:
            points = np.asarray(note["keypoints"], np.float64).reshape(-1, 2)
            middle, reach = points.mean(0), np.ptp(points, axis=0).max()
            boxes.append(np.concatenate([middle - reach, middle + reach]))
        else:
            raise ValueError("an annotated face has neither 'box' nor 'keypoints'")
    return np.array(boxes).reshape(-1, 4)
