"""Video the whole way: readers, fitting, codecs, frame by frame, metrics by hand, bad files."""

import json

import numpy as np
import pytest
from mocks.command import called, refused
from mocks.quantised import Colours
from mocks.video import Blinking, clip

from tokbench.bench import Job
from tokbench.conformance import conformance
from tokbench.dataset import open_dataset
from tokbench.errors import UserError
from tokbench.image.pictures import save_png
from tokbench.media import EncodedMedia, MediaBatch
from tokbench.metrics.image.pixels import decibels
from tokbench.metrics.video.frames import frame_errors
from tokbench.metrics.video.motion import frame_differences
from tokbench.runner import evaluate
from tokbench.specs import load_tokenizer
from tokbench.task import Task, load_task
from tokbench.tokenizers.video.framewise import Framewise
from tokbench.types import Codes, Sample, TokenizerSpec
from tokbench.video.clips import fit, read_video, restored
from tokbench.video.readers import frames as read_folders

av = pytest.importorskip("av", reason="pip install 'tokbench[video]'")

CODECS = ("h264:30", "h265:30", "vp9:40", "av1:45")


def task(*metrics, **rest):
    return Task("t", "test", "video", "motion-mini", list(metrics), metrics[0], **rest)


def write(path, frames, fps=10):
    """A lossless file of RGB."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=fps)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "bgr0"
        for pixels in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        file.mux(stream.encode(None))


@pytest.fixture
def files(tmp_path):
    root = tmp_path / "videos"
    root.mkdir()
    for n in range(3):
        write(root / f"{n}.mkv", clip(n, 5 + n))
    (root / "annotations.jsonl").write_text(json.dumps({"name": "1", "label": "walk"}))
    return root


def test_a_lossless_file_comes_back(files):
    data, fps = read_video(files / "1.mkv")
    assert fps == 10 and (data == clip(1, 6)).all()
    assert len(read_video(files / "1.mkv", 4)[0]) == 4


def test_a_folder_is_a_dataset(files):
    dataset = open_dataset(str(files))
    assert dataset.modality == "video" and dataset.reader == "videos"
    samples, _ = dataset.parts[0].read_samples(
        next(iter(dataset.parts[0].slices(0, 9, 1 << 40, None)))
    )
    assert [s.data.shape[0] for s in samples] == [5, 6, 7] and samples[1].notes == {"label": "walk"}
    assert dataset.parts[0].size() == sum(
        file.stat().st_size for file in files.glob("*.*") if file.suffix != ".jsonl"
    )


def test_folders_of_frames(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / "JPEG" / name).mkdir(parents=True)
        for t, pixels in enumerate(clip(1, 4)):
            (tmp_path / "JPEG" / name / f"{t:05}.png").write_bytes(save_png(pixels))
    (tmp_path / "val.txt").write_text("c\na\n")
    fields = {"folder": "JPEG", "list": "val.txt", "fps": "25", "frames": "3"}
    [part] = read_folders([("", tmp_path)], fields)
    samples = [item.load() for item in part.items]
    assert [s.name for s in samples] == ["c", "a"] and samples[0].fps == 25
    assert (samples[0].data == clip(1, 3)).all() and part.size() == 2 * 3 * 24 * 32 * 3
    [everything] = read_folders([("", tmp_path / "JPEG")], {})
    assert [item.load().name for item in everything.items] == ["a", "b", "c"]
    (tmp_path / "val.txt").write_text("d\n")
    with pytest.raises(UserError, match="no folder of frames 'd'"):
        read_folders([("", tmp_path)], fields)
    with pytest.raises(UserError, match=r"fields.fps: give frames per second, not 'x'"):
        read_folders([("", tmp_path / "JPEG")], {"fps": "x"})


def test_what_cannot_be_read_fails_alone(files, tmp_path):
    (files / "3.mp4").write_bytes(b"no video")
    whole = (files / "2.mkv").read_bytes()
    (files / "4.mkv").write_bytes(whole[:60])
    job = Job("frames(identity)", task("frame-psnr"), str(files))
    record, _ = evaluate(job, tmp_path / "runs")
    assert record.score("frame-psnr").n == 3 and record.score("frame-psnr").value == 100
    assert sum(f.count for f in record.failures.values()) == 2
    assert all(cause.startswith("read: not a readable video") for cause in record.failures)


def test_frames_of_several_sizes(tmp_path):
    (tmp_path / "x").mkdir()
    for t, side in enumerate((8, 9)):
        (tmp_path / "x" / f"{t}.png").write_bytes(save_png(clip(0, 1, side, 8)[0]))
    [part] = read_folders([("", tmp_path)], {})
    assert part.items[0].load().error == "its frames are of several sizes: 8 × 8, 8 × 9"


@pytest.mark.parametrize(("count", "seen"), [(1, 1), (2, 5), (5, 5), (6, 9)])
def test_frames_are_repeated_and_cut(count, seen):
    spec = TokenizerSpec(modality="video", frames=(1, 4), size_multiple=16, value_range=(-1.0, 1.0))
    data = clip(3, count)
    fitted = fit(Sample("a", data, fps=10.0), spec)
    assert fitted.frames.shape == (seen, 32, 32, 3) and fitted.frames.dtype == np.float32
    assert (restored(fitted.frames, fitted, spec) == data).all()
    with pytest.raises(ValueError, match="NaN"):
        restored(fitted.frames * np.nan, fitted, spec)
    with pytest.raises(ValueError, match="went in"):
        restored(fitted.frames[:, 1:], fitted, spec)


def encoded(*pairs):
    samples = [Sample(str(n), a, fps=10.0) for n, (a, _) in enumerate(pairs)]
    batch = MediaBatch(samples, np.zeros(len(pairs), np.int64), np.arange(len(pairs)))
    return EncodedMedia(Blinking(), batch, Codes(), [b for _, b in pairs], [""])


def test_frame_errors_by_hand():
    a = np.full((3, 4, 4, 3), 100, np.uint8)
    b = a.copy()
    b[1:] += 10
    found = frame_errors(encoded((a, b), (a[:1], a[:1]))).columns
    assert found["frame-psnr"][0] == pytest.approx((100 + 2 * decibels(100)) / 3, abs=1e-6)
    assert found["clip-psnr"][0] == pytest.approx(decibels(200 / 3), abs=1e-6)
    assert found["first-frame-gap"][0] == pytest.approx(100 - decibels(100), abs=1e-6)
    assert found["first-frame-gap:n"].tolist() == [1, 0] and found["frame-psnr"][1] == 100


def test_flicker_by_hand():
    """A constant error does not flicker; one that comes and goes does, most where all is still."""
    a = np.full((4, 4, 4, 3), 100, np.uint8)
    a[:, :2] += (10 * np.arange(4)).astype(np.uint8)[:, None, None, None]
    blink = a.copy()
    blink[1::2] += 6
    found = frame_differences(encoded((a, a + 9), (a, blink), (a[:1], a[:1]))).columns
    assert found["flicker"].tolist() == [0, 6, 0] and found["flicker:n"].tolist() == [1, 1, 0]
    assert found["flicker-psnr"][1] == pytest.approx(decibels(36), abs=1e-6)
    assert found["flicker-still"].tolist() == [0, 6 * 3 * 24, 0]
    assert found["flicker-still:n"].tolist() == [72, 72, 0]


def test_the_whole_way(files, tmp_path):
    names = ("frame-psnr", "frame-ssim", "frame-ms-ssim", "flicker", "bits-per-pixel",
             "bits-per-second", "codebook-usage", "repeatability", "re-encoding")  # fmt: skip

    def record(most):
        job = Job("blinking", task(*names, shard_samples=most), str(files))
        return evaluate(job, tmp_path / str(most), tokenizer=Blinking(4))[0]

    whole, single = record(9), record(1)
    told = [[(s.name, s.value, s.low, s.n) for s in r.scores] for r in (whole, single)]
    assert told[0] == told[1] and not whole.failures
    value = {score.name: score.value for score in whole.scores}
    assert value["flicker"] == pytest.approx(4, abs=0.2) and 0.8 < value["frame-ssim"] <= 1
    assert value["frame-ms-ssim"] is None
    assert "under 176 pixels" in whole.score("frame-ms-ssim").note
    # Clips of 5, 6 and 7 frames are seen as 5, 9 and 9: the tokens of what is repeated count.
    assert value["bits-per-pixel"] == pytest.approx(24 * 23 / 18)
    assert value["bits-per-second"] == pytest.approx(24 * 23 / 18 * 24 * 32 * 10)
    ratio = value["bits-per-second/entropy"] / value["bits-per-pixel/entropy"]
    assert ratio == pytest.approx(24 * 32 * 10)
    assert value["repeatability"] == 1 and value["re-encoding"] < 1
    assert whole.performance[0].unit == "frames/s"


@pytest.mark.parametrize("spec", CODECS)
def test_codecs_keep_their_promises(spec):
    found = conformance(spec, load_tokenizer(spec))
    failed = [check for check in found if check.outcome != "pass"]
    if spec.startswith("h264"):  # on a busy machine x264 codes tiny noise anew 1 time in 20
        failed = [check for check in failed if "noise of odd size" not in check.detail]
    assert not failed, failed


def test_a_codec_uses_what_frames_share():
    tokenizer, still = load_tokenizer("h264:28"), load_tokenizer("frames(jpeg:50)")
    one = np.repeat(clip(1, 1, 64, 64), 12, axis=0)
    tokenizer.rates = still.rates = [24.0]
    of_video, of_frames = (len(t.encode([one]).ids[0]) for t in (tokenizer, still))
    assert of_video < of_frames / 3
    tokenizer.rates = [24.0]
    made = tokenizer.decode(Codes.from_bytes(tokenizer.encode([one]).to_bytes()))[0]
    assert (
        made.shape == one.shape and decibels(float(((made.astype(float) - one) ** 2).mean())) > 20
    )


def test_frame_by_frame_is_what_the_image_tokenizer_does():
    inner = Colours(16)
    tokenizer = Framewise(inner, "frames(colours)")
    data = clip(2, 20).astype(np.float32) / 255
    codes = Codes.from_bytes(tokenizer.encode([data, data[:3]]).to_bytes())
    alone = inner.encode(list(data))
    assert (codes.ids[0] == alone.ids.values).all() and tokenizer.spec.modality == "video"
    made = tokenizer.decode(codes)
    assert (made[0] == np.stack(inner.decode(alone))).all() and len(made[1]) == 3
    assert (tokenizer.decode(codes.select([1]))[0] == made[1]).all()
    assert tokenizer.codebook(0).shape == (4096, 3)


@pytest.mark.parametrize("spec", ["frames(jpeg:60)", "frames(identity)"])
def test_framewise_conforms(spec):
    assert {c.outcome for c in conformance(spec, load_tokenizer(spec))} == {"pass"}


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("h264:99", ["from 0 to 51"]),
        ("h264:23?preset=quick", ["preset=quick", "choose medium"]),
        ("frames(opus:12)", ["tokenizer of audio", "images"]),
        ("frames(h264:20)", ["tokenizer of video"]),
        ("frames(jpeg:50,K=3)", ["no option 'K'"]),
        ("frames:jpeg", ["frames(SPEC)"]),
    ],
)
def test_wrong_specs(spec, parts):
    refused(called("eval", spec), *parts)


def test_another_modality_is_refused(files):
    refused(called("eval", "jpeg:50", "--task", "video", "--data", files), "of image", "video")
    refused(called("eval", "h264:30", "--task", "photos-mini"), "of video", "image")


def test_without_pyav_it_is_one_line(files, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"pip install 'tokbench\[video\]'"):
        open_dataset(str(files))


def test_motion_mini_is_there_at_once():
    dataset = open_dataset("motion-mini")
    samples = [item.load() for item in dataset.parts[0].items]
    assert len(samples) == 6 and {s.data.shape for s in samples} == {(24, 192, 256, 3)}
    moving = [np.abs(np.diff(s.data.astype(int), axis=0)).mean() for s in samples]
    assert min(moving) > 0.5 and dataset.parts[0].size() == sum(s.data.nbytes for s in samples)
    assert dataset.fingerprint == open_dataset("motion-mini").fingerprint
    assert load_task("video-mini").dataset == "motion-mini"


def test_one_clip_is_held_at_a_time(files):
    from tokbench.bench import open_bench

    bench = open_bench(Job("b", task("frame-psnr"), str(files)), Blinking())
    [shard] = bench.source.plan(None)
    assert [piece.count for piece in shard] == [1, 1, 1]


def test_reconstructions_on_disk(files, tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    for n in range(3):
        write(made / f"{n}.mkv", np.concatenate([clip(n, 5 + n), clip(9, 2)]))
    job = Job(f"folder:{made}", task("frame-psnr", "flicker"), str(files))
    record, _ = evaluate(job, tmp_path / "runs")
    assert record.score("frame-psnr").value == 100 and record.score("flicker").value == 0
    write(made / "2.mkv", clip(2, 3))
    record, _ = evaluate(job, tmp_path / "short")
    assert record.score("frame-psnr").n == 2
    assert "the reconstruction is (3, 24, 32, 3)" in next(iter(record.failures))
    (made / "2.mkv").unlink()
    with pytest.raises(UserError, match="2"):
        evaluate(job, tmp_path / "missing")
