"""Arguments of ``scge export``."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from scge_pyg.cli.arguments.parser import Parser, as_paths
from scge_pyg.usage import UsageError

__all__ = ["check", "parser"]

_EXAMPLES = """\
examples:
  scge export runs/digits -o digits.pt2      runs with torch alone
  scge export runs/digits -o digits.onnx     runs with onnxruntime and others (extra 'export')

Layers on a lattice become convolutions. The file takes batches [B, N, C] of any size, nodes in the order of the data,
values as they came: scaling is part of it, filling of gaps is not (NaN stays NaN). A classifier answers with
logits, whose softmax scge predict gives, an autoencoder with the samples rebuilt. Answers are compared with
those of the network.
exit status: 0 done, 2 bad arguments or input, 1 the numbers differ by more than the tolerance
"""


def parser(command: str = "export") -> Parser:
    """All options."""
    parser = Parser(command, "Write the network of a run as a file that runs without this package.", _EXAMPLES)
    parser.add_input("RUN", "folder of a run")
    parser.add_argument("-o", "--output", type=str, required=True, metavar="FILE", help="file to write (.pt2, .onnx)")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE")
    parser.add_argument("--lowered", type=bool, default=True, help="make convolutions of layers on a lattice")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="largest relative difference of answers")
    return parser


def check(args: Namespace) -> None:
    """Refuse what needs no run to be refused."""
    if args.input is None:
        raise UsageError("export: RUN is needed; see scge export --help")
    as_paths(args, "input", "output")
    path: Path = args.output
    if path.suffix not in (".pt2", ".onnx"):
        raise UsageError(f"-o names a .pt2 or .onnx file, got {path}")
    if path.exists() and not args.overwrite:
        raise UsageError(f"{path} exists; choose another name with -o or add --overwrite")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path} can't be written: {path.absolute().parent} is no folder")
