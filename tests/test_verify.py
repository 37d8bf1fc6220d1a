"""`tokbench submit --verify`, `--pr`, `--run`: records are a stranger's claim."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from mocks.command import called, files_in, refused
from pyarrow import parquet

from tokbench import samples as samples_module
from tokbench.claimed import harmless, imports_nothing, placed_specs
from tokbench.errors import UserError
from tokbench.files import sha256, slug
from tokbench.plausible import implausible
from tokbench.published import against_published, figures
from tokbench.record import Record, read_record, record_key
from tokbench.samples import read_samples, samples_parquet
from tokbench.types import Score

TASK = "parallel-mini"
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verify")
    assert called("eval", "bytes", "--task", TASK, "--out", folder).code == 0
    return next(folder.glob("bytes--*"))


@pytest.fixture
def run(measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(measured, tmp_path / "run")


def forge(run: Path, change: Callable[[Record], object], rekey: bool = True) -> Path:
    """A record after a change to it, with a key that fits again."""
    record = read_record(run / "record.json")
    change(record)
    about = record.about
    if rekey:
        record.key = record_key(
            about.tokenizer.fingerprint, about.task.fingerprint, about.dataset.fingerprint, None
        )
    (run / "record.json").write_bytes(record.to_json())
    return run


def forge_evidence(run: Path, change: Callable[[dict[str, np.ndarray]], None]) -> Path:
    """Other numbers in the evidence, under a hash that fits."""
    record = read_record(run / "record.json")
    found = read_samples(record, run / "record.json")
    assert found is not None
    change(found.evidence.columns)
    content = samples_parquet(found.evidence, found.groups)
    (run / "samples.parquet").write_bytes(content)
    record.evidence = sha256(content)
    (run / "record.json").write_bytes(record.to_json())
    return run


def with_score(name: str, **changes: object) -> Callable[[Record], None]:
    def change(record: Record) -> None:
        import msgspec

        record.scores = [
            msgspec.structs.replace(score, **changes) if score.name == name else score
            for score in record.scores
        ]

    return change


def said(run: Path, *more: object) -> tuple[int, str]:
    done = called("submit", "--verify", run, *more)
    assert done.err == "" or done.err.count("\n") == 1
    return done.code, done.out + done.err


def test_an_honest_record_is_verified(run: Path) -> None:
    code, out = said(run)
    assert code == 0
    assert out.startswith("verified: ")
    assert "re-run: shard 1 of 1, 1,440 samples; every score" in out
    assert files_in(Path("leaderboards")) == []


@pytest.mark.parametrize(
    "name, changes, reason",
    [
        ("bytes-per-token", {"value": 1.1}, "but the counts give 1"),
        ("premium/mean", {"value": 1.2}, "evidence: premium/mean: the record says 1.2"),
        ("premium/tur_Latn", {"value": 0.9}, "evidence: premium/tur_Latn"),
        ("gini", {"value": 0.01}, "evidence: gini: the record says 0.01"),
        ("fertility", {"value": -1.0}, "scores: fertility = -1 tokens/word: never negative"),
        ("utilisation", {"value": 1.5}, "utilisation = 1.5 share: used ids over all ids"),
        ("utilisation", {"value": 0.5}, "re-run: shard 1 of 1, 1,440 samples: utilisation"),
        ("lossless", {"value": 1.01}, "a share"),
        ("lossless", {"value": 0.5}, "yet character-error-rate = 0"),
        ("tokens", {"value": 1e12}, "bytes cannot give as many"),
        ("tokens", {"value": 10.5}, "a count is a whole number"),
        ("characters", {"value": 1e9}, "more than bytes"),
        ("fertility", {"low": 9.0, "high": 8.0}, "upside down"),
        ("fertility", {"n": 99999}, "n is 99,999, of 1,440 samples"),
    ],
)
def test_a_tampered_score_is_refused_with_the_difference(
    run: Path, name: str, changes: dict[str, object], reason: str
) -> None:
    code, out = said(forge(run, with_score(name, **changes)))
    assert code == 2
    assert out.startswith("refused: ")
    assert reason in out


def test_a_score_there_twice_is_refused(run: Path) -> None:
    def twice(record: Record) -> None:
        record.scores.append(record.scores[0])

    assert "tokens: there 2 times" in said(forge(run, twice))[1]


def test_evidence_that_does_not_re_run_is_refused_with_the_first_row(run: Path) -> None:
    def fewer(columns: dict[str, np.ndarray]) -> None:
        columns["tokens"] = columns["tokens"].copy()
        columns["tokens"][7] -= 1

    forge_evidence(run, fewer)
    found = read_samples(read_record(run / "record.json"), run / "record.json")
    assert found is not None
    tokens = int(found.evidence.columns["tokens"].sum())
    size = int(found.evidence.columns["bytes"].sum())
    code, out = said(run)
    assert code == 2 and tokens == size - 1
    assert "evidence: tokens: the record says" in out  # scores were left as they are


def test_scores_and_evidence_forged_together_fail_on_the_shard(run: Path) -> None:
    """The columns and every score made of them are halved; only the re-run can tell."""
    from tokbench.rerun import compared
    from tokbench.samples import Samples

    found = read_samples(read_record(run / "record.json"), run / "record.json")
    assert found is not None
    forged = Samples(found.evidence.rows_of(np.arange(found.evidence.rows)), found.groups)
    forged.evidence.columns["tokens"] = forged.evidence.columns["tokens"] // 2
    assert compared(found, found.evidence, True) == []
    (line,) = compared(forged, found.evidence, True)
    assert line.startswith("tokens: ") and "rows differ; first" in line
    fewer = Samples(found.evidence.rows_of(np.arange(10)), found.groups)
    assert "rows are not in the record's evidence" in compared(fewer, found.evidence, False)[0]
    assert "rows of evidence" in compared(fewer, found.evidence, True)[0]


@pytest.mark.parametrize("block", [2, 8])
def test_coarse_evidence_is_compared_in_its_own_blocks(run: Path, block: int) -> None:
    from tokbench.rerun import compared
    from tokbench.samples import Samples

    found = read_samples(read_record(run / "record.json"), run / "record.json")
    assert found is not None
    coarse = Samples(found.evidence.coarsened(block), found.groups)
    # A shard that ends within a block: rows 0…12 of every group.
    shard = found.evidence.rows_of(np.flatnonzero(found.evidence.index < 13))
    assert compared(coarse, shard, False) == []
    coarse.evidence.columns["tokens"] = coarse.evidence.columns["tokens"] + 1
    assert compared(coarse, shard, False)


def test_a_tokenizer_of_the_same_name_that_is_another_is_refused(run: Path) -> None:
    def other(record: Record) -> None:
        record.about.tokenizer.fingerprint = "ab" * 32

    code, out = said(forge(run, other))
    assert code == 2
    assert "bytes loads here with fingerprint" in out and "abababababab" in out


def test_what_cannot_be_loaded_here_is_said_and_does_not_read_as_verified(run: Path) -> None:
    def elsewhere(record: Record) -> None:
        record.tokenizer = "mine.tokenizer.json"
        record.provenance.arguments = ["eval", "mine.tokenizer.json"]
        record.about.tokenizer.fingerprint = "ab" * 32

    code, out = said(forge(run, elsewhere))
    assert code == 0
    assert out.startswith("passed, but not all could be checked: ")
    assert "re-run: mine.tokenizer.json is not at hand (give --with" in out
    assert "need every id of the data" in out


def test_a_tokenizer_may_be_given(run: Path) -> None:
    def renamed(record: Record) -> None:
        record.tokenizer = "mine"
        record.provenance.arguments = []

    forge(run, renamed)
    assert said(run)[1].startswith("passed, but not all")
    assert said(run, "--with", "bytes")[1].startswith("verified: ")


def test_weights_are_found_in_the_folder_that_the_user_names(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    weights = Path("weights")
    weights.mkdir()
    made = Tokenizer(models.WordLevel({"<unk>": 0, "a": 1}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.save(str(weights / "mine.json"))
    monkeypatch.delenv("TOKBENCH_WEIGHTS", raising=False)
    done = called("eval", f"tokenizers:{weights}/mine.json", "--task", TASK, "--out", "runs")
    assert done.code == 0
    (own,) = Path("runs").glob("*--*")

    def moved(record: Record) -> None:  # as on the machine of somebody else
        record.tokenizer = "mine.json"
        record.provenance.arguments = ["eval", "tokenizers:mine.json"]

    forge(own, moved)
    code, out = said(own)
    assert code == 0 and "or --weights DIR" in out
    monkeypatch.setenv("TOKBENCH_WEIGHTS", "")  # put back after the test, whatever --weights does
    assert said(own, "--weights", weights)[1].startswith("verified: ")


def test_only_what_a_record_names_is_looked_for_in_the_weights(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = read_record(run / "record.json")
    (Path("weights") / "taef2").mkdir(parents=True)
    monkeypatch.setenv("TOKBENCH_WEIGHTS", "weights")
    for given, placed in (
        ("kmeans(taesd:taef2,K=4)", ["kmeans(taesd:weights/taef2,K=4)"]),
        ("taesd:taef2?device=cpu", ["taesd:weights/taef2?device=cpu"]),
        ("taesd:other", []),
        ("taesd:..", []),
        ("taesd:taef2/../..", []),
        ("evil:taef2", []),
    ):
        record.provenance.arguments = ["eval", given]
        assert placed_specs(record) == placed


SPECS = [
    "os:system?command=touch%20owned",
    "evil:Tokenizer",
    "python:evil:Tokenizer",
    "kmeans(evil:Tokenizer,K=4)",
    "../evil",
    "/etc/passwd",
    "tokenizers:/etc/passwd",
    "hf:../../evil",
    "x\0y",
    "e" * 10_000,
]


@pytest.mark.parametrize("spec", SPECS, ids=range(len(SPECS)))
def test_nothing_that_a_record_names_is_run(run: Path, spec: str) -> None:
    Path("evil.py").write_text("open('owned', 'w').close()\nclass Tokenizer: pass\n")

    def named(record: Record) -> None:
        record.provenance.arguments = ["eval", spec]
        record.about.tokenizer.fingerprint = "ab" * 32
        record.tokenizer = "evil"

    said(forge(run, named))
    assert not Path("owned").exists()
    assert not harmless(spec)
    assert not imports_nothing(spec) or "passwd" in spec or spec.startswith("hf:")


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "\u202eright-to-left", "x" * 201, " ", "\u200b"])
def test_names_that_hide_or_break_lines_are_refused(run: Path, name: str) -> None:
    def named(record: Record) -> None:
        record.tokenizer = name

    code, out = said(forge(run, named))
    assert code == 2
    assert "names: the tokenizer is" in out
    assert all(line.isprintable() for line in out.splitlines())


def test_a_task_or_dataset_that_is_a_path_is_not_opened(run: Path) -> None:
    def paths(record: Record) -> None:
        record.task = "../../evil.toml"
        record.about.dataset.name = "../../etc/passwd"

    code, out = said(forge(run, paths))
    assert code == 2
    assert "is not a task of this tokbench" in out
    assert "is not a dataset with a manifest" in out


def test_a_key_that_is_a_path_is_refused(run: Path) -> None:
    def key(record: Record) -> None:
        record.key = "../../../../x"

    assert "key: " in said(forge(run, key, rekey=False))[1]


@pytest.mark.parametrize("name", ["con", "NUL.txt", "com1", "LPT9.json.x"])
def test_no_file_is_named_like_a_device_of_windows(name: str) -> None:
    assert slug(name) == f"_{name}"
    assert slug("console") == "console"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"schema": 1, "x": ' + b"[" * 100_000, b'{"schema": 2}', b"\xff\xfe\x00"],
)
def test_what_is_no_record_gets_one_line(run: Path, content: bytes) -> None:
    (run / "record.json").write_bytes(content)
    refused(called("submit", "--verify", run), "record.json")


def parquet_of(table: pa.Table, **how: object) -> bytes:
    file = io.BytesIO()
    parquet.write_table(table, file, **how)
    return file.getvalue()


def plain_table(**columns: object) -> pa.Table:
    groups = pa.array(["a", "a"]).dictionary_encode()
    given = {"group": groups, "index": pa.array([0, 1]), "samples": pa.array([1, 1])} | columns
    return pa.table({name: value for name, value in given.items() if value is not None})


ODD = {
    "no parquet": b"PAR1 nothing PAR1",
    "empty": b"",
    "words": parquet_of(plain_table(tokens=pa.array(["x", "y"]))),
    "lists": parquet_of(plain_table(tokens=pa.array([[1], [2]]))),
    "nulls": parquet_of(plain_table(tokens=pa.array([1, None]))),
    "no samples": parquet_of(plain_table(samples=None)),
    "no groups": parquet_of(plain_table(group=None)),
    "negative index": parquet_of(plain_table(index=pa.array([-1, 0]))),
    "odd block": parquet_of(plain_table().replace_schema_metadata({"block": "3"})),
    "huge block": parquet_of(plain_table().replace_schema_metadata({"block": "9" * 50})),
}


@pytest.mark.parametrize("kind", ODD)
def test_evidence_that_is_none_gets_one_line(run: Path, kind: str) -> None:
    (run / "samples.parquet").write_bytes(ODD[kind])

    def hashed(record: Record) -> None:
        record.evidence = sha256(ODD[kind])

    code, out = said(forge(run, hashed))
    assert code == 2
    assert "damaged, or no evidence" in out or "out of range" in out


def test_a_small_file_of_many_rows_is_refused_before_it_is_unpacked(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = pa.array(np.zeros(1 << 20, np.int64))
    groups = pa.DictionaryArray.from_arrays(zeros.cast(pa.int32()), pa.array(["a"]))
    bomb = parquet_of(plain_table(group=groups, index=zeros, samples=zeros), compression="zstd")
    assert len(bomb) < 64 << 10
    monkeypatch.setattr(samples_module, "MOST_CELLS", 1 << 20)
    monkeypatch.setattr(parquet, "read_table", lambda *_, **__: [][1])
    with pytest.raises(UserError, match=r"too many|unpacked"):
        samples_module._parsed(bomb)


def test_a_record_at_the_wrong_place_of_a_leaderboard_is_refused(run: Path) -> None:
    assert called("submit", run).code == 0
    (filed,) = Path("leaderboards", TASK).glob("*.json")
    assert said(filed)[1].startswith("verified: ")  # its twin is itself
    for file in list(filed.parent.iterdir()):
        shutil.copy(file, file.with_stem("another"))
    code, out = said(filed.with_stem("another"))
    assert code == 2
    assert f"place: it belongs in {TASK}/{filed.name}" in out
    assert "duplicate: " in out


def test_plausible_scores_of_every_kind(run: Path) -> None:
    record = read_record(run / "record.json")
    assert list(implausible(record)) == []
    record.scores.append(Score(name="psnr", value=130.0, n=1, unit="dB"))
    record.performance.append(Score(name="encode-speed", value=-1.0, n=1, unit="MB/s"))
    assert [line.partition(" ")[0] for line in implausible(record)] == ["psnr", "encode-speed"]


def test_published_figures_are_compared_within_their_tolerance(run: Path) -> None:
    record = read_record(run / "record.json")
    assert against_published(record) == ([], 0)
    record.task, figure = "premium-flores200-joined", figures()[0]
    record.tokenizer = "gpt2.tokenizer.json"
    name, value = next(iter(figure.values.items()))
    record.scores = [Score(name=name, value=value, n=1)]
    assert against_published(record) == ([], 1)
    record.scores = [Score(name=name, value=value + 1, n=1)]
    ((line,), _) = against_published(record)
    assert "published is" in line and "Petrov" in line
    assert all(one.source and one.tolerance >= 0 for one in figures())


# Proposing


@pytest.fixture
def checkout(run: Path, tmp_path: Path) -> Path:
    """A git checkout in the working folder, with a remote to push to."""

    def git(*arguments: str, where: Path = tmp_path) -> None:
        subprocess.run(["git", *arguments], cwd=where, check=True, capture_output=True)

    git("init", "--bare", "-b", "main", str(tmp_path / "remote.git"))
    git("init", "-b", "main")
    git("config", "user.name", "t")
    git("config", "user.email", "t@t")
    (tmp_path / "a").write_text("a")
    git("add", "a")
    git("commit", "-m", "a")
    git("remote", "add", "origin", str(tmp_path / "remote.git"))
    return tmp_path


def test_pr_prints_the_commands(run: Path) -> None:
    done = called("submit", run, "--pr")
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["git", "switch"], ["git", "add"], ["git", "commit"], ["git", "push"],
    ]  # fmt: skip
    assert lines[5].startswith("open the pull request at ")


def test_run_commits_and_pushes_the_records_alone(run: Path, checkout: Path) -> None:
    (checkout / "mine").write_text("not staged")
    done = called("submit", run, "--run")
    assert (done.code, done.err) == (0, "")
    branch = done.out.splitlines()[1].split()[-1]
    shown = subprocess.run(
        ["git", "--git-dir", "remote.git", "show", "--stat", "--format=%s", branch],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert shown.splitlines()[0] == f"Submit bytes on {TASK}"
    assert "2 files changed" in shown and "mine" not in shown


def test_run_refuses_before_anything_is_filed(run: Path, checkout: Path) -> None:
    (checkout / "b").write_text("b")
    subprocess.run(["git", "add", "b"], check=True)
    refused(called("submit", run, "--run"), "the index has changes of yours")
    assert not Path("leaderboards").exists()


def test_run_outside_a_checkout_is_refused_in_one_line(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(run.parent.parent))
    refused(called("submit", run, "--run"), "not in a git checkout")
    assert not Path("leaderboards").exists()


@pytest.mark.parametrize(
    "remote, page",
    [
        ("git@github.com:o/r.git", "https://github.com/o/r"),
        ("https://user:secret@github.com/o/r.git", "https://github.com/o/r"),
        ("ssh://git@gitlab.com:22/o/r", "https://gitlab.com/o/r"),
        ("/srv/git/r.git", ""),
        ("", ""),
    ],
)
def test_the_address_of_a_remote(remote: str, page: str) -> None:
    from tokbench.pull_request import _web

    assert _web(remote) == page


def test_the_workflow_runs_what_there_is() -> None:
    workflow = ROOT / ".github" / "workflows" / "verify-submissions.yml"
    steps = yaml.safe_load(workflow.read_text())["jobs"]["verify"]["steps"]
    script = "\n".join(step.get("run", "") for step in steps)
    assert "tokbench submit --verify" in script
    assert "constraints.txt" in script and "python -I -" in script
    assert "pull_request_target" not in workflow.read_text()
