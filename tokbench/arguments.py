"""Argument types that refuse in one line, and the arguments of the longer commands."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from tokbench.errors import UserError, near

FORMATS = ("table", "json", "csv", "md")


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return int(text)


def natural(text: str) -> int:
    """A whole number from 0."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0")
    return int(text)


def replicates(text: str) -> int:
    """0, or 2 or more."""
    if not text.isdigit() or int(text) == 1:
        raise argparse.ArgumentTypeError(f"'{text}': give 0, or 2 replicates or more")
    return int(text)


_EXECUTORS = ("serial", "processes", "ray")


def executor(text: str) -> str:
    """serial, processes, ray or ray:ADDRESS."""
    kind, colon, address = text.partition(":")
    if kind not in _EXECUTORS or (colon and (kind != "ray" or not address)):
        hint = near(kind, _EXECUTORS) if kind not in _EXECUTORS else ""
        raise argparse.ArgumentTypeError(
            f"'{text}': choose serial, processes, ray or ray:HOST:PORT{hint}"
        )
    return text


def workers(parser: argparse.ArgumentParser) -> None:
    """Who does the work, and how many of them."""
    parser.add_argument(
        "--workers", type=positive, metavar="N",
        help="processes, or workers of --executor; default 1",
    )  # fmt: skip
    parser.add_argument(
        "--executor", type=executor, metavar="NAME",
        help="serial, processes, ray or ray:HOST:PORT; with ray every core unless --workers says",
    )  # fmt: skip


def names(text: str) -> list[str]:
    """`a,b,c`, each once."""
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of names: a,b,c")
    return list(dict.fromkeys(found))


def sizes(text: str) -> list[int]:
    """`500,1000`, ascending, each once."""
    return sorted({positive(size.strip()) for size in text.split(",")})


def share(text: str) -> float:
    """A number between 0 and 1, neither of them."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share between 0 and 1")
    return found


def seconds(text: str) -> float:
    """A number above 0."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds above 0")
    return found


def rates(text: str) -> list[float]:
    """`0.25,0.5`, ascending, each once."""
    try:
        found = sorted({float(rate) for rate in text.split(",")})
    except ValueError:
        found = [0.0]
    if not all(0 < rate < float("inf") for rate in found):
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of rates above 0: 0.25,0.5")
    return found


def weights_argument(parser: argparse.ArgumentParser) -> None:
    """Where trained weights lie that no wheel carries."""
    parser.add_argument(
        "--weights", metavar="DIR",
        help="a folder of weights that metrics would fetch (Inception, CLIP, …)",
    )  # fmt: skip


def use_weights(options: argparse.Namespace) -> None:
    """Put the folder before those of `TOKBENCH_WEIGHTS`, here and in every worker."""
    folder = getattr(options, "weights", None)
    if folder is None:
        return
    if not Path(folder).is_dir():
        raise UserError(f"--weights: no folder '{folder}'")
    known = os.environ.get("TOKBENCH_WEIGHTS", "")
    chosen = [str(Path(folder).resolve()), *filter(None, [known])]
    os.environ["TOKBENCH_WEIGHTS"] = os.pathsep.join(chosen)


def submit(parser: argparse.ArgumentParser) -> None:
    """What `tokbench submit` takes."""
    parser.add_argument("record", nargs="+", metavar="RECORD", help="record.json or its run folder")
    parser.add_argument("--to", default="leaderboards", metavar="DIR", help="default: leaderboards")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--pr", action="store_true", help="print the git commands that propose them")
    how.add_argument("--run", action="store_true", help="run these commands: branch, commit, push")
    how.add_argument(
        "--verify", action="store_true",
        help="file nothing: check what can be checked, and re-run a shard of each record",
    )  # fmt: skip
    parser.add_argument(
        "--with", dest="trusted", action="append", default=[], metavar="SPEC",
        help="for --verify: a spec, a file, or a folder of files that the records name",
    )  # fmt: skip
    parser.add_argument(
        "--weights", metavar="DIR",
        help="for --verify: a folder in which weights lie that the records name (taef2, lyra)",
    )  # fmt: skip


def diff(parser: argparse.ArgumentParser) -> None:
    """What `tokbench diff` takes."""
    what = "a record, a run folder, a folder of run folders, or a leaderboard row (TASK/NAME)"
    parser.add_argument("old", metavar="OLD", help=what)
    parser.add_argument("new", metavar="NEW", help="the same question, later")
    parser.add_argument(
        "--fail-on", action="append", default=[], metavar="RULE",
        help="exit with 3 where a score moved too far: 'premium/tur_Latn>+2%%' (of the old value), "
        "'lossless<-0.001' (in its unit), 'premium/*>+2%%'; may repeat",
    )  # fmt: skip
    parser.add_argument("--scores", metavar="NAME,…", help="default: the headline scores")
    parser.add_argument("--full", action="store_true", help="show the scores of every group")
    parser.add_argument(
        "--task", action="append", metavar="FILE", help="the task file, if your own"
    )
    parser.add_argument(
        "--data", metavar="NAME_OR_PATH", help="the data, if your own: it tells what is parallel"
    )
    parser.add_argument("--split", metavar="SPLIT")
    parser.add_argument("--format", choices=FORMATS, default="table")


