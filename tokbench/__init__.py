"""tokbench: measure text, visual and audio tokenizers with the metrics their fields trust."""


def own_version() -> str:
    """Version of the installed tokbench."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tokbench")
    except PackageNotFoundError:
        return "unknown"
