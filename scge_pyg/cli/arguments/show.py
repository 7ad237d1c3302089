"""Arguments of ``scge show``."""

from __future__ import annotations

from argparse import Namespace

from scge_pyg.cli.arguments.parser import Parser, as_paths, check_picture
from scge_pyg.usage import UsageError

__all__ = ["check", "parser"]

_EXAMPLES = """\
examples:
  scge show found/graph.safetensors                what was found, in words, and its parts
  scge show found/graph.safetensors -o map.svg     the map
  scge show found/graph.safetensors --json         the same as plain values
"""


def parser(command: str = "show") -> Parser:
    """All options."""
    parser = Parser(command, "Say what a graph file holds, and draw it.", _EXAMPLES)
    parser.add_input("GRAPH", "a graph (.safetensors), or the folder of scge discover or of a run")
    parser.add_argument("-o", "--output", type=str, metavar="PICTURE", help="picture to write (.png, .pdf, .svg)")
    parser.add_argument("--overwrite", action="store_true", help="replace PICTURE")
    return parser


def check(args: Namespace) -> None:
    """Refuse what needs no graph to be refused."""
    if args.input is None:
        raise UsageError("show: GRAPH is needed; see scge show --help")
    as_paths(args, "input", "output")
    check_picture(args.output, overwrite=args.overwrite)
