"""Images that are there at once: from installed packages, or made from a seed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tokbench.errors import UserError
from tokbench.files import sha256_file
from tokbench.image.pictures import picture_size, read_picture
from tokbench.media_parts import Item, ItemsPart
from tokbench.parts import Part
from tokbench.types import Sample

_PHOTOGRAPHS = (
    "astronaut", "chelsea", "coffee", "rocket", "motorcycle_left", "hubble_deep_field",
    "ihc", "retina",
)  # fmt: skip
"""Colour photographs among those that scikit-image may carry; the wheel's own are used."""


def photos_mini() -> list[Part]:
    """The colour photographs that scikit-image carries in its wheel, each a sample."""
    try:
        import skimage
    except ImportError as error:
        raise UserError(
            "photos-mini comes with scikit-image: pip install 'tokbench[image]'"
        ) from error
    folder = Path(skimage.__file__).parent / "data"
    found = {
        path.stem: path for path in sorted(folder.iterdir()) if path.suffix in (".png", ".jpg")
    }
    items = []
    for name in _PHOTOGRAPHS:
        if name in found:
            items.append(_packaged(name, found[name]))
    if not items:
        raise UserError("photos-mini: this scikit-image carries no photographs")
    return [ItemsPart("", "image", items)]


def _packaged(name: str, path: Path) -> Item:
    def weight() -> int:
        height, width = picture_size(path)
        return 3 * height * width

    return Item(partial(_read, name, path), weight, partial(sha256_file, path))


def _read(name: str, path: Path) -> Sample:
    return Sample(name, read_picture(path))
