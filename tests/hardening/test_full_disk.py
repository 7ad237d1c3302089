"""A full disk and a folder that may not be written: what was saved stays to the byte, nothing half-written is left.

The disk is full by the limit that the system sets to the size of files, so that every writer, Python's and others', is
refused in the midst of its work; a folder is read-only by its permissions, for a user who has none.
"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.cli import main

resource = pytest.importorskip("resource")
NOBODY = 65534


@contextlib.contextmanager
def full(size):
    """No file of this process grows beyond ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def read_only(folder):
    """Nobody writes in ``folder``; root, whom permissions don't bind, is somebody else for a while."""
    inside = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in inside:
        path.chmod(0o555)
    root = os.getuid() == 0
    if root:
        os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)
        for path in inside:
            path.chmod(0o755)


@pytest.fixture
def place():
    """A folder that everybody may enter, which those of pytest are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def content(folder):
    return {str(path.relative_to(folder)): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def samples():
    """Samples of a walk over 24 nodes, and two classes."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(400, 24)).cumsum(1).astype(np.float32), rng.integers(0, 2, 400)


@pytest.fixture
def graph():
    graph = SharedGraph.from_grid((9, 9))
    graph.names = tuple(f"node{number}" for number in range(81))
    return graph


WRITERS = {
    "graph": ("graph.safetensors", lambda graph, path: graph.save(path)),
    "csv": ("a.csv", lambda graph, path: graph.write_adjacency(path)),
    "npy": ("a.npy", lambda graph, path: graph.write_adjacency(path)),
    "npz": ("a.npz", lambda graph, path: graph.write_adjacency(path)),
    "electrodes": ("electrodes.tsv", lambda graph, path: graph.write_electrodes(path, 2.0, "mm")),
}
STOPS = {"full": lambda folder: full(70), "read-only": read_only}


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("writer", WRITERS)
def test_files_of_a_graph(place, graph, writer, stop):
    name, write = WRITERS[writer]
    (place / name).write_bytes(b"what was here before")
    before = content(place)
    with STOPS[stop](place), pytest.raises(OSError, match=r"File too large|denied"):
        write(graph, place / name)
    assert content(place) == before
    write(graph, place / name)
    assert content(place) != before


@pytest.fixture
def results(place, samples):
    """A folder with a result of each command, and commands that write it anew, all of which have worked once."""
    pytest.importorskip("matplotlib")
    np.save(place / "x.npy", samples[0])
    (place / "places.csv").write_text("name,x,y\n" + "".join(f"{node},{float(node)},0\n" for node in range(24)))
    (place / "made").mkdir()
    made, x = place / "made", str(place / "x.npy")
    commands = {
        "discover": ["discover", x, "-o", str(made / "found"), "--overwrite", "--also", "adjacency.csv"],
        "show": ["show", str(made / "found" / "graph.safetensors"), "-o", str(made / "graph.png"), "--overwrite"],
        "report": ["report", str(made / "found"), "-o", str(made / "page.html"), "--overwrite"],
        "check": ["check", x, "--layout", str(place / "places.csv"), "-o", str(made / "layout.png"), "--overwrite"],
    }
    for words in commands.values():
        assert main([*words, "-q"]) in (0, 1)
    return made, commands


@pytest.mark.parametrize("stop", STOPS)
def test_results_of_commands(results, stop, capsys):
    pytest.importorskip("plotly")
    made, commands = results
    before = content(made)
    capsys.readouterr()
    for words in commands.values():
        with STOPS[stop](made):
            status = main([*words, "-q"])
        err = capsys.readouterr().err
        assert status in (1, 2), words
        assert err.startswith("scge: "), err
        assert err.count("\n") == 1, err
        assert any(said in err for said in ("File too large", "denied", "can't be written")), err
        assert content(made) == before, words


def test_a_checkpoint(place):
    pytest.importorskip("lightning")
    from scge_pyg.train import AtomicCheckpointIO
    from scge_pyg.train.checkpoint_files import read_checkpoint

    path, writer = place / "step-00000001.ckpt", AtomicCheckpointIO()
    writer.save_checkpoint({"state_dict": {"a": torch.ones(3)}}, path)
    for size in (0, 50, 700, 5_000, 200_000, 400_000):
        with full(size), pytest.raises(OSError, match="File too large"):
            writer.save_checkpoint({"state_dict": {"a": torch.zeros(100_000)}}, path)
        assert torch.equal(read_checkpoint(path)["state_dict"]["a"], torch.ones(3))
        assert list(content(place)) == [path.name]


