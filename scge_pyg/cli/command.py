"""Arguments, exit status and messages of the ``scge`` command."""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from argparse import ArgumentError
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import scge_pyg
from scge_pyg.cli.logs import logging_to_stderr
from scge_pyg.usage import UsageError, nearest

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "discover": "find the geometry of measurements",
    "check": "is my channel map right?",
    "show": "what a graph file holds, and its picture",
    "fit": "train a network, or go on where it was stopped",
    "validate": "metrics of the validation samples of a run",
    "test": "metrics of the test samples of a run",
    "predict": "answers of a run to the test samples",
    "report": "one page about a graph or a run, to open in a browser",
    "export": "the network of a run as a file for torch or ONNX",
    "demo": "shuffled images, their geometry, and networks trained on it",
}
"""What each command is for; arguments in ``cli/arguments/NAME.py``, the work in ``cli/NAME.py``."""
_MODULE_OF = dict.fromkeys(("fit", "validate", "test", "predict"), "training")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Arguments. Default: those of the process.

    Returns:
        0 if all went well, 2 for bad arguments or input (one line on stderr says which), 1 for anything unexpected, a
        disk that is full among it, and for a layout that doesn't fit.
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
    except OSError as error:  # a full disk, a folder that may not be written
        print(f"scge: {_failure(error)}", file=sys.stderr)
        return 1
    except Exception:
        traceback.print_exc()
        return 1


def _run(command: str, words: list[str]) -> int:
    if command not in COMMANDS:
        raise UsageError(f"there is no command {command!r}{nearest(command, COMMANDS)}; see scge --help")
    for word, value in pairwise(words):
        if word == "--config" and not Path(value).is_file():
            raise UsageError(f"--config: {value} does not exist")
        if word == "--config" and not Path(value).read_bytes().strip():
            raise UsageError(f"--config: {value} is empty")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:  # where a network of the user's own is
        sys.path.append(str(Path.cwd()))
    module = _MODULE_OF.get(command, command)
    arguments = importlib.import_module(f"scge_pyg.cli.arguments.{module}")
    parser = arguments.parser(command)
    try:
        args = parser.parse_args(words)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except ArgumentError as error:
        hint = nearest(_foreign(str(error)), parser.known())
        raise UsageError(f"{command}: {error}{hint}; see scge {command} --help") from error
    except UsageError:
        raise
    except Exception as error:  # what jsonargparse and yaml let out of a file that is damaged
        said = f"{type(error).__name__}: {error}"
        raise UsageError(f"{command}: the options or their file can't be read ({said})") from error
    args.command, args.verbosity = command, -1 if args.quiet else args.verbose
    arguments.check(args)

    with logging_to_stderr(args.verbosity):
        try:
            status: int | None = importlib.import_module(f"scge_pyg.cli.{module}").run(args)
        except (UsageError, OSError):
            if args.verbose > 1:
                traceback.print_exc()
            raise
    return status or 0


def _failure(error: OSError) -> str:
    """What went wrong with which file, on one line; what is written appears whole or not at all."""
    if error.strerror is None:
        return " ".join(str(error).split())
    where = "" if error.filename is None else f"{error.filename}: "
    return f"{where}{error.strerror}; earlier files are as they were (-vv shows where it happened)"


def _foreign(message: str) -> str:
    """The option that jsonargparse does not know, or nothing."""
    ways = (
        r"unrecognized arguments: (?P<name>[^ =]+)",
        r"Group '(?P<group>\S+)' does not accept option '(?P<name>\S+)'",
        r"Option '(?P<name>\S+)' is not accepted",
    )
    for found in filter(None, (re.search(way, message) for way in ways)):
        parts = found.groupdict()
        return f"{parts['group']}.{parts['name']}" if "group" in parts else parts["name"]
    return ""


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
