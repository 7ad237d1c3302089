"""Which part may import which, and what works without the extras."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "scge_pyg").rglob("*.py"))
ALLOWED = {
    "graph": set(),
    "io": set(),
    "metrics": set(),
    "analysis": set(),
    "discovery": {"graph", "metrics", "io"},
    "transforms": {"graph"},
    "nn": {"graph", "discovery"},
    "datasets": {"graph", "transforms", "io"},
    "models": {"graph", "discovery", "nn"},
    "plot": {"graph", "metrics", "analysis"},
    "testing": {"graph", "nn"},
    "importing": set(),
    "usage": set(),
    "tables": {"usage"},
    "zoo": set(),
    "train": set(),
    "cli": set(),
}
EVERYTHING = set(ALLOWED)
ALLOWED = {part: parts | {"importing"} for part, parts in ALLOWED.items()}
ALLOWED["train"], ALLOWED["cli"] = EVERYTHING - {"cli", "zoo"}, EVERYTHING - {"zoo"}
ALLOWED["zoo"] = EVERYTHING - {"train", "cli"}
EXTRAS = (
    *("matplotlib", "sklearn", "PIL", "pyarrow", "faiss", "torch_scatter", "lightning", "torchmetrics", "umap"),
    *("plotly", "mne", "h5py", "anndata", "spikeinterface", "probeinterface"),
)


def part_of(path):
    """The part a module belongs to; None for the package's own ``__init__``."""
    first = path.relative_to(ROOT / "scge_pyg").parts[0]
    return None if first in ("__init__.py", "__main__.py") else first.removesuffix(".py")


def own_imports(tree):
    """Parts of scge_pyg that a module imports anywhere; "" for the package itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [
                f"{node.module}.{alias.name}" if node.module == "scge_pyg" else node.module for alias in node.names
            ]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "scge_pyg":
                first = rest.split(".")[0]
                yield first if first in EVERYTHING else ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_one_direction(path):
    part = part_of(path)
    if part is None:
        return
    found = set(own_imports(ast.parse(path.read_text())))
    back_edges = found - ALLOWED[part] - {part}
    if part in ("cli", "train"):
        back_edges.discard("")
    assert not back_edges, f"{part} may import {sorted(ALLOWED[part])} of ours, but imports {sorted(back_edges)}"


def test_the_rule_notices_a_back_edge():
    source = """
def f():
    from scge_pyg.nn import SCGEConv
    import scge_pyg.plot.graphs
    from scge_pyg import cli, SharedGraph
"""
    assert set(own_imports(ast.parse(source))) == {"nn", "plot", "cli", ""}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_names_what_it_offers(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    if path.name == "__main__.py":
        return
    listed = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        and getattr(node.targets[0] if isinstance(node, ast.Assign) else node.target, "id", None) == "__all__"
    ]
    assert listed, f"{path} has no __all__"
    defined = {getattr(node, "name", None) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            defined |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            defined |= {getattr(target, "id", None) for target in targets}
    assert set(listed[0]) <= defined


@pytest.mark.parametrize("path", [path for path in MODULES if "lazily(__name__)" in path.read_text()], ids=str)
def test_lazy_packages_give_what_they_list(path):
    hidden = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.If) and node.orelse]
    assert ["lazily" in ast.unparse(node.orelse[0]) for node in hidden] == [True]  # or type checkers believe any name
    package = importlib.import_module(".".join(path.parent.relative_to(ROOT).parts))
    assert package.__all__
    for name in package.__all__:
        value = getattr(package, name)
        assert not inspect.ismodule(value)
        assert getattr(value, "__name__", name) == name
        assert name in dir(package)
    with pytest.raises(AttributeError, match=r"no attribute 'nothing_of_the_kind'"):
        package.nothing_of_the_kind  # noqa: B018


def test_a_public_name_wins_over_its_module():
    code = "import scge_pyg.discovery.discover; from scge_pyg.discovery import discover; print(discover.__name__)"
    assert fresh(code) == "discover"
    assert fresh("import scge_pyg; print(scge_pyg.nn.fixed.__name__)") == "scge_pyg.nn.fixed"


def test_nothing_heavy_is_imported_before_a_name_is_used():
    code = (
        "import sys, scge_pyg, scge_pyg.graph, scge_pyg.nn; print(sorted({'torch', 'numpy', 'scipy'} & {*sys.modules}))"
    )
    assert fresh(code) == "[]"


def fresh(code):
    """What a fresh interpreter prints."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout.strip()


