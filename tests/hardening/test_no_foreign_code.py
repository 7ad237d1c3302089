"""Nothing is unpickled from strangers: what the package may call, and what a file with code in it meets."""

import ast
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.cli import main
from scge_pyg.datasets import MNISTNodes
from scge_pyg.io import read

PACKAGE = Path(__file__).parents[2] / "scge_pyg"
CODE_RUNNERS = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}


def foreign_code(source):
    """Places in a module that could run code out of a file, ``line: what``."""
    tree = ast.parse(source)
    named = {
        alias.asname or alias.name.split(".")[0]: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in CODE_RUNNERS:
            yield f"{node.lineno}: from {node.module} import"
        elif isinstance(node, ast.Import) and {alias.name.split(".")[0] for alias in node.names} & CODE_RUNNERS - {
            "pickle"
        }:
            yield f"{node.lineno}: import {node.names[0].name}"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = named.get(node.value.id, "")
            if owner == "pickle" and node.attr != "UnpicklingError":
                yield f"{node.lineno}: pickle.{node.attr}"
            if (owner, node.attr) in {("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load")}:
                yield f"{node.lineno}: yaml.{node.attr}"
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if called == "torch.load" and options.get("weights_only") != "True":
            yield f"{node.lineno}: torch.load without weights_only=True"
        if called in ("np.load", "numpy.load") and options.get("allow_pickle") != "False":
            yield f"{node.lineno}: np.load without allow_pickle=False"
        if called in ("eval", "exec", "torch.hub.load") or called.endswith(
            ("read_pickle", "load_from_checkpoint", "extractall", "unpack_archive")
        ):
            yield f"{node.lineno}: {called}"


def test_no_module_runs_code_out_of_files():
    found = {str(path.relative_to(PACKAGE)): list(foreign_code(path.read_text())) for path in PACKAGE.rglob("*.py")}
    assert {path: places for path, places in found.items() if places} == {}
    assert len(found) > 100


@pytest.mark.parametrize(
    "line",
    [
        "import pickle; pickle.loads(x)",
        "import pickle as p; p.load(x)",
        "from pickle import loads",
        "import joblib",
        "import torch; torch.load(x)",
        "import torch; torch.load(x, weights_only=False)",
        "np.load(x)",
        "np.load(x, allow_pickle=True)",
        "import yaml; yaml.load(x, yaml.Loader)",
        "pandas.read_pickle(x)",
        "archive.extractall(folder)",
        "eval(text)",
    ],
)
def test_what_would_is_seen(line):
    assert len(list(foreign_code(line))) == 1


class Bomb:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


@pytest.fixture
def bomb(tmp_path):
    """A pickle that leaves a trace; in the end there is none."""
    trace = tmp_path / "trace"
    yield Bomb(trace)
    assert not trace.exists()


def test_the_bomb_works(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "trace")))
    assert (tmp_path / "trace").exists()


def test_graphs(bomb, tmp_path, capsys):
    path = tmp_path / "graph.safetensors"
    for write in (lambda: path.write_bytes(pickle.dumps(bomb)), lambda: torch.save({"pos": bomb}, path)):
        write()
        with pytest.raises(ValueError, match="not a readable safetensors file"):
            SharedGraph.load(path)
        assert main(["show", str(path)]) == 2
        assert "not a readable safetensors file" in capsys.readouterr().err


def test_samples(bomb, tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.array([[bomb, 1]], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "x.npz", np.array([[bomb, 1]], dtype=object))
    (tmp_path / "pickled.npy").write_bytes(pickle.dumps(bomb))
    for name in ("x.npy", "x.npz", "pickled.npy"):
        with pytest.raises(ValueError, match="can't be read as a file of numpy"):
            read(tmp_path / name)
        for option in ([], ["--counts"], ["--affinity"]):
            assert main(["discover", *option, str(tmp_path / name), "-o", str(tmp_path / "out")]) == 2
            err = capsys.readouterr().err
            assert "is not a readable" in err
            assert err.count("\n") == 1


def test_data_sets(bomb, tmp_path):
    (tmp_path / "processed").mkdir()
    (tmp_path / "raw").mkdir()
    for split in ("images-idx3", "labels-idx1"):
        (tmp_path / "raw" / f"train-{split}-ubyte.gz").touch()
    path = tmp_path / "processed" / "train-train-images-idx3-ubyte.safetensors"
    for content in (pickle.dumps(bomb), b""):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"MNISTNodes: .* is damaged or something else .* force_reload=True"):
            MNISTNodes(tmp_path)


def test_training(bomb, tmp_path, capsys):
    pytest.importorskip("lightning")
    from scge_pyg.train import NodesDataModule, saved_graph
    from scge_pyg.train.checkpoint_files import read_checkpoint

    path = tmp_path / "step-00000001.ckpt"
    for content in ({"state_dict": {"a": bomb}}, {"state_dict": {}, "callbacks": {"x": bomb}}, bomb):
        torch.save(content, path)
        with pytest.raises(ValueError, match="holds more than tensors and plain values, which may run code"):
            read_checkpoint(path)
        with pytest.raises(ValueError, match="no readable checkpoint"):
            saved_graph(path)
    np.savez(tmp_path / "y.npz", y=np.array([bomb], dtype=object))
    with pytest.raises(ValueError, match=r"y\.npz is not a readable file of numpy .*allow_pickle"):
        NodesDataModule(torch.rand(9, 3), tmp_path / "y.npz").setup()
    (tmp_path / "c.yaml").write_text(f"task: !!python/object/apply:pathlib.Path.touch [{bomb.trace}]\n")
    assert main(["fit", "--config", str(tmp_path / "c.yaml"), "--run.folder", str(tmp_path / "run")]) == 2
    err = capsys.readouterr().err
    assert "python/object/apply" in err
    assert err.count("\n") == 1
