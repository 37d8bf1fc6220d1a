"""The Hugging Face hub: is it there, and single files of it or of a folder.

Its libraries retry for a minute before they say no, so what is in their cache is looked for first.
"""

from __future__ import annotations

import logging
import os
import urllib.error
import urllib.request
from pathlib import Path

from tokbench.errors import UserError, one_line
from tokbench.probes.weights import may_fetch


def require_hub(what: str, instead: str) -> None:
    """Raise `UserError` at once when the hub cannot be reached.

    what: the thing wanted; instead: what the user can do without a network.
    """
    may_fetch(what)
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    reason = (
        "HF_HUB_OFFLINE is set" if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0") else ""
    )
    if not reason:
        try:
            urllib.request.urlopen(
                urllib.request.Request(endpoint, method="HEAD"), timeout=10
            ).close()
        except urllib.error.HTTPError:
            return  # it answers
        except (OSError, ValueError) as error:
            reason = one_line(getattr(error, "reason", None) or error)
    if reason:
        why = f"the hub cannot be reached ({reason}) and its cache does not have it"
        raise UserError(f"{what}: {why}; {instead}")


def file_of(reference: str, name: str, revision: str | None) -> Path | None:
    """The file `name` of a folder or a hub repository (`org/name`), downloaded where need be;
    None where it has none. Raises `UserError` for a repository that cannot be had."""
    folder = Path(reference).expanduser()
    if folder.is_dir():
        return folder / name if (folder / name).is_file() else None
    if folder.exists() or reference.count("/") != 1 or reference[0] in "./~":
        raise UserError(f"{reference}: no such folder, and no hub repository (org/name)")
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError

    known = huggingface_hub.try_to_load_from_cache(reference, name, revision=revision)
    if isinstance(known, str):
        return Path(known)
    require_hub(reference, "download it where there is a network and give the folder")
    try:
        return Path(huggingface_hub.hf_hub_download(reference, name, revision=revision))
    except EntryNotFoundError:
        return None
    except Exception as error:
        raise UserError(f"{reference}: {one_line(error)}") from error
