"""Arguments of ``scge demo``."""

from __future__ import annotations

from argparse import Namespace

from scge_pyg.cli.arguments.parser import Parser, as_paths

__all__ = ["check", "parser"]

_EXAMPLES = """\
examples:
  scge demo                    everything, under a minute on two cores
  scge demo --quick -o quick   smaller patches and one seed, under half a minute
  scge demo --json -q          numbers only

The pixels of photo patches, of handwritten digits at random places of a canvas, and of the same digits always in the
same place, are shuffled by one unknown permutation. `discover` finds their geometry from the training samples alone.
Then five classifiers are trained, each at the rate that suits it best: logistic regression, an MLP and a CNN that get
the shuffled pixels, an SCGE network that gets the shuffled pixels and the discovered graph, and a CNN that is told the
true grid. The last task is one where geometry isn't needed: in 64 pixels that are always the same, a dense network sees
all there is.
"""


def parser(command: str = "demo") -> Parser:
    """All options."""
    parser = Parser(
        command,
        "The main job on real images: find the geometry of shuffled pixels and train a network on it.",
        _EXAMPLES,
    )
    parser.add_argument(
        "-o", "--output", type=str, metavar="DIR", default="demo", help="folder to write (default: demo)"
    )
    parser.add_argument("--quick", action="store_true", help="smaller patches, one seed")
    parser.add_argument("--seed", type=int, default=0, help="seed of patches and permutations (default: 0)")
    return parser


def check(args: Namespace) -> None:
    """Refuse what needs no data to be refused."""
    as_paths(args, "output")