def rate(parser: argparse.ArgumentParser) -> None:
    """What `tokbench rate` takes beside the questions of `eval`."""
    points = "specs (with ranges: jpeg:10..90:10), record files or leaderboard rows"
    parser.add_argument(
        "subject", nargs="+", metavar="A",
        help=f"{points}; names that differ in numbers alone make a curve",
    )  # fmt: skip
    parser.add_argument(
        "--against", nargs="+", required=True, metavar="B", help=f"the baseline curve: {points}"
    )
    parser.add_argument("--metric", metavar="SCORE", help="default: the task's main score")
    parser.add_argument(
        "--rate", metavar="SCORE",
        help="default: bits-per-pixel or bits-per-second (or …/packed, …/entropy, …/coded)",
    )  # fmt: skip
    parser.add_argument(
        "--at", type=rates, default=[], metavar="RATE,…", help="compare the curves at these too"
    )
    parser.add_argument(
        "--fit", choices=("pchip", "akima", "cubic"), default="pchip",
        help="curve through the points for BD-rate; default: pchip",
    )  # fmt: skip
    parser.add_argument("--plot", metavar="FILE", help="the curves, .png or .svg")


def bench(parser: argparse.ArgumentParser) -> None:
    """What `tokbench bench` takes."""
    parser.add_argument(
        "spec", nargs="+", metavar="SPEC",
        help="family:reference, a range jpeg:10..90:10, or a path; several are timed in turn, and "
        "the first held against each that gives the same ids",
    )  # fmt: skip
    parser.add_argument(
        "--data", metavar="NAME_OR_PATH",
        help="what is tokenized; default: sentences in 24 languages, Python sources and numbers; "
        "photographs; speech",
    )  # fmt: skip
    parser.add_argument("--split", metavar="SPLIT")
    parser.add_argument(
        "--limit", type=positive, metavar="N",
        help="first N texts of each group; default: 512 KiB. First N images or clips; default: 16",
    )  # fmt: skip
    parser.add_argument(
        "--repeats", type=positive, default=7, metavar="N",
        help="timings of each figure; default 7 (under 6 give no interval)",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="beside one; default: every core"
    )
    parser.add_argument(
        "--batch", type=sizes, metavar="N,…", help="samples in one call; default: 1,8,64,512"
    )
    parser.add_argument(
        "--cap", type=seconds, default=2.0, metavar="S",
        help="seconds that one adversarial text may take, and a pass over a corpus a quarter of "
        "it; default 2",
    )  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, default="table")


def sweep(parser: argparse.ArgumentParser) -> None:
    """What `tokbench sweep` takes."""
    parser.add_argument(
        "--algorithm", type=names, default=["bpe"], metavar="NAME,…",
        help="bpe, unigram, wordpiece, superbpe; default: bpe",
    )  # fmt: skip
    parser.add_argument(
        "--vocab", type=sizes, default=[500, 1000, 2000, 4000], metavar="N,…",
        help="vocabulary sizes; default: 500,1000,2000,4000",
    )  # fmt: skip
    parser.add_argument(
        "--data", default="flores200", metavar="NAME_OR_PATH",
        help="parallel text to evaluate on; default: flores200",
    )  # fmt: skip
    parser.add_argument("--split", metavar="SPLIT")
    parser.add_argument(
        "--on", metavar="NAME_OR_PATH", help="training text; default: other sentences of --data"
    )
    parser.add_argument("--on-split", metavar="SPLIT")
    parser.add_argument(
        "--train-share", type=share, default=0.8, metavar="X",
        help="without --on: share of the sentences to train on; default: 0.8",
    )  # fmt: skip
    parser.add_argument(
        "--train-bytes", type=sizes, default=[], metavar="N,…",
        help="amounts of training text, in bytes of the reference; default: the most all have",
    )  # fmt: skip
    parser.add_argument(
        "--match", choices=("sentences", "content", "bytes"),
        help="training text of a language: the same sentences (default where parallel), the same "
        "bytes times its byte premium (default elsewhere), or the same bytes",
    )  # fmt: skip
    parser.add_argument(
        "--languages", type=names, default=[], metavar="CODE,…", help="default: all"
    )
    parser.add_argument("--reference", metavar="CODE", help="default: eng_Latn, else the first")
    parser.add_argument(
        "--at", type=positive, metavar="N",
        help="equalise to the reference's tokens at this size; default: near its middle size, "
        "where most languages can follow",
    )  # fmt: skip
    parser.add_argument("--out", default="sweep", metavar="DIR", help="results; default: sweep")
    workers(parser)
    parser.add_argument("--format", choices=FORMATS, default="table")


def mixture(parser: argparse.ArgumentParser) -> None:
    """What `tokbench mixture` takes."""
    parser.add_argument("spec", metavar="SPEC", help="family:reference or a path")
    parser.add_argument(
        "--on",
        required=True,
        metavar="NAME_OR_PATH",
        help="the categories: a dataset with groups, or a folder with a file for each",
    )
    parser.add_argument("--split", metavar="SPLIT")
    parser.add_argument(
        "--merges", type=positive, default=3000, metavar="N", help="first merges; default 3000"
    )
    parser.add_argument(
        "--bytes-per-category", type=positive, metavar="N", help="the first N bytes; default: all"
    )
    parser.add_argument(
        "--bootstrap",
        type=replicates,
        default=50,
        metavar="N",
        help="replicates for the intervals; default 50, 0 for none",
    )
    parser.add_argument("--seed", type=natural, default=0, metavar="S", help="of the bootstrap")
    parser.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="processes; default 1"
    )
    parser.add_argument("--out", metavar="DIR", help="write the result as JSON there")
    parser.add_argument("--format", choices=FORMATS, default="table")
