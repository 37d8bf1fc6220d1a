"""Perturbed tokens: the neighbourhoods, how many change, and the scores over the grid."""

from pathlib import Path

import numpy as np
import pytest
from mocks.command import called, refused
from mocks.images import picture
from mocks.quantised import Colours, Continuous, Hybrid, Implicit, Lattice, Liar

from tokbench.bench import Job, open_bench
from tokbench.compare import differences
from tokbench.errors import UserError
from tokbench.evidence import Evidence
from tokbench.image.pictures import save_png
from tokbench.leaderboard import question
from tokbench.media import EncodedMedia, MediaBatch
from tokbench.metrics.image.perturbed import codebook_sizes
from tokbench.perturbation import Cell, decoded, nearest, noisy, perturbed, refusal, scaled
from tokbench.runner import evaluate
from tokbench.task import MetricUse, Task
from tokbench.types import Codes, Ragged, Sample, TokenizerSpec


def task(*metrics, **rest):
    return Task("t", "test", "image", "photos-mini", list(metrics), "perturbed-psnr", **rest)


def use(name, **options):
    return MetricUse(name, options)


PROJECTED = {"features": "random-projection", "least": 2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    root.mkdir()
    for n in range(5):
        (root / f"{n}.png").write_bytes(save_png(picture(n, 32 + 4 * (n % 2), 40)))
    return root


def encoded(tokenizer, count=3):
    pictures = [picture(n, 32, 40).astype(np.float32) / 255 for n in range(count)]
    samples = [Sample(str(n), np.zeros((32, 40, 3), np.uint8)) for n in range(count)]
    batch = MediaBatch(samples, np.zeros(count, np.int64), np.arange(count))
    return EncodedMedia(tokenizer, batch, tokenizer.encode(pictures), [], [""])


def scores(record):
    return {s.name: (s.value, s.low, s.high, s.n, s.metric) for s in record.scores}


def test_deltas_scale_as_the_paper_says():
    found = {k: [scaled(d, k, 4096) for d in (200, 280, 360)] for k in (1024, 8192, 16384)}
    assert found == {1024: [50, 70, 90], 8192: [400, 560, 720], 16384: [800, 1120, 1440]}
    assert scaled(200, 77, 0) == 200


def test_nearest_as_by_hand_with_ties_by_id():
    book = np.array([[0.0, 0], [1, 0], [0, 1], [-1, 0], [3, 0], [1, 0]])
    assert nearest(book[:1], book, 4).tolist() == [[0, 1, 2, 3]]
    assert nearest(book[4:5], book, 3).tolist() == [[4, 1, 5]]
    rng = np.random.default_rng(0)
    book, points = rng.normal(size=(200, 5)), rng.normal(size=(30, 5))
    apart = ((points[:, None] - book) ** 2).sum(2)
    assert (nearest(points, book, 20) == np.argsort(apart, 1)[:, :20]).all()


@pytest.mark.parametrize("kind", [Colours, Implicit])
@pytest.mark.parametrize("itself", ["in", "out"])
def test_what_changes(kind, itself):
    """With delta codes drawn from, a token that is drawn itself among them stays."""
    before = encoded(kind())
    cell = Cell(0.5, 200, "exact", "code", itself)
    after = perturbed(before, cell, 4096)
    changed = np.concatenate([a != b for a, b in zip(before.codes.ids, after.ids, strict=True)])
    tokens = before.codes.ids.lengths.sum()
    if itself == "out":
        assert changed.sum() == tokens / 2
    else:
        assert 0.9 < changed.sum() / (tokens / 2 * (1 - 1 / 200)) <= 1.006
    table = Colours().table()
    moved = np.linalg.norm(table[before.codes.ids.values] - table[after.ids.values], axis=1)
    # 200 of a corner's neighbours lie within an eighth of a ball: radius (200 · 8 · 3 / 4π)^⅓.
    assert 0 < moved.max() < 8.5 / 16
    again = perturbed(encoded(kind()), cell, 4096)
    assert (again.ids.values == after.ids.values).all()


def test_explicit_and_implicit_codebooks_agree():
    cell = Cell(0.7, 40, "bernoulli", "code", "in")
    one, other = (perturbed(encoded(kind()), cell, 0) for kind in (Colours, Implicit))
    assert (one.ids.values == other.ids.values).all()


def test_bernoulli_positions_vary_and_exact_ones_do_not():
    before = encoded(Colours(), 40)
    counts = {}
    for positions in ("exact", "bernoulli"):
        after = perturbed(before, Cell(0.6, 100, positions, "code", "out"), 0)
        pairs = zip(before.codes.ids, after.ids, strict=True)
        counts[positions] = np.array([(a != b).sum() for a, b in pairs])
    assert set(counts["exact"]) == {48}  # of 80
    assert 2 < counts["bernoulli"].std() < 7 and abs(counts["bernoulli"].mean() - 48) < 3


@pytest.mark.parametrize("itself", ["in", "out"])
def test_neighbours_of_the_latent(itself):
    """With one nearest code the latent's own is drawn, or the next one. (A mean colour in the
    middle between two codes has two nearest.)"""
    before = encoded(Hybrid())
    after = perturbed(before, Cell(1.0, 1, "exact", "latent", itself), 0)
    same = after.ids.values == before.codes.ids.values
    assert same.mean() == pytest.approx(float(itself == "in"), abs=0.03) and not after.latents


def test_noise_is_of_the_latents_own_size():
    before = encoded(Continuous(), 20)
    after = noisy(before, 0.25)
    ratios = [
        (b - a).std() / a.std() for a, b in zip(before.codes.latents, after.latents, strict=True)
    ]
    assert np.mean(ratios) == pytest.approx(0.25, rel=0.03)


@pytest.mark.parametrize(
    ("vocabulary", "at", "why"),
    [
        ((4096,), 4096, ""),
        ((4, 4096), 4096, "the codebook of 4 is too small: the deltas become 0, 0, 0"),
        ((16,), 4096, "too small: the deltas become 1, 1, 1"),
        ((300,), 0, "delta 200, 280, 360 of 300 codes leaves no neighbourhood"),
    ],
)
def test_deltas_that_mean_nothing(vocabulary, at, why):
    spec = TokenizerSpec(modality="image", vocabulary=vocabulary)
    assert why in refusal(spec, [200, 280, 360], at)
    assert bool(why) == bool(refusal(spec, [200, 280, 360], at))


def test_codebook_sizes():
    sizes = {(4096,): "4096", (1024,) * 8: "1024x8", (16, 32): "16,32"}
    for vocabulary, told in sizes.items():
        assert codebook_sizes(TokenizerSpec(modality="image", vocabulary=vocabulary)) == told


def test_the_grid_is_one_whatever_the_shards(folder, tmp_path):
    short = {"alphas": "0.9,0.5", "deltas": "20,36", "at": 512}
    metrics = [
        use("perturbed-psnr", **short), use("perturbed-frechet-distance", **PROJECTED, **short),
        use("frechet-distance", **PROJECTED), "psnr",
    ]  # fmt: skip

    def record(most):
        job = Job("colours", task(*metrics, shard_samples=most), str(folder))
        return evaluate(job, tmp_path / str(most), tokenizer=Colours(8))[0]

    first, *others = (scores(record(most)) for most in (1, 2, 100))
    assert all(other == first for other in others)
    value = {name: score[0] for name, score in first.items()}
    psnr = [value[f"perturbed-psnr/alpha-{alpha}"] for alpha in ("0", "0.5", "0.9")]
    assert psnr[0] == value["psnr"] and psnr == sorted(psnr, reverse=True)
    cells = [value[f"perturbed-psnr/alpha-{a}-delta-{d}"] for a in (0.5, 0.9) for d in (20, 36)]
    assert value["perturbed-psnr"] == pytest.approx(np.mean(cells)) and cells[0] > cells[1]
    name = "perturbed-frechet-distance-random-projection"
    assert value[f"{name}/alpha-0"] == value["frechet-distance-random-projection"] >= 0
    assert value[name] > value[f"{name}/alpha-0"]
    assert first["perturbed-psnr"][4].endswith("|K:512")
    assert "features:random-projection|" in first[name][4] and "|weights:1|" in first[name][4]
    assert "K:" not in first["psnr"][4]


def test_records_of_other_codebook_sizes_do_not_mix(folder, tmp_path):
    """Another question on a leaderboard, and no difference in a comparison; PSNR has one."""
    asked = task("psnr", use("perturbed-psnr", alphas="0.5", deltas="20,40", at=512))
    found = [
        evaluate(Job("c", asked, str(folder)), tmp_path / str(side), tokenizer=Colours(side))
        for side in (8, 9)
    ]
    assert question(found[0][0]) != question(found[1][0])
    names = ["psnr", "perturbed-psnr", "perturbed-psnr/alpha-0.5"]
    assert [d.score for d in differences(found, asked, False, names)] == ["psnr"]


@pytest.mark.parametrize(
    ("tokenizer", "options", "why"),
    [
        (Lattice(), {}, "does not say which codes are near"),
        (Continuous(), {}, "no discrete codes"),
        (Colours(2), {}, "the codebook of 8 is too small"),
        (Colours(6), {"at": 0}, "216 codes leaves no neighbourhood"),
        (Colours(), {"near": "latent"}, "no continuous latents"),
    ],
)
def test_what_cannot_be_perturbed_says_why(tokenizer, options, why, folder, tmp_path):
    job = Job("t", task(use("perturbed-psnr", **options)), str(folder))
    record, _ = evaluate(job, tmp_path / "runs", tokenizer=tokenizer)
    assert record.score("perturbed-psnr").value is None
    assert why in record.score("perturbed-psnr").note


def test_a_codebook_that_lies_about_its_size(folder, tmp_path):
    job = Job("liar", task("perturbed-psnr"), str(folder))
    with pytest.raises(UserError, match=r"^liar: codebook\(0\) is \(4095, 3\).*4,096 codes"):
        evaluate(job, tmp_path / "runs", tokenizer=Liar())


def test_latent_noise(folder, tmp_path):
    job = Job("c", task("psnr", "latent-noise-psnr"), str(folder))
    record, _ = evaluate(job, tmp_path / "runs", tokenizer=Continuous())
    value = {score.name: score.value for score in record.scores}
    curve = [value[f"latent-noise-psnr/sigma-{s}"] for s in ("0", "0.05", "0.1", "0.2", "0.4")]
    assert curve == sorted(curve, reverse=True) and curve[0] == value["psnr"]
    assert value["latent-noise-psnr"] == pytest.approx(np.mean(curve[1:]))


class Delicate(Colours):
    """Cannot decode two pictures at once, nor a very red one."""

    name = "delicate"

    def decode(self, codes: Codes) -> list[np.ndarray]:
        if len(codes.ids) > 1:
            raise MemoryError("one at a time")
        pictures = super().decode(codes)
        return [p * np.nan if p[..., 0].mean() > 0.8 else p for p in pictures]


def test_too_much_at_once_is_tried_one_by_one(folder):
    bench = open_bench(Job("d", task("psnr"), str(folder)), Delicate())
    [shard] = bench.source.plan(None)
    batch = bench.source.read_media(shard[0])
    from tokbench.bench import Clock

    one = bench.encoded(batch, Clock(), {})
    red = one.codes.ids.values.copy()
    red[one.codes.ids.offsets[2] : one.codes.ids.offsets[3]] = 15 * 256
    causes = {}
    found = decoded(
        one, Codes((Ragged(red, one.codes.ids.offsets),), extra=one.codes.extra), causes
    )
    assert [picture is None for picture in found] == [False, False, True, False, False]
    assert causes == {"perturbed: ValueError: the decoder gave NaN or infinity": 1}
    assert all((found[row] == one.outputs[row]).all() for row in (0, 1, 3, 4))


def test_sums_are_added_in_place_and_come_back_from_bytes(folder):
    metrics = [use("frechet-distance", **PROJECTED),
               use("kernel-distance", features="random-projection", least=32)]  # fmt: skip
    bench = open_bench(Job("c", task(*metrics, shard_samples=2), str(folder)), Colours())
    parts = [bench.evidence(shard) for shard in bench.source.plan(None)]
    whole = Evidence.joined(parts)
    back = Evidence.from_bytes(whole.to_bytes())
    assert len(parts) == 3 and len(whole.sums) == 2
    for name, values in whole.sums.items():
        assert (
            values.dtype == np.int64 and values[-1, -1] == 5 and (back.sums[name] == values).all()
        )
    [(name, kept)] = whole.kept.items()
    assert kept.rows.shape == (5, 128) and (back.kept[name].rows == kept.rows).all()
    assert back.kept[name].most == 4000


@pytest.mark.parametrize(
    ("metric", "parts"),
    [
        ('{ name = "perturbed-psnr", options = { near = "z" } }', ["near: choose code or latent"]),
        ('{ name = "perturbed-psnr", options = { alphas = "2" } }', ["alphas", "(0, 1]"]),
        ('{ name = "frechet-distance", options = { features = "dino" } }', ["no 'dino'"]),
        ('{ name = "kid", options = { most = 7 } }', ["least", "most"]),
    ],
)
def test_wrong_options(metric, parts, tmp_path):
    path = tmp_path / "t.toml"
    path.write_text(
        f'name = "t"\ntitle = ""\nmodality = "image"\ndataset = "photos-mini"\nmain = "psnr"\n'
        f"metrics = [{metric}]\n"
    )
    refused(called("eval", "identity", "--task", path), *parts)