def run_of(folder, samples, **options):
    from scge_pyg.train import ClassificationModule, NodesDataModule, Run

    run = Run(folder, epochs=3, accelerator="cpu", log_every=1, checkpoint_every=3, **options)
    return run, ClassificationModule("NodeMLP", {"hidden": [8]}), NodesDataModule(*samples, batch_size=32)


@pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec:FutureWarning")
@pytest.mark.filterwarnings("ignore:Checkpoint directory")
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_a_run_goes_on_when_there_is_room_again(place, samples):
    pytest.importorskip("lightning")
    run, module, data = run_of(place / "whole", samples)
    expected = run.fit(module, data)
    run, module, data = run_of(place / "pieces", samples)
    largest = max(path.stat().st_size for path in (place / "whole" / "checkpoints").iterdir())
    failures = 0
    for size in (largest - 1, 600, largest, 400, 10**9):
        run, module, data = run_of(place / "pieces", samples)
        kept = content(place / "pieces")
        try:
            with full(size):
                found = run.fit(module, data)
        except OSError:
            failures += 1
            now = content(place / "pieces")
            lost = [name for name, before in kept.items() if now.get(name) != before]
            assert [name for name in lost if not name.startswith("checkpoints/step")] == []
            assert not [name for name in now if name.endswith(".tmp")]
    assert failures >= 3
    assert found == expected
    assert run.folder.metrics() == run_of(place / "whole", samples)[0].folder.metrics()


@pytest.mark.parametrize("stop", STOPS)
def test_the_configuration_of_a_run(place, stop):
    pytest.importorskip("lightning")
    from scge_pyg.train import RunFolder

    folder = RunFolder(place / "run")
    folder.begin({"lr": 0.1}, seed=0)
    before = content(place)
    with STOPS[stop](place), pytest.raises(OSError, match=r"File too large|denied"):
        folder.begin({"lr": 0.2, "more": "x" * 99}, seed=0, force=True)
    now = content(place)
    assert {name: now[name] for name in before} == before
    assert folder.config() == {"lr": 0.1}


@pytest.mark.parametrize("stop", STOPS)
def test_pictures_and_exports_of_a_run(place, samples, stop):
    pytest.importorskip("lightning")
    pytest.importorskip("matplotlib")
    from scge_pyg.models import NodeMLP
    from scge_pyg.train import RunFolder, export
    from scge_pyg.train.building import DataSizes
    from scge_pyg.train.run_pictures import draw_run

    folder = RunFolder(place)
    SharedGraph.from_grid((3, 3)).save(folder.graph_file)
    draw_run(folder)
    (place / "network.pt2").write_bytes(b"what was here before")
    before = content(place)
    with STOPS[stop](place):
        with pytest.raises(OSError, match=r"File too large|denied"):
            draw_run(folder)
        with pytest.raises(OSError, match=r"File too large|denied"):
            export(NodeMLP(1, 2, 9, hidden=(4,)), DataSizes(9), place / "network.pt2")
    assert content(place) == before


@pytest.mark.parametrize("stop", STOPS)
def test_a_data_set_and_a_download(place, monkeypatch, stop):
    from scge_pyg.datasets.raw_files import fetch
    from scge_pyg.datasets.raw_node_dataset import _write

    _write({"x": torch.ones(9)}, place / "processed" / "x.safetensors")
    (place / "a.gz").write_bytes(b"what was here before")
    (place / "source").write_bytes(bytes(999))
    before = content(place)
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: (place / "source").open("rb"))
    with STOPS[stop](place):
        with pytest.raises(OSError, match=r"File too large|denied"):
            _write({"x": torch.zeros(99)}, place / "processed" / "x.safetensors")
        with pytest.raises(OSError, match=r"could not download https://a .*(File too large|denied)"):
            fetch("https://a", place / "a.gz", None, "Data", "get it elsewhere")
    assert content(place) == before
