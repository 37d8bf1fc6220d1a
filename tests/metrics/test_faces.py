"""F-Sim: who is who, TokBench's buckets, faces that are not there, and the kept originals."""

import importlib.util
from functools import cache

import numpy as np
import pytest
from mocks.images import picture

from tokbench.bench import Job
from tokbench.errors import UserError
from tokbench.image.generated import faces_mini
from tokbench.media import EncodedMedia, MediaBatch
from tokbench.metrics.image import faces
from tokbench.probes import kept
from tokbench.probes.faces import PROBES, boxes_of, face_probe, faces_of
from tokbench.registry import locate
from tokbench.runner import evaluate
from tokbench.task import MetricUse, Task, load_task
from tokbench.types import Codes, Sample

pytestmark = pytest.mark.skipif(
    face_probe("dlib").missing() != "", reason="needs the extra 'faces'"
)


@pytest.fixture(scope="module")
def samples():
    [part] = faces_mini()
    return {sample.name: sample for sample in (item.load() for item in part.items)}


def encoded(*pairs):
    batch = MediaBatch([s for s, _ in pairs], np.zeros(len(pairs), np.int64), np.arange(len(pairs)))
    return EncodedMedia(None, batch, Codes(), [b for _, b in pairs], [""])


def test_each_framing_falls_into_its_bucket(samples):
    for name, sample in samples.items():
        found = faces_of(face_probe("dlib"), sample)
        [ratio] = faces.ratios(found.boxes, None, max(sample.data.shape[:2]))
        low, high = {"close": (0.3, 1), "half": (0.2, 0.3), "far": (0.1, 0.2)}[name.split("-")[1]]
        assert low <= ratio < high, name


def test_one_person_is_near_and_another_far(samples):
    """dlib's documentation: under 0.6 two descriptors are one person's."""
    probe = face_probe("dlib")
    of = {name: faces_of(probe, sample).embeddings[0] for name, sample in samples.items()}
    same = np.linalg.norm(of["astronaut-close"] - of["astronaut-far"])
    other = np.linalg.norm(of["astronaut-close"] - of["hopper-close"])
    assert same < 0.3 and other > 0.6


def test_a_picture_is_itself_and_a_lost_face_scores_low(samples):
    """Nothing is detected in the reconstruction: a grey one still counts."""
    near = samples["astronaut-half"]
    grey = np.full_like(near.data, 128)
    found = faces.faces(encoded((near, near.data), (near, grey))).columns
    stem = faces.faces_name("dlib", "256", "newest")
    assert found[f"{stem}:medium"][0] == pytest.approx(1, abs=1e-7)
    assert found[f"{stem}:medium"][1] < 0.9
    assert found[f"{stem}:medium:n"].tolist() == found[f"{stem}:all:n"].tolist() == [1, 1]
    assert found[f"{stem}:same:n"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("edges", "resolution", "buckets"),
    [("newest", "256", [-1, 0, 1, 2, 2]), ("first", "256", [0, 1, 2, 2, 2])],
)
def test_buckets_are_half_open(edges, resolution, buckets, samples):
    """At .0999, .1, .2, .3 and 1 of the picture, as annotated."""
    shares = [0.0999, 0.1, 0.2, 0.3, 1.0]
    sample = samples["astronaut-close"]
    [box] = faces_of(face_probe("dlib"), sample).boxes.tolist()
    notes = {"faces": [{"box": box, "ratio": share} for share in shares]}
    noted = Sample("noted", sample.data, notes=notes)
    found = faces.faces(encoded((noted, noted.data)), "dlib", resolution, edges).columns
    stem = faces.faces_name("dlib", resolution, edges)
    counts = [int(found[f"{stem}:{name}:n"][0]) for name in (*faces.BUCKETS, "below")]
    assert counts == [buckets.count(0), buckets.count(1), buckets.count(2), buckets.count(-1)]


def test_annotated_faces_are_looked_for_nowhere_else(samples):
    """An empty list says that there is none; a box says where; keypoints alone give one."""
    sample, probe = samples["hopper-half"], face_probe("dlib")
    assert len(faces_of(probe, Sample("x", sample.data, notes={"faces": []}))) == 0
    found = faces_of(probe, sample)
    points = found.keypoints[0].tolist()
    again = faces_of(probe, Sample("x", sample.data, notes={"faces": [{"keypoints": points}]}))
    assert np.linalg.norm(again.embeddings - found.embeddings) < 0.6
    [box] = boxes_of([{"keypoints": [[1, 1], [3, 1], [2, 4]]}])
    assert box.tolist() == [-1, -1, 5, 5]  # around (2, 2), three to each side
    wrong = Sample("x", sample.data, notes={"faces": [{"colour": "red"}]})
    with pytest.raises(UserError, match=r"x: annotated faces: .* neither 'box' nor 'keypoints'"):
        faces_of(probe, wrong)


def test_originals_are_looked_at_once(samples, monkeypatch, tmp_path):
    monkeypatch.setattr(kept, "cache_dir", lambda: tmp_path)
    probe, sample = face_probe("dlib"), samples["astronaut-far"]
    first = faces_of(probe, sample)
    [path] = tmp_path.rglob("*.npz")

    def refuse(*_):
        raise AssertionError("looked again")

    with monkeypatch.context() as patch:
        patch.setattr(type(probe), "detect", refuse)
        assert (faces_of(probe, sample).embeddings == first.embeddings).all()
    path.write_bytes(path.read_bytes()[:99])  # of a power cut
    assert (faces_of(probe, sample).embeddings == first.embeddings).all()


