"""Build hook: compiles `tokbench/kernel.c` into the wheel, or beside it for an editable install.

tokbench works without the library (numpy computes the same, more slowly), so a machine
without a C compiler gets a message and a wheel for any platform.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c99", "-O3", "-shared", "-fPIC")


def compile_kernel(source: Path, library: Path) -> str:
    """Compile; an empty string, or why there is no library. `CC` chooses the compiler."""
    chosen = os.environ.get("CC") or next(filter(shutil.which, COMPILERS), "")
    if not chosen:
        return f"no C compiler found (none of {', '.join(COMPILERS)}; CC names another)"
    command = [*shlex.split(chosen), *FLAGS, str(source), "-o", str(library)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return f"cannot run {chosen}: {error.strerror}"
    return "" if done.returncode == 0 else f"{shlex.join(command)} failed:\n{done.stderr.strip()}"


class KernelHook(BuildHookInterface):
    """Adds the compiled library and the platform's tag to a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        source = Path(self.root, "tokbench", "kernel.c")
        self._scratch = tempfile.TemporaryDirectory()
        editable = version == "editable"
        folder = source.parent if editable else Path(self._scratch.name)
        library = folder / "libkernel.so"
        if why := compile_kernel(source, library):
            self.app.display_warning(f"tokbench is built without its compiled passes: {why}")
            return
        if not editable:
            build_data["force_include"][str(library)] = "tokbench/libkernel.so"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self._scratch.cleanup()


def _platform() -> str:
    """The platform's own tag: manylinux and musllinux promise more than a local build keeps."""
    tags = (tag.platform for tag in sys_tags())
    return next(tag for tag in tags if not tag.startswith(("manylinux", "musllinux")))
