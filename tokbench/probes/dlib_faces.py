"""dlib's face detector, landmarks and 128-d descriptors; the weights come in a wheel."""

from __future__ import annotations

import importlib.util
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import MissingExtra
from tokbench.files import sha256, sha256_file
from tokbench.probes.faces import boxes_of

THRESHOLD = 0.25
"""Least score of a detection: at dlib's own 0 it takes patches of cloth for faces."""

_LANDMARKS = "shape_predictor_5_face_landmarks.dat"
_DESCRIPTOR = "dlib_face_recognition_resnet_model_v1.dat"
_SIDE, _PADDING = 150, 0.25
"""Of the aligned face that the descriptor was trained on."""


class DlibFaces:
    """dlib's HOG detector, five landmarks (eye corners and nose) and ResNet descriptor, with the
    models of `face_recognition_models`. The descriptors were trained for distances: under 0.6 two
    are one person's (99.38 % on LFW, dlib's documentation); cosines of different people are high
    (0.8 to 0.9), so a small loss of cosine is a large one of identity."""

    name = "dlib"
    same = 0.6

    def missing(self) -> str:
        for module, package in (("dlib", "dlib-bin"), ("face_recognition_models",) * 2):
            if importlib.util.find_spec(module) is None:
                return str(MissingExtra(package, "faces"))
        return ""

    @cached_property
    def _folder(self) -> Path:
        # The package itself cannot be imported where setuptools is new: it wants pkg_resources.
        found = importlib.util.find_spec("face_recognition_models")
        if found is None or found.origin is None:
            raise MissingExtra("face_recognition_models", "faces")
        return Path(found.origin).parent / "models"

    @cached_property
    def _digest(self) -> str:
        import dlib

        weights = [sha256_file(self._folder / name) for name in (_LANDMARKS, _DESCRIPTOR)]
        return sha256("dlib", dlib.__version__, str(THRESHOLD), *weights)

    def fingerprint(self) -> str:
        return self._digest

    @cached_property
    def _models(self) -> tuple[Any, Any, Any]:
        import dlib

        return (
            dlib.get_frontal_face_detector(),
            dlib.shape_predictor(str(self._folder / _LANDMARKS)),
            dlib.face_recognition_model_v1(str(self._folder / _DESCRIPTOR)),
        )

    def detect(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """From faces of 40 pixels: the picture is doubled once before its 80-pixel window."""
        boxes, _, _ = self._models[0].run(np.ascontiguousarray(picture), 1, THRESHOLD)
        sides = [[b.left(), b.top(), b.right() + 1, b.bottom() + 1] for b in boxes]
        return self._landmarks(picture, np.array(sides, np.float64).reshape(-1, 4))

    def annotated(
        self, picture: np.ndarray, notes: list[dict[str, Any]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The landmarks are dlib's own, found within the annotated box."""
        return self._landmarks(picture, boxes_of(notes))

    def _landmarks(self, picture: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        import dlib

        found = []
        for x0, y0, x1, y1 in np.rint(boxes).astype(int).tolist():
            shape = self._models[1](
                np.ascontiguousarray(picture), dlib.rectangle(x0, y0, x1 - 1, y1 - 1)
            )
            found.append([(point.x, point.y) for point in shape.parts()])
        return boxes, np.array(found, np.int64).reshape(-1, 5, 2)

    def embed(self, picture: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """128-d, of faces aligned by eye corners and nose."""
        import dlib

        whole = dlib.rectangle(0, 0, picture.shape[1] - 1, picture.shape[0] - 1)
        picture, chips = np.ascontiguousarray(picture), []
        for points in keypoints.tolist():
            shape = dlib.full_object_detection(
                whole, [dlib.point(int(x), int(y)) for x, y in points]
            )
            chips.append(dlib.get_face_chip(picture, shape, _SIDE, _PADDING))
        described = [self._models[2].compute_face_descriptor(chip) for chip in chips]
        return np.array(described, np.float64).reshape(-1, 128)
