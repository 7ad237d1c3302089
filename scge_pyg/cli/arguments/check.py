"""Arguments of ``scge check``."""

from __future__ import annotations

from argparse import BooleanOptionalAction, Namespace

from scge_pyg.cli.arguments.parser import Parser, as_paths, check_picture
from scge_pyg.usage import UsageError

__all__ = ["check", "parser"]

_EXAMPLES = """\
examples:
  scge check recording.npy --layout probe.json             contacts are wired as the probe says
  scge check recording.dat --raw int16 --channels 64 --layout probe.prb
  scge check eeg.csv --layout cap.locs -o layout.png      channels are matched by name
  scge check readings.csv --layout places.csv --json      places.csv: name, x, y or name, x, y, z

It says in words what is swapped, turned, shifted, mirrored, doubled, inverted or dead, then shows each channel: gain
of predicting it from the others at its claimed place and at the best other one, in nats a sample, and p-value.

exit status: 0 the layout fits, 1 a channel is suspect, 2 bad arguments or input
"""


def parser(command: str = "check") -> Parser:
    """All options."""
    parser = Parser(
        command,
        "Say from a recording whether its channels are where a layout claims, and where they are if not.",
        _EXAMPLES,
    )
    parser.add_input("DATA", "samples, in any format that scge discover reads")
    parser.add_argument(
        "--layout",
        type=str,
        required=True,
        metavar="FILE",
        help="claimed places: .csv, .tsv, .json (probeinterface), .prb, .locs, .elc or .sfp",
    )
    parser.add_argument("-o", "--output", type=str, metavar="PICTURE", help="picture to write, with arrows (.png ...)")
    parser.add_argument("--overwrite", action="store_true", help="replace PICTURE")
    parser.add_argument("--key", type=str, help="name of one of several arrays")
    parser.add_argument(
        "--raw", type=str, metavar="TYPE", help="bare numbers of this type, such as int16, channel fastest"
    )
    parser.add_argument("--channels", type=int, metavar="N", help="number of channels of --raw")
    parser.add_argument("--rate", type=float, metavar="HZ", help="samples a second of --raw or .h5")
    parser.add_argument("--header", action=BooleanOptionalAction, help="whether a .csv begins with names")
    parser.add_argument(
        "--columns", type=str, metavar="A,B,C", help="channels, by name or number from 0; ranges such as 3-10"
    )
    parser.add_argument("--drop", type=str, metavar="A,B", help="columns to leave out")
    parser.add_argument("--time-column", type=str, metavar="A", help="column of times, which is no channel")
    parser.add_argument("--missing-value", type=float, metavar="V", help="the number that stands for a missing value")
    parser.add_argument("--replicates", type=int, default=199, help="recordings drawn for p-values (default: 199)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all randomness (default: 0)")
    return parser


def check(args: Namespace) -> None:
    """Refuse what needs no data to be refused."""
    if args.input is None:
        raise UsageError("check: DATA is needed; see scge check --help")
    as_paths(args, "input", "layout", "output")
    check_picture(args.output, overwrite=args.overwrite)