def test_the_task(tmp_path):
    """JPEG at quality 1 loses identity; shards alike; the buckets' mean is the score."""
    task = load_task("faces-mini")
    record, _ = evaluate(Job("jpeg:1", task, "faces-mini", limit=3), tmp_path / "whole")
    value = {score.name: score.value for score in record.scores}
    assert value["f-sim"] == pytest.approx(np.mean([value[f"f-sim/{b}"] for b in faces.BUCKETS]))
    assert value["f-sim"] < 0.93 and record.score("f-sim/pooled").n == 3
    assert "weights:" in record.score("f-sim").metric
    parts = Task("t", "", "image", "faces-mini", ["f-sim"], "f-sim", view=256, shard_samples=1)
    cut, _ = evaluate(Job("jpeg:1", parts, "faces-mini", limit=3), tmp_path / "cut")
    assert {s.name: s.value for s in cut.scores} == {
        name: v for name, v in value.items() if name.startswith("f-sim")
    }


def test_no_faces(tmp_path):
    from tokbench.image.pictures import save_png

    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "0.png").write_bytes(save_png(picture(0, 64, 64)))
    task = Task("t", "", "image", "photos-mini", ["f-sim"], "f-sim")
    record, _ = evaluate(Job("identity", task, str(tmp_path / "data")), tmp_path / "runs")
    assert record.score("f-sim").value is None
    assert record.score("f-sim").note == "no face in any image"


def test_without_the_weights_it_is_refused_and_the_rest_scored(tmp_path, monkeypatch):
    use = MetricUse("f-sim", {"probe": "insightface"})
    probe = face_probe("insightface")
    monkeypatch.setattr(type(probe), "missing", lambda self: "its weights are not here")
    task = Task("t", "", "image", "faces-mini", [use, "f-sim", "psnr"], "psnr")
    record, _ = evaluate(Job("jpeg:5", task, "faces-mini", limit=1), tmp_path)
    [refused] = [score for score in record.scores if score.value is None]
    assert refused.note == "its weights are not here" and "weights:missing" in refused.metric
    assert record.score("psnr").value and record.score("f-sim/pooled").value


@pytest.mark.parametrize(
    "options", [{"probe": "eyes"}, {"edges": "middle"}, {"resolution": 300},
                {"edges": "first", "resolution": "video-256"}],
)  # fmt: skip
def test_options(options):
    with pytest.raises(ValueError, match="choose"):
        faces.FaceSimilarity(**options)


@pytest.mark.skipif(
    importlib.util.find_spec("insightface") is None, reason="needs the extra 'insightface'"
)
def test_insightface_without_a_network_says_where_the_weights_go(tmp_path, monkeypatch):
    from insightface.utils import storage

    from tokbench.probes.arcface import ArcFace

    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(storage, "download", offline)
    why = ArcFace().missing()
    assert "OSError: no network" in why and "antelopev2.zip" in why and "\n" not in why


@pytest.mark.skipif(
    importlib.util.find_spec("insightface") is None, reason="needs the extra 'insightface'"
)
def test_a_task_is_shown_without_fetching(tmp_path, monkeypatch, capsys):
    from insightface.utils import storage

    from tokbench.cli import main

    asked = []
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(storage, "download", lambda *_, **__: asked.append(1))
    monkeypatch.setattr(faces, "face_probe", cache(lambda name: locate(PROBES[name])()))
    task = (
        'name = "arc"\ntitle = "faces"\nmodality = "image"\ndataset = "faces-mini"\n'
        'main = "f-sim-insightface"\n'
        'metrics = [{ name = "f-sim", options = { probe = "insightface" } }]\n'
    )
    (tmp_path / "arc.toml").write_text(task)
    assert main(["show", str(tmp_path / "arc.toml")]) == 0
    assert "weights:missing" in capsys.readouterr().out and not asked
    assert faces.face_probe("insightface").missing() and asked  # but measured, it is asked for


@pytest.mark.skipif(
    importlib.util.find_spec("insightface") is None, reason="needs the extra 'insightface'"
)
def test_insightface_aligns_by_annotated_keypoints(tmp_path, monkeypatch, samples):
    """With a small random network in place of the real one: the face decides, not its place."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from tokbench.probes.arcface import ArcFace

    weights = np.random.default_rng(0).normal(size=(192, 512)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[14, 14], strides=[14, 14]),
            helper.make_node("Flatten", ["p"], ["f"]),
            helper.make_node("MatMul", ["f", "w"], ["y"]),
        ],
        "face",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, 112, 112])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 512])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    folder = tmp_path / ".insightface" / "models" / "antelopev2" / "antelopev2"
    folder.mkdir(parents=True)
    onnx.save(model, folder / "glintr100.onnx")
    (folder / "scrfd_10g_bnkps.onnx").write_bytes(b"not used")
    monkeypatch.setenv("HOME", str(tmp_path))
    probe = ArcFace()
    assert probe.missing() == "" and len(probe.fingerprint()) == 64
    picture = samples["hopper-close"].data
    eyes = [[150, 170], [240, 170], [195, 220], [160, 265], [230, 265]]
    boxes, points = probe.annotated(picture, [{"keypoints": eyes}])
    moved = np.zeros((500, 500, 3), np.uint8)
    moved[30 : 30 + len(picture), 40 : 40 + picture.shape[1]] = picture
    [here] = probe.embed(picture, points)
    [there] = probe.embed(moved, points + np.array([40, 30]))
    assert here.shape == (512,) and boxes.shape == (1, 4)
    assert here @ there / np.linalg.norm(here) / np.linalg.norm(there) > 0.9999
    assert probe.embed(picture, points[:0]).shape == (0, 512)
    with pytest.raises(ValueError, match="no five keypoints"):
        probe.annotated(picture, [{"box": [1, 2, 3, 4]}])
