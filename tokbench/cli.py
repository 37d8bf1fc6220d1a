"""The command line: parsers only. A command's module is imported when it runs."""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from tokbench import own_version
from tokbench.arguments import FORMATS, use_weights, weights_argument
from tokbench.arguments import bench as bench_arguments
from tokbench.arguments import diff as diff_arguments
from tokbench.arguments import mixture as mixture_arguments
from tokbench.arguments import positive as _positive
from tokbench.arguments import rate as rate_arguments
from tokbench.arguments import submit as submit_arguments
from tokbench.arguments import sweep as sweep_arguments
from tokbench.arguments import workers as workers_arguments
from tokbench.errors import BUG, INTERRUPTED, USER, UserError, near

_EXAMPLES = """examples:
  tokbench eval mistral:v3                       a packaged vocabulary on data that is there at once
  tokbench eval path/to/tokenizer.json --data my.txt
  tokbench eval webp:25 opus:12                  pictures and sound: the same command
  tokbench compare mistral:v3 mistral:tekken     what differs, with intervals
  tokbench report mistral:v3 mistral:tekken      the same as a page, with figures
  tokbench leaderboard cldr-names                what others measured
  tokbench list metrics; tokbench show premium   what can be measured, and what it means
"""


class _Parser(argparse.ArgumentParser):
    """argparse with one clear line (and a near match) for a wrong argument."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """A command itself refuses what it does not know, so that its own options are offered."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def error(self, message: str) -> NoReturn:
        if "invalid choice" in message:
            given = message.partition("invalid choice: '")[2].partition("'")[0]
            known = message.partition("(choose from ")[2].rstrip(")").replace("'", "").split(", ")
            message = f"'{given}' is not one of {', '.join(known)}{near(given, known)}"
        elif message.startswith("unrecognized arguments:"):
            given = message.partition(": ")[2].split()[0].partition("=")[0]
            message = f"no option or argument '{given}'{near(given, self._known_options())}"
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(USER)

    def _known_options(self) -> set[str]:
        """Options of this parser and of its commands, one of which was given the argument."""
        known: set[str] = set()
        for action in self._actions:
            known.update(action.option_strings)
            if isinstance(action, argparse._SubParsersAction):
                for parser in action.choices.values():
                    known |= parser._known_options()
        return known


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tokbench",
        description="Measure tokenizers with the metrics their fields trust.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=summary, description=summary)

    run = command("eval", "measure tokenizers and write their records")
    run.add_argument(
        "spec",
        nargs="+",
        metavar="SPEC",
        help="family:reference, a range jpeg:10..90:10, or a path",
    )
    _questions(run)
    _format(run)
    run.add_argument("--full", action="store_true", help="show the scores of every group")
    run.add_argument(
        "--plan",
        action="store_true",
        help="only say what it would take: shards, time, memory, downloads",
    )
    run.add_argument("--again", action="store_true", help="measure anew what has a record")

    compare = command("compare", "differences between tokenizers, with paired intervals")
    compare.add_argument(
        "subject",
        nargs="+",
        metavar="A",
        help="specs, record files or leaderboard rows (TASK/NAME)",
    )
    _questions(compare)
    _format(compare)
    compare.add_argument("--full", action="store_true", help="show the scores of every group")

    diff_arguments(command("diff", "what changed between two records; fails where it may not"))

    rate = command("rate", "rate-distortion curves: BD-rate, and quality at equal rate")
    rate_arguments(rate)
    _questions(rate)
    _format(rate)

    report = command("report", "a page that shows what was measured, and the evidence")
    report.add_argument(
        "subject",
        nargs="+",
        metavar="SUBJECT",
        help="specs, record files, leaderboard rows (TASK/NAME) or a TASK of the leaderboard",
    )
    report.add_argument("--single-file", action="store_true", help="one page with everything in it")
    _questions(report, out="report", what="folder of the report; default: report")
    report.add_argument("--runs", default="runs", metavar="DIR", help="run folders; default: runs")

    submit = command("submit", "check records and file them in a leaderboard")
    submit_arguments(submit)

    board = command("leaderboard", "the table of filed records")
    board.add_argument("task", nargs="?", metavar="TASK")
    _board(board)
    board.add_argument("--html", metavar="DIR", help="write it as a site that needs no server")
    board.add_argument(
        "--scores", metavar="NAME,…", help="columns; default: the task's headline scores"
    )
    _format(board)

    listing = command("list", "what there is")
    listing.add_argument(
        "kind", nargs="?", choices=("tokenizers", "tasks", "datasets", "metrics", "suites")
    )
    listing.add_argument("--format", choices=("table", "json"), default="table")

    show = command("show", "everything about a tokenizer family, task, dataset, metric or suite")
    show.add_argument("name", metavar="NAME")

    check = command("check", "does an adapter keep its promises?")
    check.add_argument("spec", nargs="+", metavar="SPEC")
    check.add_argument("--format", choices=("table", "json"), default="table")

    bench_arguments(command("bench", "how fast tokenizers are on this machine"))

    parity = command("parity", "do two implementations of one vocabulary cut text alike?")
    parity.add_argument("a", metavar="A", help="family:reference or a path")
    parity.add_argument("b", metavar="B")
    parity.add_argument(
        "--data", default="parallel-mini", metavar="NAME_OR_PATH", help="default: parallel-mini"
    )
    parity.add_argument("--split", metavar="SPLIT")
    parity.add_argument("--limit", type=_positive, metavar="N", help="first N lines of each group")
    parity.add_argument("--format", choices=("table", "json"), default="table")

    correlate = command("correlate", "does a score go with downstream results?")
    correlate.add_argument("metric", metavar="METRIC", help="a score, such as premium/max")
    correlate.add_argument(
        "--with",
        dest="results",
        required=True,
        metavar="CSV",
        help="a table with a column `tokenizer` (names as in the leaderboard) and one of numbers",
    )
    correlate.add_argument("--column", default="score", metavar="NAME", help="default: score")
    correlate.add_argument("--task", metavar="TASK", help="default: every task")
    _board(correlate)
    correlate.add_argument("--plot", metavar="FILE", help="a scatter plot, .png or .svg")
    _format(correlate)

    redundancy = command("redundancy", "which scores of a leaderboard say the same?")
    redundancy.add_argument("--task", metavar="TASK", help="default: every task")
    _board(redundancy)
    redundancy.add_argument("--format", choices=("table", "json"), default="table")

    sweep_arguments(command("sweep", "which vocabulary sizes make languages pay the same?"))

    mixture_arguments(command("mixture", "what was a BPE trained on? shares of categories"))

    data = command("data", "fetch, verify or list datasets")
    data.add_argument("action", choices=("fetch", "verify", "list"))
    data.add_argument("name", nargs="?", metavar="NAME")
    data.add_argument("--split", metavar="SPLIT")
    return parser


