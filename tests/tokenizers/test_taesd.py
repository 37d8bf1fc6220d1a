"""Plain state dicts of the TAESD family: a published figure, the layout, and what is refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from mocks.images import picture
from mocks.networks import taesd_folder, taesd_states

from tokbench.bench import Job
from tokbench.errors import UserError
from tokbench.image.fitting import fit, restored
from tokbench.image.pictures import read_picture
from tokbench.runner import evaluate
from tokbench.specs import load_tokenizer
from tokbench.task import Task
from tokbench.types import Codes

torch = pytest.importorskip("torch", reason="neural tokenizers need torch")


@pytest.fixture(scope="module")
def taef2():
    weights = os.environ.get("TOKBENCH_WEIGHTS")
    if not weights or not (Path(weights) / "taef2").is_dir():
        pytest.skip("TOKBENCH_WEIGHTS is not set: this test needs TAEF2's weights")
    return load_tokenizer(f"taesd:{weights}/taef2")


def test_taef2_on_kodim01_as_published(taef2, shared):
    path = shared / "images" / "kodak" / "kodim01.png"
    if not path.exists():
        pytest.skip("the Kodak pictures are not under TOKBENCH_DATA")
    photograph = read_picture(path)
    fitted = fit(photograph, taef2.spec)
    codes = Codes.from_bytes(taef2.encode([fitted.pixels]).to_bytes())
    assert codes.latents[0].shape == (32, 64, 96) and not codes.levels
    output = restored(taef2.decode(codes)[0], fitted, taef2.spec)
    error = ((photograph.astype(float) - output) ** 2).mean()
    assert 10 * np.log10(255**2 / error) == pytest.approx(27.178, abs=0.001)


def reference_encoder(state, pooled):
    """The published layout in torch's own modules, to compare with."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, width, pool):
            super().__init__()
            convs = [nn.Conv2d(width, width, 3, padding=1) for _ in range(3)]
            self.conv = nn.Sequential(convs[0], nn.ReLU(), convs[1], nn.ReLU(), convs[2])
            down, up = (
                nn.Conv2d(*io, 1, bias=False) for io in ((width, 4 * width), (4 * width, width))
            )
            self.pool = (
                nn.Sequential(down, nn.GroupNorm(4, 4 * width), nn.ReLU(), up) if pool else None
            )

        def forward(self, x):
            x = x if self.pool is None else x + self.pool(x)
            return torch.relu(self.conv(x) + x)

    def stage(pool):
        return [nn.Conv2d(8, 8, 3, 2, 1, bias=False), *(Block(8, pool) for _ in range(3))]

    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), Block(8, False), *stage(False), *stage(False),
        *stage(pooled), nn.Conv2d(8, 5, 3, padding=1),
    )  # fmt: skip
    network.load_state_dict({key: value.float() for key, value in state.items()})
    return network


@pytest.mark.parametrize("pooled", [False, True])
def test_channels_and_the_pooled_branch_are_read_off_the_weights(tmp_path, pooled):
    tokenizer = load_tokenizer(f"taesd:{taesd_folder(tmp_path, latents=5, pooled=pooled)}")
    pixels = fit(picture(1, 24, 32), tokenizer.spec).pixels
    [latent] = tokenizer.encode([pixels]).latents
    network = reference_encoder(taesd_states(5, pooled=pooled)[0], pooled)
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None])[0].numpy()
    assert latent.shape == (5, 3, 4) and np.allclose(latent, expected, atol=1e-5)
    count = sum(v.numel() for state in taesd_states(5, pooled=pooled) for v in state.values())
    assert tokenizer.spec.parameters == count and tokenizer.spec.kind == "continuous"


def test_whole_run_and_fingerprint_of_the_weights_alone(tmp_path):
    folder = taesd_folder(tmp_path / "a")
    task = Task("t", "test", "image", "photos-mini", ["psnr", "bits-per-pixel"], "psnr")
    from tokbench.image.pictures import save_png

    (tmp_path / "pictures").mkdir()
    for n, size in enumerate([(24, 32), (17, 19)]):
        (tmp_path / "pictures" / f"{n}.png").write_bytes(save_png(picture(n, *size)))
    job = Job(f"taesd:{folder}", task, str(tmp_path / "pictures"))
    record, _ = evaluate(job, tmp_path / "runs")
    assert record.score("psnr").value > 0 and record.score("psnr").n == 2
    assert record.score("bits-per-pixel").value is None
    # The same tensors in another kind of file are the same tokenizer.
    from safetensors.torch import save_file

    (tmp_path / "b").mkdir()
    for half, state in zip(("encoder", "decoder"), taesd_states(), strict=True):
        save_file(
            {k: v.contiguous() for k, v in state.items()}, tmp_path / "b" / f"x_{half}.safetensors"
        )
    first, second = (load_tokenizer(f"taesd:{tmp_path / n}") for n in "ab")
    assert first.fingerprint() == second.fingerprint()


def test_one_of_several_models_in_a_folder(tmp_path):
    taesd_folder(tmp_path, "one", latents=4)
    taesd_folder(tmp_path, "two", latents=6)
    assert "6 latent" in load_tokenizer(f"taesd:{tmp_path}/two").spec.algorithm
    with pytest.raises(UserError, match=r"several models \(one, two\)"):
        load_tokenizer(f"taesd:{tmp_path}")


def test_what_is_no_state_dict_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no \*_encoder\.pth in"):
        load_tokenizer(f"taesd:{tmp_path}")
    with pytest.raises(UserError, match="no such folder"):
        load_tokenizer(f"taesd:{tmp_path}/missing/x")
    taesd_folder(tmp_path)
    whole = (tmp_path / "tiny_decoder.pth").read_bytes()
    (tmp_path / "tiny_decoder.pth").write_bytes(whole[:-999])
    with pytest.raises(UserError, match="not a state dict"):
        load_tokenizer(f"taesd:{tmp_path}")
    (tmp_path / "tiny_decoder.pth").write_bytes(pickle.dumps(print))  # code is not run
    with pytest.raises(UserError, match="not a state dict"):
        load_tokenizer(f"taesd:{tmp_path}")
    torch.save(taesd_states()[0], tmp_path / "tiny_decoder.pth")
    with pytest.raises(UserError, match="not of one model"):
        load_tokenizer(f"taesd:{tmp_path}")
    torch.save({"encoder.weight": torch.ones(1)}, tmp_path / "tiny_decoder.pth")
    with pytest.raises(UserError, match=r"not of the TAESD family: it has 'encoder\.weight'"):
        load_tokenizer(f"taesd:{tmp_path}")
