"""Codes that the tasks of one call share: each text is encoded once, whatever is asked of it.

They lie in a folder of this call alone, one file for each slice of the data, with the seconds that
the encoder took, so that every record states the encoder's speed and none its reading back.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from tokbench.files import cache_dir, cache_write, sha256
from tokbench.types import Codes, Ragged


@contextmanager
def codes_folder() -> Iterator[Path]:
    """A folder of this call alone in the cache, gone after it. Those that killed calls have left
    go first: nobody holds their lock."""
    from filelock import FileLock, Timeout

    place = cache_dir() / "codes"
    for left in place.glob("*.lock"):
        with suppress(OSError, Timeout), FileLock(left, timeout=0):
            shutil.rmtree(left.with_suffix(""), ignore_errors=True)
            left.unlink()
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{tempfile.mkdtemp(dir=place)}.lock")
        lock.acquire()
    except OSError:
        yield place / "none"  # a cache that cannot be written costs time only
        return
    folder = Path(lock.lock_file).with_suffix("")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


class SharedCodes:
    """Codes of one tokenizer, by the content of the slices. Workers on the same machine share
    the folder; one that cannot read or write there encodes for itself."""

    def __init__(self, folder: Path, fingerprint: str):
        self.folder, self.fingerprint = folder, fingerprint

    def _path(self, content: str) -> Path:
        return self.folder / f"{sha256('codes', self.fingerprint, content)}.npz"

    def get(self, content: str) -> tuple[Codes, float] | None:
        """Codes and the seconds they took, or None where no task has encoded this yet."""
        try:
            with np.load(self._path(content), allow_pickle=False) as arrays:
                ids = Ragged(arrays["values"], arrays["offsets"])
                spans = arrays.get("spans")
                return Codes((ids,), spans=spans), float(arrays["seconds"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def put(self, content: str, codes: Codes, seconds: float) -> None:
        """Keep codes for the tasks that follow."""
        arrays = {
            "values": codes.ids.values, "offsets": codes.ids.offsets,
            "seconds": np.array(seconds),
        }  # fmt: skip
        if codes.spans is not None:
            arrays["spans"] = codes.spans
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **arrays)
        cache_write(self._path(content), file.getvalue())