def run_without_extras(code):
    """Run Python code in a fresh interpreter where no extra can be imported."""
    blocker = f"""
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
for name in {EXTRAS!r}:
    sys.modules[name] = None  # so that importlib.util.find_spec says None, as where it isn't installed
"""
    return subprocess.run(
        [sys.executable, "-c", blocker + code], capture_output=True, text=True, cwd=ROOT, timeout=300, check=False
    )


CORE = """
import importlib, pkgutil
import torch
import scge_pyg

for module in pkgutil.walk_packages(scge_pyg.__path__, "scge_pyg.", onerror=lambda name: None):
    extra = ("scge_pyg.plot", "scge_pyg.train", "scge_pyg.cli.training", "scge_pyg.cli.export")
    if not module.name.startswith(extra) and not module.name.endswith("__main__"):
        importlib.import_module(module.name)

from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from scge_pyg.datasets import NodeDataset
from scge_pyg.graph import knn
from scge_pyg.metrics import cell_accuracy, edge_scores, grid_edges, procrustes_error, trustworthiness
from scge_pyg.transforms import AttachGraph, ImageToNodes

graph = scge_pyg.SharedGraph.from_grid((6, 7))
cells = graph.lattice.cell
assert cell_accuracy(graph, cells) == 1.0
assert edge_scores(graph, grid_edges(cells)).f1 == 1.0
assert procrustes_error(graph.pos, cells.float()) < 1e-6
assert trustworthiness(graph.pos, cells.float()) == 1.0
assert knn(graph.pos, graph.pos, 4, exclude_self=True)[0].min() == 1
assert graph.coarsen(stride=2)[0].num_nodes == 12
assert graph.coarsen(num_nodes=5)[0].num_nodes == 5
assert graph.to_networkx().number_of_nodes() == 42
ds = NodeDataset(ImageToNodes()(torch.rand(8, 3, 6, 7)), torch.arange(8), cells, transform=AttachGraph(graph))
batch = next(iter(DataLoader(ds, batch_size=8)))
conv = scge_pyg.SCGEConv(3, 4, graph)
assert conv(batch.x).shape == (8 * 42, 4)
walk = torch.randn(400, 24, generator=torch.Generator().manual_seed(0)).cumsum(1)
assert scge_pyg.discover(walk - walk.mean(1, keepdim=True)).num_nodes == 24
print("works")
"""


def test_the_core_works_without_extras():
    result = run_without_extras(CORE)
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("works\n")


@pytest.mark.parametrize(
    ("code", "extra"),
    [
        ("from scge_pyg.datasets import DigitsNodes; DigitsNodes()", "demo"),
        ("from scge_pyg.transforms import TextToNodes; TextToNodes()", "demo"),
        (
            "import torch; from scge_pyg.models.cgae import CGAE; CGAE((9, 9), 2, 2, 3).fit(torch.rand(128, 9, 9))",
            "demo",
        ),
        ("from scge_pyg.datasets import PhotoPatches; PhotoPatches(8, 8, 10)", "demo"),
        (
            "import torch; from scge_pyg.graph import knn; knn(torch.rand(9, 2), torch.rand(9, 2), 1, backend='faiss')",
            "approx",
        ),
        ("import scge_pyg.plot", "plot"),
        ("import scge_pyg.train", "train"),
        (
            "import pathlib, tempfile; from scge_pyg.io import read; "
            "path = pathlib.Path(tempfile.mkdtemp()) / 'a.vhdr'; path.touch(); read(path)",
            "readers",
        ),
        (
            "from scge_pyg.datasets.cifar10 import _read_folders; _read_folders('images.tar', train=True)",
            "io",
        ),
    ],
)
def test_what_needs_an_extra_names_it(code, extra):
    result = run_without_extras(code)
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert f"pip install 'scge-pyg[{extra}]'" in last
