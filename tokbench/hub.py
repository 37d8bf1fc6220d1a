"""The Hugging Face hub: is it there? Its libraries retry for a minute before they say no."""

from __future__ import annotations

import logging
import os
import urllib.error
import urllib.request

from tokbench.errors import UserError, one_line


def require_hub(what: str, instead: str) -> None:
    """Raise `UserError` at once when the hub cannot be reached.

    what: the thing wanted; instead: what the user can do without a network.
    """
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
