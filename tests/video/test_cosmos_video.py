"""Cosmos tokenizers of video: what they are is read off their files."""

import pytest
from mocks.video import clip

from tokbench.errors import UserError
from tokbench.specs import load_tokenizer
from tokbench.types import Codes, Sample
from tokbench.video.clips import fit, restored

torch = pytest.importorskip("torch", reason="neural tokenizers need torch")
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")


class Means(torch.nn.Module):
    """The first frame, then the mean of every four; of every 8 × 8 pixels."""

    def forward(self, pixels):
        first, rest = pixels[:, :, :1], pixels[:, :, 1:]
        small = torch.nn.functional.avg_pool3d(rest, (4, 8, 8))
        alone = torch.nn.functional.avg_pool3d(first, (1, 8, 8))
        return (torch.cat([alone, small], 2),)


class Spread(torch.nn.Module):
    def forward(self, code):
        wide = code.repeat_interleave(8, 3).repeat_interleave(8, 4)
        return torch.cat([wide[:, :, :1], wide[:, :, 1:].repeat_interleave(4, 2)], 2)


class Greys(torch.nn.Module):
    """Ids of 16 greys, one for 4 frames and 8 × 8 pixels."""

    def forward(self, pixels):
        grey = pixels.mean(1, keepdim=True)
        first = torch.nn.functional.avg_pool3d(grey[:, :, :1], (1, 8, 8))
        small = torch.nn.functional.avg_pool3d(grey[:, :, 1:], (4, 8, 8))
        means = torch.cat([first, small], 2)[:, 0]
        return ((means + 1) * 8).floor().clamp(0, 15).to(torch.int32), means


class Paint(torch.nn.Module):
    def forward(self, ids):
        greys = ((ids[:, None].float() + 0.5) / 8 - 1).repeat(1, 3, 1, 1, 1)
        wide = greys.repeat_interleave(8, 3).repeat_interleave(8, 4)
        return torch.cat([wide[:, :, :1], wide[:, :, 1:].repeat_interleave(4, 2)], 2)


def loaded(folder, encoder, decoder, query=""):
    folder.mkdir(exist_ok=True)
    torch.jit.save(torch.jit.script(encoder), folder / "encoder.jit")
    torch.jit.save(torch.jit.script(decoder), folder / "decoder.jit")
    return load_tokenizer(f"cosmos-video:{folder}{query}")


def through(tokenizer, data):
    fitted = fit(Sample("a", data, fps=24.0), tokenizer.spec)
    codes = Codes.from_bytes(tokenizer.encode([fitted.frames]).to_bytes())
    return codes, restored(tokenizer.decode(codes)[0], fitted, tokenizer.spec)


def test_continuous(tmp_path):
    tokenizer = loaded(tmp_path / "cv", Means(), Spread())
    assert tokenizer.spec.kind == "continuous" and tokenizer.spec.frames == (1, 4)
    data = clip(1, 7, 32, 48)
    codes, output = through(tokenizer, data)
    assert codes.latents[0].shape == (3, 3, 4, 6) and output.shape == data.shape
    assert abs(float(output[0, :8, :8].mean()) - float(data[0, :8, :8].mean())) < 2


def test_discrete(tmp_path):
    tokenizer = loaded(tmp_path / "dv", Greys(), Paint(), "?K=16")
    data = clip(1, 5, 33, 48)
    codes, output = through(tokenizer, data)
    assert tokenizer.spec.vocabulary == (16,) and codes.ids.lengths.tolist() == [2 * 6 * 6]
    assert abs(float(output[0, :8, :8].mean()) - float(data[0, :8, :8].mean())) < 9


def test_one_of_images_is_refused(tmp_path):
    class Flat(torch.nn.Module):
        def forward(self, pixels):
            return torch.nn.functional.avg_pool2d(pixels.mean(2), 8)

    with pytest.raises(UserError, match="not a causal tokenizer"):
        loaded(tmp_path / "x", Flat(), Spread())
