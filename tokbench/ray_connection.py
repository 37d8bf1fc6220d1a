"""Connections to Ray: one on this machine, or to a cluster that answers."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

from tokbench.errors import UserError, one_line, optional
from tokbench.executors import Executor

ANSWER = float(os.environ.get("TOKBENCH_RAY_ANSWER", "30"))
"""Seconds in which a cluster's address has to answer; a busy machine may need more."""

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent anywhere
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}

_address: str | None = None


def connected(executor: Executor) -> Any:
    """Ray, connected; started on this machine where there is no address."""
    global _address
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    ray = optional("ray", "ray")
    wanted = executor.address or f"local {executor.workers}"
    if ray.is_initialized():
        if _address in (None, wanted):  # None: whoever uses tokbench as a library has connected
            return ray
        ray.shutdown()
    how: dict[str, Any] = {"address": executor.address}
    if executor.address:
        _refuse_silence(executor.address)
    else:
        cores = executor.workers or os.cpu_count() or 1
        how = {"address": "local", "num_cpus": cores, "include_dashboard": False}
    try:
        ray.init(**how, logging_level="CRITICAL", log_to_driver=False)
    except Exception as error:  # too long a TMPDIR for its sockets, a full disk, other versions
        raise UserError(f"--executor ray: Ray cannot start: {one_line(error)}") from error
    # Its notices of dead workers go to stdout, among our tables and JSON: they are told here.
    with suppress(ImportError):
        vars(import_module("ray._private.worker"))["_worker_logs_enabled"] = False
    _address = wanted
    atexit.register(ray.shutdown)
    return ray


def _refuse_silence(address: str) -> None:
    """Ray ends the whole process when an address does not answer: ask it in another one."""
    how = "start one with `ray start --head`, or leave the address out"
    if "://" in address:
        raise UserError(
            f"--executor ray:{address}: give host:port of the cluster's head, or auto, and run "
            "tokbench on one of its machines"
        )
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise UserError(f"--executor ray:{address}: write ray:HOST:PORT or ray:auto")
        try:
            socket.create_connection((host, int(port)), timeout=min(10.0, ANSWER)).close()
        except OSError as error:
            raise UserError(
                f"--executor ray:{address}: does not answer ({one_line(error)}); {how}"
            ) from error
    ask = "import sys, ray; ray.init(address=sys.argv[1], logging_level='CRITICAL')"
    try:
        asked = subprocess.run(
            [sys.executable, "-c", ask, address], capture_output=True, text=True, timeout=ANSWER
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"--executor ray:{address}: no Ray answers there in {ANSWER:.0f} s; {how} "
            "(TOKBENCH_RAY_ANSWER=SECONDS waits longer)"
        ) from error
    if asked.returncode:
        said = [line.strip() for line in asked.stderr.splitlines() if "Error: " in line]
        why = said[-1].partition("Error: ")[2][:200] if said else "no Ray answers there"
        raise UserError(f"--executor ray:{address}: {why}; {how}")


def shares(resources: dict[str, float], executor: Executor) -> tuple[int, int]:
    """How many workers, and threads of each."""
    cores, cards = int(resources.get("CPU", 0)), resources.get("GPU", 0.0)
    if executor.gpus > cards:
        raise UserError(
            f"Ray: the tokenizer wants {executor.gpus:g} GPU, the cluster has {cards:g}; "
            "say device=cpu, or use a cluster with GPUs"
        )
    room = min(cores, int(cards / executor.gpus)) if executor.gpus else cores
    count = executor.workers or max(1, room)
    return count, max(1, (os.cpu_count() or 1) // count) if not executor.address else 1
