"""Quantisers learnt on the spot: k-means, residual, product, FSQ, of patches and of latents."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mocks.images import picture
from mocks.networks import taesd_folder

from tokbench.errors import UserError
from tokbench.files import cache_dir
from tokbench.image.fitting import fit, restored
from tokbench.image.pictures import save_png
from tokbench.specs import load_tokenizer, resolve
from tokbench.tokenizers.quantisers import Product, Residual, Scalar, TooFew, centroids
from tokbench.types import Codes


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six small pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    for n in range(6):
        (folder / f"{n}.png").write_bytes(save_png(picture(n, 48, 64)))
    return folder


def through(tokenizer, *arrays):
    """Pictures through a tokenizer and back, with the codes."""
    fitted = [fit(array, tokenizer.spec) for array in arrays]
    codes = Codes.from_bytes(tokenizer.encode([f.pixels for f in fitted]).to_bytes())
    back = tokenizer.decode(codes)
    outputs = [restored(a, f, tokenizer.spec) for a, f in zip(back, fitted, strict=True)]
    return codes, outputs


def error(tokenizer, array):
    [output] = through(tokenizer, array)[1]
    return ((output.astype(float) - array) ** 2).mean()


def test_centroids_of_separate_clouds_are_their_means():
    rng = np.random.default_rng(3)
    middles = np.array([[0, 0], [9000, 0], [0, 9000]])
    clouds = [middle + rng.integers(-40, 41, (50, 2)) for middle in middles]
    found = centroids(np.concatenate(clouds).astype(float), 3)
    expected = sorted(np.rint(cloud.mean(0)).tolist() for cloud in clouds)
    assert sorted(found.tolist()) == expected
    with pytest.raises(TooFew, match="2 distinct"):
        centroids(np.array([[0.0], [1], [1]]), 3)


def test_each_code_is_the_nearest_and_residual_levels_add_up():
    vectors = np.random.default_rng(5).integers(0, 16000, (300, 12)).astype(float)
    residual = Residual.learnt(vectors, 16, 3)
    ids = residual.encode(vectors)
    left = vectors
    for book, row in zip(residual.books, ids, strict=True):
        assert (((left[:, None] - book) ** 2).sum(2).argmin(1) == row).all()
        left = left - book[row]
    assert (residual.decode(ids) == vectors - left).all()
    first = Residual(residual.books, 1)
    assert (first.decode(ids[:1]) == residual.books[0][ids[0]]).all() and first.sizes == (16,)


def test_product_codes_of_each_part_are_alone():
    vectors = np.random.default_rng(5).integers(0, 16000, (300, 12)).astype(float)
    product = Product.learnt(vectors, 8, 3)
    ids = product.encode(vectors)
    assert (product.decode(ids)[:, 4:8] == product.books[1][ids[1]]).all()
    assert (ids[1] == Residual(product.books[1:2]).encode(vectors[:, 4:8])[0]).all()


def test_fsq_ids_count_through_the_grid_of_components():
    rng = np.random.default_rng(5)
    vectors = np.rint(rng.normal(0, 1, (900, 3)) * [9000, 3000, 40]) + 500
    scalar = Scalar.learnt(vectors, (5, 4))
    [ids] = scalar.encode(vectors)
    assert scalar.sizes == (20,) and ids.min() >= 0 and ids.max() < 20
    axes, step = scalar.basis / 4096, scalar.step / 4096
    assert np.allclose(axes.T @ axes, np.eye(2), atol=1e-3)
    assert abs(axes[0, 0]) > 0.99 and abs(axes[1, 1]) > 0.99  # by falling variance
    parts = (vectors - scalar.mean) @ axes
    low, high = np.quantile(parts, (0.01, 0.99), axis=0)
    inner = ((low < parts) & (parts < high)).all(1)
    back = (scalar.decode([ids]) - scalar.mean) @ axes
    assert (np.abs(back - parts)[inner] <= 1.01 * step / 2).all()
    book = scalar.codebook(0)
    assert np.allclose(book[7] - book[6], [0, step[1]]) and np.allclose(
        book[9] - book[5], [step[0], 0]
    )


@pytest.mark.parametrize(
    ("spec", "vocabulary", "tokens"),
    [
        ("vq:8x32", (32,), 48),
        ("rvq:8x16x3", (16,) * 3, 48),
        ("pq:8x16x2", (16,) * 2, 48),
        ("fsq:8x5x4", (160,), 48),
    ],
)
def test_patches_through_and_back(pictures, spec, vocabulary, tokens):
    tokenizer = load_tokenizer(f"{spec}?on={pictures}")
    odd = picture(1, 17, 33)
    codes, outputs = through(tokenizer, picture(0, 48, 64), odd)
    assert tokenizer.spec.vocabulary == vocabulary and outputs[1].shape == odd.shape
    assert [level.lengths.tolist() for level in codes.levels] == [[tokens, 15]] * len(vocabulary)
    flat = np.full((48, 64, 3), picture(0, 48, 64).mean((0, 1)).astype(np.uint8))
    assert error(tokenizer, picture(0, 48, 64)) < ((flat - 1.0 * picture(0, 48, 64)) ** 2).mean()
    for level, size in enumerate(vocabulary):
        assert len(tokenizer.codebook(level)) == size


def test_a_code_of_vq_is_its_patch(pictures):
    tokenizer = load_tokenizer(f"vq:8x32?on={pictures}")
    codes, [output] = through(tokenizer, picture(2, 48, 64))
    tile = tokenizer.codebook(0)[codes.ids[0][8 + 3]].reshape(8, 8, 3)
    assert (output[8:16, 24:32] == np.floor(tile + 0.5)).all()


def test_fewer_tokens_are_a_prefix_of_the_levels(pictures):
    array = picture(3, 48, 64)
    tokenizers = [load_tokenizer(f"rvq:8x16x3?tokens={n}&on={pictures}") for n in (1, 2, 3)]
    assert len({t.fingerprint() for t in tokenizers}) == 3
    levels = [through(t, array)[0].levels for t in tokenizers]
    assert [len(several) for several in levels] == [1, 2, 3]
    assert (levels[0][0].values == levels[2][0].values).all()
    errors = [error(t, array) for t in tokenizers]
    assert errors[0] > errors[1] > errors[2]
    with pytest.raises(UserError, match="tokens=4: give a whole number from 1 to 3"):
        load_tokenizer(f"rvq:8x16x3?tokens=4&on={pictures}")


def test_neighbours_in_the_grid(pictures):
    tokenizer = load_tokenizer(f"fsq:8x5x4?on={pictures}")
    near, book = tokenizer.neighbors(np.array([0, 77]), 9), tokenizer.codebook(0)
    for row, code in zip(near, (0, 77), strict=True):
        distances = ((book - book[code]) ** 2).sum(1)
        assert code not in row and len(set(row.tolist())) == 9
        assert np.allclose(distances[row], np.sort(distances)[1:10])
    with pytest.raises(ValueError, match="160 neighbours"):
        tokenizer.neighbors(np.array([0]), 160)


def test_the_same_codebook_in_any_process_and_with_any_threads(pictures, tmp_path):
    spec = f"rvq:8x16x2?on={pictures}"
    mine = load_tokenizer(spec).fingerprint()
    program = "import sys; from tokbench.specs import load_tokenizer as load; "
    program += "print(load(sys.argv[1]).fingerprint())"
    own = os.environ | {"TOKBENCH_CACHE": str(tmp_path / "own"), "OPENBLAS_NUM_THREADS": "4"}
    done = subprocess.run(
        [sys.executable, "-c", program, spec], env=own, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == mine


def test_what_was_learnt_is_cached_by_content(pictures, monkeypatch):
    spec = f"vq:8x24?on={pictures}"
    first = load_tokenizer(spec)
    monkeypatch.setattr("tokbench.tokenizers.quantisers.centroids", None)
    assert load_tokenizer(spec).fingerprint() == first.fingerprint()
    assert (cache_dir() / "trained").is_dir()


def test_latents_of_another_tokenizer(pictures, tmp_path):
    pytest.importorskip("torch", reason="neural tokenizers need torch")
    inner = f"taesd:{taesd_folder(tmp_path / 'tiny', latents=4)}"
    array = picture(1, 24, 32)
    plain = load_tokenizer(inner)
    [latent] = through(plain, array)[0].latents
    discrete = load_tokenizer(f"kmeans({inner},K=32)?on={pictures}")
    codes, [output] = through(discrete, array)
    assert discrete.name == f"kmeans(tiny,K=32,on={pictures})"
    assert discrete.spec.vocabulary == (32,) and discrete.spec.value_range == (0, 1)
    book = discrete.codebook(0)
    distances = ((latent.reshape(4, -1).T[:, None] - book) ** 2).sum(2)
    assert (distances.argmin(1) == codes.ids[0]).mean() > 0.99  # but for rounded latents
    own = plain.decode(Codes(latents=(book[codes.ids[0]].T.reshape(4, 3, 4),)))
    assert (restored(own[0], fit(array, plain.spec), plain.spec) == output).all()
    lattice = load_tokenizer(f"fsq({inner},levels=8x8x5,on={pictures})")
    assert lattice.spec.vocabulary == (320,) and lattice.codebook(0).shape == (320, 3)
    levels = load_tokenizer(f"rvq({inner},K=8,levels=3,tokens=2)?on={pictures}")
    assert levels.spec.vocabulary == (8, 8)
    with pytest.raises(UserError, match="is a discrete tokenizer of image; give a continuous"):
        load_tokenizer(f"kmeans(vq:8x32?on={pictures})")
    with pytest.raises(UserError, match="5 levels for vectors of 4"):
        load_tokenizer(f"fsq({inner},levels=2x2x2x2x2,on={pictures})")


def test_specs_around_specs(tmp_path):
    found = resolve("kmeans(jpeg:5?quality=9,K=3,on=a,b)?limit=2")
    assert found.reference == "jpeg:5?quality=9,K=3,on=a,b"  # 'b' is no option: it is the spec's
    found = resolve("kmeans(jpeg:5,K=3)?limit=2")
    assert (found.reference, found.given) == ("jpeg:5", {"K": "3", "limit": "2"})
    assert resolve("fsq(kmeans(jpeg:5,K=3),levels=2)").reference == "kmeans(jpeg:5,K=3)"
    odd = tmp_path / "my(1)"
    odd.mkdir()
    (odd / "merges.txt").write_text("")
    assert resolve(str(odd)).family == "gpt2-bpe"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("vq:16", "write vq:SIDExCODES, such as vq:16x1024"),
        ("rvq:16x1024", "such as rvq:16x1024x4"),
        ("vq:0x16", "give a side from 1 to 256, not 0"),
        ("pq:8x16x3", "3 parts do not divide 8 rows"),
        ("fsq:8x1", "write levels of 2 or more"),
        ("fsq:64x64x64x64x64", "1,073,741,824 codes; 16,777,216 at most"),
        ("vq:8x16?onn=x", "did you mean 'on'"),
        ("vq:8x16?on=numbers", "text data; give images"),
        ("vq:64x4096", "distinct vectors for 4,096 codes; give more images"),
        ("kmean(vq:8x16)", "did you mean 'kmeans'"),
        ("kmeans()", "of what"),
        ("kmeans", "is made of another tokenizer; write kmeans(SPEC)"),
        ("kmeans(nosuch:3)", "no tokenizer named 'nosuch'"),
    ],
)
def test_refused(spec, message):
    with pytest.raises(UserError) as caught:
        load_tokenizer(spec)
    assert message in str(caught.value)
