"""Arguments, exit status and messages of the ``scge`` command."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence

import scge_pyg
from scge_pyg.cli import check, demo, discover
from scge_pyg.cli.errors import UsageError
from scge_pyg.cli.logs import logging_to_stderr

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print a machine-readable summary on stdout")
    common.add_argument("-v", "--verbose", action="count", default=0, help="say what was decided; twice: everything")
    common.add_argument("-q", "--quiet", action="store_true", help="errors only, no progress bars")
    parser = argparse.ArgumentParser(
        prog="scge",
        description=scge_pyg.__doc__,
        epilog="'scge discover --help', 'scge check --help' and 'scge demo --help' show examples.",
    )
    parser.add_argument("--version", action="version", version=f"scge-pyg {scge_pyg.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    discover.add_parser(commands, common)
    check.add_parser(commands, common)
    demo.add_parser(commands, common)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Arguments. Default: those of the process.

    Returns:
        0 if all went well, 2 for bad arguments or input (one line on stderr says which), 1 for anything unexpected, and
        for a layout that doesn't fit.
    """
    try:
        args = _parser().parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    args.verbosity = -1 if args.quiet else args.verbose
    with logging_to_stderr(args.verbosity):
        try:
            status: int | None = args.run(args)
        except UsageError as error:
            if args.verbose > 1:
                traceback.print_exc()
            print(f"scge: {' '.join(str(error).split())}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("scge: interrupted", file=sys.stderr)
            return 1
        except Exception:
            traceback.print_exc()
            return 1
    return status or 0
