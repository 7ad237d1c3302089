"""`scge discover` on files of other fields that need no further library."""

import json

import numpy as np
import pytest
from scipy.io import netcdf_file, savemat, wavfile
from scipy.sparse import load_npz

from scge_pyg import SharedGraph
from scge_pyg.cli import main
from scge_pyg.io import read_layout

RNG = np.random.default_rng(0)


def _chain(samples, nodes):
    """Each node is like the one before it."""
    x = RNG.normal(size=(samples, nodes))
    for k in range(1, nodes):
        x[:, k] = 0.85 * x[:, k - 1] + np.sqrt(1 - 0.85**2) * x[:, k]
    return x


LINE = _chain(600, 24)
ORDER = RNG.permutation(24)
NAMES = tuple(f"site {k}" for k in ORDER)


@pytest.fixture
def run(tmp_path, capsys):
    def run(*args):
        code = main(["discover", *map(str, args), "-o", str(tmp_path / "out"), "--no-plot", "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if code == 0 else None, err

    return run


def graph_of(tmp_path):
    return SharedGraph.load(tmp_path / "out" / "graph.safetensors")


def assert_in_line(graph, order):
    """Nodes stand in the order of their true numbers, or in reverse."""
    step = np.diff(np.asarray(order)[graph.pos[:, 0].argsort().numpy()])
    assert abs(step.sum()) == len(order) - 1
    assert np.unique(step).size == 1


def test_bare_numbers(tmp_path, run):
    path = tmp_path / "probe.dat"
    path.write_bytes(np.rint(LINE[:, ORDER] * 1000).astype("int16").tobytes())
    code, summary, err = run(path, "--raw", "int16", "--channels", 24, "--rate", 1000)
    assert code == 0, err
    assert (summary["num_samples"], summary["num_nodes"]) == (600, 24)
    assert_in_line(graph_of(tmp_path), ORDER)
    code, _, err = run(path, "--raw", "int16", "--channels", 23, "--overwrite")
    assert code == 2
    assert "no whole number of samples of 23 int16" in err
    code, _, err = run(path, "--overwrite")
    assert code == 2
    assert "--raw int16 --channels 64" in err


def test_matlab_with_names_and_chosen_columns(tmp_path, run):
    path = tmp_path / "a.mat"
    savemat(path, {"x": LINE[:, ORDER], "labels": np.array(NAMES, dtype=object), "fs": 100.0, "y": np.zeros((3, 3))})
    dropped = f"{NAMES[3]},0"
    code, summary, err = run(path, "--key", "x", "--drop", dropped)
    assert code == 0, err
    kept = [k for k in range(24) if k not in (0, 3)]
    assert graph_of(tmp_path).names == tuple(NAMES[k] for k in kept)
    assert [left["name"] for left in summary["table"]["left_out"]] == [NAMES[0], NAMES[3]]


def test_land_is_not_live(tmp_path, run):
    field = LINE[:, :9].reshape(600, 3, 3).astype("f4")
    field[:, 1, 1] = -999  # land
    with netcdf_file(tmp_path / "a.nc", "w") as file:
        for name, size in (("time", 600), ("lat", 3), ("lon", 3)):
            file.createDimension(name, size)
        file.createVariable("t", "f4", ("time", "lat", "lon"))[:] = field
        file.variables["t"]._FillValue = np.float32(-999)
    code, _, err = run(tmp_path / "a.nc", "--node-dims", "lat, lon", "-q")
    assert code == 0, err
    assert graph_of(tmp_path).live.tolist() == [True] * 4 + [False] + [True] * 4


def test_windows_of_sound(tmp_path, run):
    wavfile.write(tmp_path / "a.wav", 8000, LINE.astype("float32").ravel())
    code, summary, err = run(tmp_path / "a.wav", "--window", 24)
    assert code == 0, err
    assert (summary["num_samples"], summary["num_nodes"]) == (600, 24)
    assert_in_line(graph_of(tmp_path), np.arange(24))
    code, _, err = run(tmp_path / "a.wav", "--window", 20000, "--overwrite")
    assert code == 2
    assert "window must be from 1 to the 14400 moments" in err


def test_further_files(tmp_path, run):
    np.save(tmp_path / "a.npy", LINE)
    also = ("--also", "adjacency.npz", "--also", "electrodes.tsv", "--scale", 30)
    code, summary, err = run(tmp_path / "a.npy", *also)
    assert code == 0, err
    assert {"adjacency.npz", "electrodes.tsv", "coordsystem.json"} <= set(summary["files"])
    graph = graph_of(tmp_path)
    assert load_npz(tmp_path / "out" / "adjacency.npz").nnz == graph.num_edges
    layout = read_layout(tmp_path / "out" / "electrodes.tsv")
    assert layout.unit == "mm"
    assert np.median(np.linalg.norm(np.diff(layout.positions, axis=0), axis=1)) == pytest.approx(30, rel=0.3)
    code, _, err = run(tmp_path / "a.npy", "--overwrite", *also[:-1], -3)
    assert (code, err.count("\n")) == (2, 1)
    assert "--also electrodes.tsv: write_electrodes: scale must be a number above 0" in err
    assert (tmp_path / "out" / "adjacency.npz").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("a.npy", "--channels", 3), "--channels has no meaning for a.npy, a .npy"),
        (("a.mat", "--image"), "--image has no meaning for a.mat"),
        (("a.mat", "--nodes", "obs"), "a file of MATLAB takes no nodes"),
        (("a.mtx",), "a.mtx holds counts and no samples; use --counts a.mtx"),
        (("a.xyz",), "or bare numbers with --raw int16 --channels 64"),
        (("--counts", "a.mtx", "--raw", "int16"), "--raw is for samples; it has no meaning with --counts"),
    ],
)
def test_options_that_do_not_fit_are_one_line(tmp_path, monkeypatch, run, options, message):
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", LINE)
    savemat("a.mat", {"x": LINE})
    (tmp_path / "a.xyz").write_text("")
    (tmp_path / "a.mtx").write_text("%%MatrixMarket matrix coordinate real general\n2 2 1\n1 1 5\n")
    code, _, err = run(*options)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err
