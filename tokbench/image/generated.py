"""Images that are there at once: from installed packages, or made from a seed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tokbench.errors import UserError
from tokbench.files import sha256, sha256_file
from tokbench.image.fitting import resized
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
    folder = _packaged_with("photos-mini")
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


def _packaged_with(dataset: str) -> Path:
    try:
        import skimage
    except ImportError as error:
        raise UserError(
            f"{dataset} comes with scikit-image: pip install 'tokbench[image]'"
        ) from error
    return Path(skimage.__file__).parent / "data"


_PORTRAITS = {"astronaut": (220, 121, 91), "hopper": (273, 232, 187)}
"""Centre of the face, x and y, and the side of its box (dlib's), in pixels."""

_FRAMINGS = {"close": 0.45, "half": 0.25, "far": 0.15}
"""Side of the face over that of the picture: one in each of TokBench's buckets at 256."""

_AROUND = 2.2
"""Sides of the cut-out square in sides of the face."""


def faces_mini() -> list[Part]:
    """Two portraits (scikit-image's astronaut, matplotlib's Grace Hopper), each framed three
    ways: a square around the face at its own resolution, laid on scikit-image's cup of coffee so
    that the face takes 45, 25 or 15 % of the picture."""
    import matplotlib

    folder = _packaged_with("faces-mini")
    hopper = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    ground = folder / "coffee.png"
    items = []
    for name, path in (("astronaut", folder / "astronaut.png"), ("hopper", hopper)):
        for framing, share in _FRAMINGS.items():
            load = partial(_framed, f"{name}-{framing}", path, ground, _PORTRAITS[name], share)
            weight = partial(int, 3 * round(_PORTRAITS[name][2] / share) ** 2)
            items.append(Item(load, weight, partial(_framed_digest, framing, path, ground)))
    return [ItemsPart("", "image", items)]


def _framed(
    name: str, path: Path, ground: Path, face: tuple[int, int, int], share: float
) -> Sample:
    x, y, side = face
    reach, canvas = round(_AROUND * side / 2), round(side / share)
    cut = read_picture(path)[y - reach : y + reach, x - reach : x + reach]
    picture = read_picture(ground)
    least = min(picture.shape[:2])
    picture = resized(picture[:least, :least].copy(), canvas, canvas).copy()
    cut = cut[:canvas, :canvas]
    top = (canvas - len(cut)) // 2
    picture[top : top + cut.shape[0], top : top + cut.shape[1]] = cut
    return Sample(name, picture)


def _framed_digest(framing: str, path: Path, ground: Path) -> str:
    recipe = f"1 {_PORTRAITS} {framing} {_FRAMINGS[framing]} {_AROUND}"
    return sha256(recipe, sha256_file(path), sha256_file(ground))


def _packaged(name: str, path: Path) -> Item:
    def weight() -> int:
        height, width = picture_size(path)
        return 3 * height * width

    return Item(partial(_read, name, path), weight, partial(sha256_file, path))


def _read(name: str, path: Path) -> Sample:
    return Sample(name, read_picture(path))
