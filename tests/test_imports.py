"""What a command imports, and what a wheel carries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tokbench.errors import UserError
from tokbench.registry import METRICS, PROBES, READERS, STATISTICS, TOKENIZERS

HEAVY = ("numpy", "pandas", "torch", "transformers", "tokenizers", "datasets", "scipy", "pyarrow")
ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["eval", "--help"], ["list"], ["list", "tasks", "--format=json"]],
    ids=" ".join,
)
def test_help_and_list_import_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys; from tokbench.cli import main; code = main(sys.argv[1:]); "
        f"print(code, sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stderr == "0 []\n"
    assert done.stdout


@pytest.mark.parametrize("registry", [TOKENIZERS, METRICS, READERS, STATISTICS, PROBES])
def test_every_registered_name_leads_to_something_that_can_be_called(registry: object) -> None:
    assert all(callable(registry.get(name)) for name in registry)  # type: ignore[attr-defined]


def test_plug_ins_are_looked_for_only_when_a_name_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_plugin.py").write_text("class Own:\n    pass\n")
    information = tmp_path / "own_plugin-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Name: own-plugin\nVersion: 1\n")
    points = "[tokbench.metrics]\nown-metric = own_plugin:Own\n"
    (information / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    assert METRICS.get("own-metric").__name__ == "Own"
    assert METRICS.get("own_plugin:Own").__name__ == "Own"
    with pytest.raises(UserError, match="did you mean 'own-metric'"):
        METRICS.get("own-metrik")
    monkeypatch.setattr(METRICS, "_plugins", lambda: [][1])
    assert METRICS.get("counts")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="building a wheel here needs hatchling")
    pytest.importorskip("build", reason="building a wheel here needs build")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_a_wheel_carries_tasks_manifests_and_the_leaderboard(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("tasks", "data_manifests", "leaderboards"):
        shipped = {
            f"tokbench/_data/{path.relative_to(ROOT).as_posix()}"
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }
        assert shipped <= names
    assert not any(name.startswith(("tests/", "tasks/")) for name in names)


def test_a_wheel_carries_the_compiled_passes_for_its_platform(wheel: Path) -> None:
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("no C compiler here to build the passes with")
    assert "tokbench/libkernel.so" in zipfile.ZipFile(wheel).namelist()
    assert "-py3-none-" in wheel.name
    assert not wheel.name.endswith("-any.whl")


def test_an_installed_wheel_evaluates_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    environment, elsewhere = tmp_path / "environment", tmp_path / "elsewhere"
    venv.create(environment, with_pip=False)
    elsewhere.mkdir()
    (own,) = environment.glob("lib/python*/site-packages")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--no-deps",
            "--no-index",
            "-q",
            "--target",
            own,
            wheel,
        ],
        check=True,
    )
    # Its libraries are this environment's: a line in a .pth file reads no .pth files there.
    (own / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def inside(*command: str) -> str:
        done = subprocess.run(
            [environment / "bin" / "python", *command],
            cwd=elsewhere,
            env=clean,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    place = inside("-c", "import tokbench; print(tokbench.__file__)")
    assert Path(place.strip()).is_relative_to(own)
    loaded = inside("-c", "from tokbench import kernel; print(kernel.compiled is not None)")
    assert loaded == f"{not wheel.name.endswith('-any.whl')}\n"
    found = inside("-m", "tokbench", "eval", "bytes", "--task", "numbers", "--format", "json")
    (record,) = json.loads(found)["records"]
    assert record["task"] == "numbers"
    assert record["provenance"]["git"] == ""
    assert [path.name for path in elsewhere.iterdir()] == ["runs"]
