"""Arguments of ``scge discover``."""

from __future__ import annotations

from argparse import BooleanOptionalAction, Namespace

from scge_pyg.cli.arguments.parser import Parser, as_paths
from scge_pyg.cli.output import check_target
from scge_pyg.usage import UsageError, nearest

__all__ = ["ALSO", "check", "parser"]

ALSO = ("adjacency.csv", "adjacency.npy", "adjacency.npz", "electrodes.tsv")
"""Further files of a result, for other programs."""

_FILES = (
    *("graph.safetensors", "nodes.csv", "partners.csv", "summary.json", "graph.png", "samples.png"),
    *(*ALSO, "coordsystem.json"),
)
_EXAMPLES = """\
examples:
  scge discover readings.csv -o geometry            columns are nodes, rows are samples
  scge discover readings.csv -o geometry --columns 3-10,16 --missing-value 0
  scge discover photos/ -o geometry --shuffle-seed 0   shuffle the pixels first, then find them again
  scge discover images.npy --image -o geometry      [S, H, W] or [S, H, W, C], scored against the true grid
  scge discover data.npz --key x_train --image -o geometry --json
  scge discover probe.dat --raw int16 --channels 64 --rate 30000 -o geometry
  scge discover night.edf -o geometry               EEG channels; bad ones are not live (extra 'readers')
  scge discover --counts beads.csv.gz -o geometry   beads by partners: row, column, count; or a dense table
  scge discover --affinity contacts.mtx --balance -o geometry
  scge discover --affinity x.mcool::/resolutions/1000000 --balance -o geometry

files written to OUTDIR:
  graph.safetensors   the graph; read it with scge_pyg.SharedGraph.load
  partners.csv        name and coordinates of each column (counts only)
  nodes.csv           name, coordinates, component, confidence, sign and neighbours of each node
  summary.json        what was found, how well it predicts, and how long it took
  graph.png           learned coordinates, edges and, where they fit, names (extra 'plot')
  adjacency.*, electrodes.tsv with coordsystem.json   with --also
  samples.png         images as they came and put back (images only, extra 'plot')

exit status: 0 done, 2 bad arguments or input, 1 anything else
"""


def parser(command: str = "discover") -> Parser:
    """All options."""
    parser = Parser(command, "Find the geometry of measurements whose nodes are in an unknown order.", _EXAMPLES)
    parser.add_input(
        "INPUT",
        "samples: .npy, .npz, .csv (also .gz), .parquet, a folder of images, .mat, .nc, .h5, .wav, .edf, .bdf, "
        ".vhdr, .set, .fif, .h5ad, or bare numbers with --raw",
    )
    matrix = "a .csv, .tsv, .mtx (each also .gz), .npz or .npy of "
    parser.add_argument(
        "--counts", type=str, metavar="FILE", help=f"instead of INPUT: {matrix}counts, nodes by partners"
    )
    parser.add_argument(
        "--affinity", type=str, metavar="FILE", help=f"instead of INPUT: {matrix}contacts of the nodes; .cool"
    )
    parser.add_argument("--balance", action="store_true", help="divide uneven yields out of the affinity")
    parser.add_argument(
        "--names", type=str, metavar="FILE", help="names of the rows of --counts or --affinity, one a line"
    )
    parser.add_argument("-o", "--output", type=str, metavar="OUTDIR", required=True, help="folder to write")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier result in OUTDIR")
    parser.add_argument(
        "--key", type=str, help="name of the array in an .npz, .mat, .nc or .h5; of a chromosome in a .cool"
    )
    parser.add_argument(
        "--raw", type=str, metavar="TYPE", help="bare numbers of this type, such as int16, channel fastest"
    )
    parser.add_argument("--channels", type=int, metavar="N", help="number of channels of --raw")
    parser.add_argument("--rate", type=float, metavar="HZ", help="samples a second of --raw or .h5")
    parser.add_argument(
        "--node-dims", type=str, metavar="A,B", help="dimensions of a .nc that nodes run over, such as lat,lon"
    )
    parser.add_argument("--window", type=int, metavar="N", help="cut a .wav into windows of N steps, which are nodes")
    parser.add_argument("--nodes", type=str, choices=("obs", "var"), help="nodes of an .h5ad (default: var)")
    parser.add_argument("--image", action="store_true", help="the array is [S, H, W] or [S, H, W, C]")
    parser.add_argument(
        "--header",
        action=BooleanOptionalAction,
        help="whether the first line of a .csv names the columns (default: judged by the lines below it)",
    )
    parser.add_argument(
        "--columns",
        type=str,
        metavar="A,B,C",
        help="nodes, by name or number from 0; ranges such as 3-10 (default: all but row numbers and times)",
    )
    parser.add_argument("--drop", type=str, metavar="A,B", help="columns to leave out, written as for --columns")
    parser.add_argument("--time-column", type=str, metavar="A", help="column of times: no node, checked to increase")
    parser.add_argument("--missing-value", type=float, metavar="V", help="the number that stands for a missing value")
    parser.add_argument("--shuffle-seed", type=int, metavar="S", help="shuffle the nodes first, as a demonstration")
    parser.add_argument("--dim", type=int, help="dimension of the geometry (default: found from the data)")
    parser.add_argument("--no-snap", action="store_true", help="coordinates only, don't look for a lattice")
    parser.add_argument("--seed", type=int, default=0, help="seed of discovery (default: 0)")
    parser.add_argument(
        "--also",
        type=str,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help=f"write these as well: {', '.join(ALSO[:-1])} or {ALSO[-1]}",
    )
    parser.add_argument("--scale", type=float, metavar="MM", help="millimetres between neighbours in electrodes.tsv")
    parser.add_argument("--no-plot", action="store_true", help="write no pictures")
    return parser


def check(args: Namespace) -> None:
    """Refuse what needs no data to be refused."""
    given = [name for name in ("input", "counts", "affinity") if getattr(args, name) is not None]
    if len(given) != 1:
        raise UsageError(f"one of INPUT, --counts and --affinity is needed, got {len(given)}; see scge discover --help")
    if given != ["affinity"] and args.balance:
        raise UsageError("--balance belongs to --affinity")
    if given == ["input"] and args.names is not None:
        raise UsageError("--names belongs to --counts and --affinity; samples have the names of their columns")
    for name in args.also:
        if name not in ALSO:
            raise UsageError(f"--also takes {', '.join(ALSO[:-1])} and {ALSO[-1]}, got {name}{nearest(name, ALSO)}")
    as_paths(args, *given, "names", "output")
    check_target(args.output, overwrite=args.overwrite, ours=_FILES)
