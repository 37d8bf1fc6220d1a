"""ArcFace through insightface: TokBench's own face probe. Its weights are fetched."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import MissingExtra, UserError, one_line
from tokbench.files import sha256, sha256_file
from tokbench.probes.weights import may_fetch

PACK = "antelopev2"
"""insightface's model pack that TokBench uses: glintr100 (ResNet-100 ArcFace), SCRFD-10G."""

_RECOGNITION, _DETECTION = "glintr100.onnx", "scrfd_10g_bnkps.onnx"
_SIDE = 640
"""Of the square that the detector sees; insightface's own default."""


class ArcFace:
    """insightface's `antelopev2`: SCRFD finds faces with five keypoints (eyes, nose, corners of the
    mouth), and the recognition model embeds them, aligned to 112 × 112. The weights are for
    non-commercial research (insightface's terms)."""

    name = "insightface"
    same = None

    def missing(self) -> str:
        for module, package in (("insightface", "insightface"), ("onnxruntime", "onnxruntime")):
            if importlib.util.find_spec(module) is None:
                return str(MissingExtra(package, "insightface"))
        try:
            self._weights  # noqa: B018  fetched now rather than in the middle of a run
        except UserError as error:
            return str(error)
        return ""

    @cached_property
    def _weights(self) -> tuple[Path, Path]:
        folder = Path.home() / ".insightface" / "models" / PACK
        why = ""
        if not list(folder.rglob(_RECOGNITION)):
            may_fetch(f"insightface's {PACK}")
            from insightface.utils import storage

            try:
                with contextlib.redirect_stdout(sys.stderr):
                    storage.download("models", PACK, force=True)
            except Exception as error:  # the library raises many kinds
                why = f" ({type(error).__name__}: {one_line(error)[:80]})"
        found = [sorted(folder.rglob(name)) for name in (_RECOGNITION, _DETECTION)]
        if not all(found):
            raise UserError(
                f"insightface's weights cannot be fetched{why}; unpack {PACK}.zip from "
                f"github.com/deepinsight/insightface/releases into {folder}, or use probe = dlib"
            )
        return found[0][0], found[1][0]

    @cached_property
    def _digest(self) -> str:
        import insightface

        weights = [sha256_file(path) for path in self._weights]
        return sha256("insightface", insightface.__version__, str(_SIDE), *weights)

    def fingerprint(self) -> str:
        return self._digest

    @cached_property
    def _recognition(self) -> Any:
        from insightface.model_zoo import model_zoo

        return model_zoo.get_model(str(self._weights[0]))

    @cached_property
    def _detection(self) -> Any:
        from insightface.model_zoo import model_zoo

        model = model_zoo.get_model(str(self._weights[1]))
        model.prepare(ctx_id=-1, input_size=(_SIDE, _SIDE))
        return model

    def detect(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        boxes, keypoints = self._detection.detect(_bgr(picture))
        return boxes[:, :4].astype(np.float64), keypoints.astype(np.float64).reshape(-1, 5, 2)

    def annotated(
        self, picture: np.ndarray, notes: list[dict[str, Any]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The annotated keypoints themselves: both eyes, nose, both corners of the mouth."""
        from tokbench.probes.faces import boxes_of

        points = [note.get("keypoints", ()) for note in notes]
        if any(np.shape(five) != (5, 2) for five in points):
            raise ValueError("an annotated face has no five keypoints, which ArcFace is aligned by")
        return boxes_of(notes), np.array(points, np.float64).reshape(-1, 5, 2)

    def embed(self, picture: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """512-d, of faces aligned by a similarity transform of the five keypoints."""
        from insightface.utils import face_align

        if not len(keypoints):
            return np.empty((0, 512))
        reversed_, side = _bgr(picture), self._recognition.input_size[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of scikit-image, about its estimate()
            crops = [face_align.norm_crop(reversed_, five, side) for five in keypoints]
        return self._recognition.get_feat(crops).astype(np.float64)


def _bgr(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture[:, :, ::-1])
