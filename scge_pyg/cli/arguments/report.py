"""Arguments of ``scge report``."""

from __future__ import annotations

from argparse import Namespace

from scge_pyg.cli.arguments.parser import Parser, as_paths
from scge_pyg.usage import UsageError

__all__ = ["check", "parser"]

_EXAMPLES = """\
examples:
  scge report geometry -o report.html                     geometry: what scge discover wrote
  scge report geometry/graph.safetensors -o report.html --samples readings.csv
  scge report geometry -o report.html --samples images.npy --image
  scge report runs/digits -o report.html                  the folder of a run: graph, metrics, config, versions

The page needs nothing beside it and asks nothing of the network. What the folder lacks is said on it.

exit status: 0 done, 2 bad arguments or input, 1 anything else
"""


def parser(command: str = "report") -> Parser:
    """All options."""
    parser = Parser(command, "Write one page about a graph or a run: verdict, map, samples, curves.", _EXAMPLES)
    parser.add_input("RUN_OR_GRAPH", "a graph's file (.safetensors), or a folder with a graph, metrics or both")
    parser.add_argument("-o", "--output", type=str, metavar="PAGE", required=True, help="page to write, .html")
    parser.add_argument("--overwrite", action="store_true", help="replace PAGE")
    parser.add_argument("--samples", type=str, metavar="FILE", help="samples to show before and after, as for discover")
    parser.add_argument("--key", type=str, help="name of one of several arrays of --samples")
    parser.add_argument("--image", action="store_true", help="the array of --samples is [S, H, W] or [S, H, W, C]")
    parser.add_argument("--title", type=str, metavar="TEXT", help="title of the page (default: the name of the source)")
    return parser


def check(args: Namespace) -> None:
    """Refuse what can be refused before anything is read."""
    if args.input is None:
        raise UsageError("report: RUN_OR_GRAPH is needed; see scge report --help")
    as_paths(args, "input", "samples", "output")
    page = args.output
    if page.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"-o names a page, .html; got {page}")
    if page.is_dir() or not page.absolute().parent.is_dir():
        what = "it is a folder" if page.is_dir() else f"{page.absolute().parent} is no folder"
        raise UsageError(f"{page} can't be written: {what}")
    if page.exists() and not args.overwrite:
        raise UsageError(f"{page} exists; choose another name with -o or add --overwrite")
    if args.samples is None and (args.image or args.key is not None):
        raise UsageError(f"--{'image' if args.image else 'key'} belongs to --samples")
