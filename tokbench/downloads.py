"""What a run would have to download, found out without downloading anything."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokbench.dataset import find_files
from tokbench.files import PACKAGE
from tokbench.manifest import load_manifest, manifest_names
from tokbench.specs import ON_THE_HUB, resolve
from tokbench.strict import load_toml
from tokbench.task import Task

ALSO = ("neural-codec", "snac")
"""Families beside `ON_THE_HUB` whose reference may be a repository."""


@dataclass(frozen=True, slots=True)
class Download:
    """what: tokenizer, weights or data. size: bytes, None where nobody says. why: where tokbench
    cannot fetch it by itself, what to do instead."""

    what: str
    source: str
    size: int | None = None
    why: str = ""


def costs() -> dict[str, Any]:
    """The checked-in table `costs.toml`."""
    return load_toml(PACKAGE / "costs.toml", dict[str, Any])


def of_the_spec(spec: str) -> list[Download]:
    """Files of a hub repository or of tiktoken that are not in their library's cache."""
    found = resolve(spec)
    reference = found.reference.rpartition("@")[0] or found.reference
    if found.family.endswith("()"):
        return of_the_spec(found.reference)
    if Path(reference).expanduser().exists():
        return []
    if found.family in ON_THE_HUB or (found.family in ALSO and _is_repository(reference)):
        return _of_the_hub("tokenizer", reference, found.reference.partition("@")[2] or None)
    if found.family == "tiktoken" and not _tiktoken_is_here(reference):
        return [Download("tokenizer", f"OpenAI's file of {reference}")]
    return []


def _tiktoken_is_here(name: str) -> bool:
    from tiktoken_ext import openai_public

    from tokbench.tokenizers.text.tiktokens import replaced_loader

    seen: list[str] = []

    def note(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
        seen.append(url)
        return {}

    constructor = openai_public.ENCODING_CONSTRUCTORS.get(name)
    if constructor is None or constructor.__name__ == "gpt2":
        return constructor is None  # an unknown name is refused when it is loaded
    with replaced_loader(note):
        constructor()
    variables = (os.environ.get(v) for v in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"))
    folder = next(filter(None, variables), str(Path(tempfile.gettempdir(), "data-gym-cache")))
    return all(Path(folder, hashlib.sha1(url.encode()).hexdigest()).is_file() for url in seen)


def of_the_data(reference: str, split: str | None) -> list[Download]:
    """The files of a dataset that are not on this machine."""
    shipped = "/" not in reference and reference in manifest_names()
    if not shipped and not reference.endswith(".toml"):
        return []
    manifest = load_manifest(reference)
    wanted = (split or manifest.default_split).split("+")
    lacking = [
        one for one in wanted
        if one in manifest.splits and manifest.generator is None
        and not find_files(manifest, one)
    ]  # fmt: skip
    if not lacking:
        return []
    known = costs()["data"]
    if manifest.get is not None:
        size = known.get(f"{manifest.name}:{lacking[0]}", {}).get("download")
        return [Download("data", manifest.get.url, size)]
    where = f"hub {manifest.hub.repo}" if manifest.hub else manifest.homepage
    why = "" if manifest.hub else manifest.note
    sizes = [known.get(f"{manifest.name}:{one}", {}).get("download") for one in lacking]
    size = sum(sizes) if all(sizes) else None
    return [Download("data", where, size, why)]


def of_the_task(task: Task) -> dict[str, list[Download]]:
    """Weights of probes that are not here, for each signature-less metric name that needs them."""
    found: dict[str, list[Download]] = {}
    for metric in task.made:
        options = metric.options()
        values = {str(value) for value in options.values()}
        lacking = [
            Download("weights", entry["url"], entry.get("bytes"), entry.get("why", ""))
            for entry in costs()["weights"]
            if metric.name in entry["metrics"]
            and (not entry["option"] or entry["option"] in values)
            and not _is_here(entry)
        ]
        lacking += _of_torch_hub(str(options.get("features", "")))
        for key in ("recogniser", "probe"):
            if _is_repository(model := str(options.get(key, ""))):
                lacking += _of_the_hub("weights", model, None)
        if lacking:
            found[metric.name] = lacking
    return found


def _is_here(entry: dict[str, Any]) -> bool:
    from tokbench.probes import weights

    folder = Path(entry.get("folder", "")).expanduser()
    kept = "folder" in entry and any(folder.rglob(entry["file"]))
    return kept or weights.found(entry["file"]) is not None


def _of_torch_hub(features: str) -> list[Download]:
    """Of CLIP and DINOv2 through torch-fidelity, which knows their files."""
    if not features.startswith(("clip-", "dinov2-")):
        return []
    if importlib.util.find_spec("torch_fidelity") is None:
        return []  # the missing package is told when the job is opened
    from tokbench.probes import weights
    from tokbench.probes.features import TorchFidelity

    file, url = TorchFidelity(features).download
    return [] if weights.found(file) else [Download("weights", url)]


def _is_repository(reference: str) -> bool:
    return reference.count("/") == 1 and reference[0] not in "./~" and not Path(reference).exists()


def _of_the_hub(what: str, reference: str, revision: str | None) -> list[Download]:
    """A repository of which the hub's cache has no settings."""
    from huggingface_hub import try_to_load_from_cache

    names = ("tokenizer_config.json", "tokenizer.json", "config.json", "vae/config.json")
    there = (try_to_load_from_cache(reference, name, revision=revision) for name in names)
    if any(isinstance(path, str) for path in there):
        return []
    return [Download(what, f"hub {reference}" + (f"@{revision}" if revision else ""))]