def _questions(
    parser: argparse.ArgumentParser, out: str = "runs", what: str = "run folders; default: runs"
) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--suite", metavar="NAME", help="a named list of tasks; default by modality")
    which.add_argument(
        "--task", action="append", metavar="NAME", help="a task, or a task file; may repeat"
    )
    parser.add_argument(
        "--data", metavar="NAME_OR_PATH", help="a dataset, file or folder instead of the task's own"
    )
    parser.add_argument("--split", metavar="SPLIT")
    parser.add_argument(
        "--groups", metavar="CODE,…", help="only these groups (languages) of the data"
    )
    parser.add_argument(
        "--lexicon", metavar="FILE", help="your own word list for language-tokens, pure-tokens"
    )
    parser.add_argument("--reference", metavar="CODE", help="reference language, such as eng_Latn")
    parser.add_argument("--out", default=out, metavar="DIR", help=what)
    weights_argument(parser)
    parser.add_argument(
        "--limit",
        type=_positive,
        metavar="N",
        help="first N samples of each group: a trial, never submitted",
    )
    workers_arguments(parser)


def _board(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="folder",
        metavar="DIR",
        help="default: leaderboards here, else the shipped one",
    )


def _format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMATS, default="table")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code (see `tokbench.errors`)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that has no arrows
    try:
        try:
            status = _dispatch(given)
        except SystemExit as error:  # argparse has printed help or an error
            status = error.code if isinstance(error.code, int) else USER
        sys.stdout.flush()  # here, so that a reader who has gone or a full disk shows
        return status
    except UserError as error:
        if os.environ.get("TOKBENCH_DEBUG"):
            raise
        print(f"tokbench: {error}", file=sys.stderr)
        return USER
    except KeyboardInterrupt:
        again = "; the same command goes on where it stopped" if given[:1] in _RESUMED else ""
        print(f"tokbench: interrupted{again}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _close_output()  # the reader of our output has gone (| head); nothing is wrong
        return 0
    except Exception as error:
        if os.environ.get("TOKBENCH_DEBUG"):
            raise
        if isinstance(error, OSError) and error.errno in _MACHINE:
            _close_output()
            where = f"{error.filename}: " if error.filename else ""
            what = "read or write" if isinstance(error, PermissionError) else "write"
            print(f"tokbench: {where}cannot {what}: {error.strerror}", file=sys.stderr)
            return USER
        import traceback

        traceback.print_exc()
        print(
            f"tokbench: this is a bug of tokbench: {type(error).__name__}: {error}", file=sys.stderr
        )
        return BUG


_RESUMED = (["eval"], ["compare"], ["rate"], ["report"], ["sweep"])
"""Commands that keep their finished shards."""

_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
"""What a disk or its owner refuses; wherever it comes up, it is not our bug."""


def _close_output() -> None:
    """Send what is left for stdout nowhere, or the interpreter complains as it exits."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(given: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(given)
    if options.version:
        print(f"tokbench {own_version()}")
        return 0
    if options.command is None:
        parser.print_help()
        return 0
    from importlib import import_module

    use_weights(options)
    module, function = _FUNCTIONS.get(options.command, (options.command, options.command))
    command = getattr(import_module(f"tokbench.commands.{module}"), function)
    return int(command(options, given) or 0)


_FUNCTIONS = {
    "eval": ("evaluate", "evaluate"),
    "list": ("listing", "list_names"),
    "show": ("listing", "show_name"),
}


if __name__ == "__main__":
    sys.exit(main())
