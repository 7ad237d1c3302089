"""Arguments of ``scge fit``, ``validate``, ``test`` and ``predict``: those of the classes of :mod:`scge_pyg.train`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from scge_pyg.cli.arguments.of_run import OfRun, WithOptions
from scge_pyg.cli.arguments.parser import Parser
from scge_pyg.usage import UsageError

__all__ = ["check", "parser"]

_SAYS = {
    "fit": "Train a network on data over a node set, from the start or from where the run in the folder was stopped.",
    "validate": "Metrics of the validation samples with the newest weights of a run.",
    "test": "Metrics of the test samples with the newest weights of a run.",
    "predict": "What the newest weights of a run answer to the test samples, or to new ones.",
}
_EXAMPLES = {
    "fit": """\
examples:
  scge fit --config configs/digits.yaml --run.folder runs/digits
  scge fit --config configs/digits.yaml --run.folder runs/digits     again: goes on where it was stopped
  scge fit --data.x readings.csv --data.target label --run.folder runs/mine
  scge fit --config configs/digits.yaml --run.folder runs/lr --model.lr 0.01 --model.options '{channels: [8, 16]}'
  scge fit --data.x readings.csv --task autoencoding --model.options.latent 8 --run.folder runs/codes
  torchrun --nproc-per-node 2 -m scge_pyg fit --config c.yaml --run.folder runs/two --run.devices 2 --run.strategy ddp

In the folder: config.json, versions.json, graph.safetensors, checkpoints/, metrics/, pictures/.
exit status: 0 done, 2 bad arguments or input, 1 anything else
""",
    "validate": "examples:\n  scge validate runs/digits\n",
    "test": "examples:\n  scge test runs/digits\n  scge test runs/digits --data.eval_batch_size 50 --json\n",
    "predict": """\
examples:
  scge predict runs/mine -o tested.csv
  scge predict runs/mine --new today.csv -o answers.csv
""",
}


def parser(command: str) -> Parser:
    """All options; the values of the classes' arguments are checked against their types."""
    from scge_pyg.train import DiscoverGraph, LearnWiring, NodesDataModule, Run, Temperature
    from scge_pyg.train.node_module import Lowered
    from scge_pyg.train.nodes_data import Task

    parser = (WithOptions if command == "fit" else OfRun)(command, _SAYS[command], _EXAMPLES[command])
    if command != "fit":
        parser.add_input("RUN", "folder of a run, whose configuration is taken")
    if command == "predict":
        parser.add_argument("-o", "--output", type=str, metavar="FILE", help="predictions to write (.csv, .npy)")
        parser.add_argument("--overwrite", action="store_true", help="replace FILE")
        parser.add_argument("--new", type=str, metavar="FILE", help="predict all its samples; it needs no classes")
    parser.add_argument("--task", type=Task, default="classification", help="what is learned")
    parser.add_argument("--model.name", type=str, help="class of the network (default: SCGEClassifier, ...)")
    parser.add_argument("--model.options", type=dict, default={}, help="further arguments of that class")
    parser.add_argument("--model.places", type=int, help="columns of trained places to build on instead of the graph")
    parser.add_argument("--model.lr", type=float, help="largest learning rate")
    parser.add_argument("--model.weight_decay", type=float, help="weight decay")
    parser.add_argument("--model.lowered", type=Lowered, help="when layers on a lattice are convolutions")
    parser.add_argument("--graph", type=str, default="discover", help="discover, none, or a file of SharedGraph.save")
    parser.add_class_arguments(DiscoverGraph, "discover", skip={"file"}, instantiate=False)
    parser.add_argument("--teach", type=bool, default=False, help="learn the places by HebbianLoss before each step")
    parser.add_class_arguments(LearnWiring, "wiring", instantiate=False)
    parser.add_argument("--cool", type=bool, default=False, help="let the temperature of trained layers fall")
    parser.add_class_arguments(Temperature, "temperature", instantiate=False)
    parser.add_argument("--snapshots", type=int, default=0, help="epochs between graphs of trained places, 0 for none")
    parser.add_argument("--data.x", type=str, help="samples: .csv, .npy, .npz, or what scge_pyg.io.read reads")
    parser.add_argument("--data.y", type=str, help="classes: .npy or .npz")
    parser.add_class_arguments(NodesDataModule, "data", skip={"x", "y", "task"}, instantiate=False)
    parser.add_class_arguments(Run, "run", skip={"progress"}, instantiate=False)
    return parser


def check(args: Namespace) -> None:
    """Refuse what needs no data to be refused."""
    for name in ("run", "data", "model", "discover", "wiring", "temperature"):
        if not isinstance(args.get(name), Namespace):
            raise UsageError(f"--{name} must hold options by name, got {args.get(name)!r}")
    if args.task is None:
        raise UsageError("--task takes classification, autoencoding or forecasting, got null")
    if args.run.folder is None:
        raise UsageError("a folder is needed: --run.folder runs/mine")
    if (args.data.x is None) == (args.data.dataset is None):
        raise UsageError("either --data.x FILE or --data.dataset NAME is needed; see scge fit --help")
    new = args.get("new")
    files = {"--data.x": args.data.x, "--data.y": args.data.y} if new is None else {"--new": new}
    for option, path in files.items():
        if path is not None and not Path(path).exists():
            raise UsageError(f"{option}: {path} does not exist")
    if args.graph is None or (args.graph not in ("discover", "none") and not Path(args.graph).exists()):
        raise UsageError(f"--graph takes discover, none or a file; {args.graph} does not exist")
    output = args.get("output")
    if output is not None and Path(output).suffix not in (".csv", ".npy"):
        raise UsageError(f"-o names a .csv or .npy file, got {output}")
    if output is not None and not Path(output).absolute().parent.is_dir():
        raise UsageError(f"{output} can't be written: {Path(output).absolute().parent} is no folder")
    if output is not None and Path(output).exists() and not args.overwrite:
        raise UsageError(f"{output} exists; choose another name with -o or add --overwrite")
