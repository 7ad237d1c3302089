"""Arguments, exit status and messages of the ``scge`` command."""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from argparse import ArgumentError
from collections.abc import Sequence

import scge_pyg
from scge_pyg.cli.errors import UsageError, nearest
from scge_pyg.cli.logs import logging_to_stderr

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "discover": "find the geometry of measurements",
    "check": "is my channel map right?",
    "show": "what a graph file holds, and its picture",
    "demo": "shuffled images, their geometry, and networks trained on it",
}
"""What each command is for; arguments in ``cli/arguments/NAME.py``, the work in ``cli/NAME.py``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Arguments. Default: those of the process.

    Returns:
        0 if all went well, 2 for bad arguments or input (one line on stderr says which), 1 for anything unexpected, and
        for a layout that doesn't fit.
    """
    words = sys.argv[1:] if argv is None else [*argv]
    if not words or words[0] in ("-h", "--help"):
        print(_help(), file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    if words[0] == "--version":
        print(f"scge-pyg {scge_pyg.__version__}")
        return 0
    try:
        return _run(words[0], words[1:])
    except UsageError as error:
        print(f"scge: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("scge: interrupted", file=sys.stderr)
        return 1
    except Exception:
        traceback.print_exc()
        return 1


def _run(command: str, words: list[str]) -> int:
    if command not in COMMANDS:
        raise UsageError(f"there is no command {command!r}{nearest(command, COMMANDS)}; see scge --help")
    arguments = importlib.import_module(f"scge_pyg.cli.arguments.{command}")
    parser = arguments.parser()
    try:
        args = parser.parse_args(words)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except ArgumentError as error:
        unknown = re.search(r"unrecognized arguments: ([^ =]+)|Option '(\S+)' is not accepted", str(error))
        hint = nearest(unknown[1] or unknown[2], parser.known()) if unknown else ""
        raise UsageError(f"{command}: {error}{hint}; see scge {command} --help") from error
    args.verbosity = -1 if args.quiet else args.verbose
    arguments.check(args)

    with logging_to_stderr(args.verbosity):
        try:
            status: int | None = importlib.import_module(f"scge_pyg.cli.{command}").run(args)
        except UsageError:
            if args.verbose > 1:
                traceback.print_exc()
            raise
    return status or 0


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name.ljust(width)}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: scge COMMAND ...\n",
            f"{scge_pyg.__doc__}\n",
            "commands:",
            *lines,
            "\nscge COMMAND --help shows its options and examples; scge --version the version.",
        ]
    )
