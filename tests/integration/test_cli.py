"""The command: every kind of input, every way it can be wrong, and output that is whole or absent."""

import csv
import gzip
import json
import logging
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest
import torch

import scge_pyg.cli.discover
from scge_pyg import SharedGraph
from scge_pyg.cli import main
from scge_pyg.graph import Fit
from scge_pyg.transforms import ShuffleNodes

pa = pytest.importorskip("pyarrow")
pytest.importorskip("pyarrow.parquet")
Image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)


@pytest.fixture
def seen(monkeypatch):
    """Stand in for discovery: keep what it was given, and answer with a row of nodes."""
    calls = {}

    def stand_in(x, **options):
        blocks = [block.reshape(*block.shape[:2], -1) for block in x]
        calls.update(options, x=torch.cat(blocks), blocks=len(blocks))
        logging.getLogger("scge_pyg.graph").info("decided something")
        warnings.warn("a doubt\nin two lines", stacklevel=1)
        return SharedGraph.from_grid((1, calls["x"].shape[1]))

    monkeypatch.setattr(scge_pyg.cli.discover, "discover", stand_in)
    return calls


@pytest.fixture
def run(tmp_path, capsys):
    """Run ``scge discover`` into ``tmp_path / "out"`` without pictures: exit status, stdout, stderr."""

    def run(*args, plot=False):
        code = main(["discover", *map(str, args), "-o", str(tmp_path / "out"), *([] if plot else ["--no-plot"])])
        return code, *capsys.readouterr()

    return run


def save_images(folder, arrays, mode="L"):
    folder.mkdir()
    for name, array in enumerate(arrays):
        Image.fromarray(array).convert(mode).save(folder / f"{name:03}.png")
    return folder


def smooth_images(samples=600, side=8):
    """Random fields whose neighbours correlate."""
    noise = torch.randn(samples, 1, side + 4, side + 4, generator=torch.Generator().manual_seed(0))
    weight = torch.tensor([1.0, 3.0, 4.0, 3.0, 1.0])
    return torch.nn.functional.conv2d(noise, torch.outer(weight, weight)[None, None] / 144).squeeze(1)


# Inputs that work ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(20, 6), (20, 6, 3)])
def test_npy_is_read_in_blocks_and_never_whole(tmp_path, run, seen, monkeypatch, shape):
    array = RNG.normal(size=shape)
    np.save(tmp_path / "x.npy", array)
    monkeypatch.setattr("scge_pyg.tables.measurements._BLOCK_BYTES", array[0].nbytes * 7)
    loaded = []
    load = np.load
    monkeypatch.setattr(np, "load", lambda *a, **k: loaded.append(load(*a, **k)) or loaded[-1])
    assert run(tmp_path / "x.npy")[0] == 0
    assert isinstance(loaded[0], np.memmap)
    assert seen["blocks"] == 3
    np.testing.assert_array_equal(seen["x"].numpy().reshape(shape), array)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int64", "bool", "float16", "float32", ">f8", "<u4"])
def test_every_number_type_arrives_exactly(tmp_path, run, seen, dtype):
    array = RNG.integers(0, 2 if dtype == "bool" else 200, (9, 5)).astype(dtype)
    np.save(tmp_path / "x.npy", np.asfortranarray(array))
    assert run(tmp_path / "x.npy")[0] == 0
    np.testing.assert_array_equal(seen["x"][..., 0].numpy(), array.astype(np.float64))


@pytest.mark.parametrize("channels", [(), (3,)])
def test_image_flag_makes_pixels_nodes(tmp_path, run, seen, channels):
    array = RNG.normal(size=(7, 3, 4, *channels)).astype(np.float32)
    np.save(tmp_path / "x.npy", array)
    code, out, _ = run(tmp_path / "x.npy", "--image", "--json")
    assert code == 0
    np.testing.assert_array_equal(seen["x"].numpy(), array.reshape(7, 12, -1))
    assert set(json.loads(out)["score"]) == {"cell_accuracy", "edge_precision", "edge_recall"}


def test_npz_takes_the_only_array_or_the_named_one(tmp_path, run, seen):
    one, two = RNG.normal(size=(5, 4)), RNG.normal(size=(6, 3))
    np.savez(tmp_path / "one.npz", one)
    np.savez_compressed(tmp_path / "two.npz", one=one, two=two)
    assert run(tmp_path / "one.npz")[0] == 0
    np.testing.assert_array_equal(seen["x"][..., 0].numpy(), one)
    assert run(tmp_path / "two.npz", "--key", "two", "--overwrite")[0] == 0
    np.testing.assert_array_equal(seen["x"][..., 0].numpy(), two)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,b,c\n1,2,3\n4,5,6\n", ["a", "b", "c"]),
        ('\ufeff"a b";c;d\r\n1;2;3\r\n\r\n4;5;6', ["a b", "c", "d"]),
        ("1\t2\t3\n4\t5\t6\n", None),
        ("1, 2 , 3\n4,5,6e0\n", None),
    ],
)
def test_csv_dialects(tmp_path, run, seen, text, names):
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    code, out, _ = run(tmp_path / "x.csv", "--json")
    assert code == 0
    assert seen["x"][..., 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert json.loads(out)["nodes"] == names


def test_csv_header_of_numbers_can_be_declared(tmp_path, run, seen):
    (tmp_path / "x.csv").write_text("773869,767541\n1,2\n3,4\n")
    assert run(tmp_path / "x.csv", "--header")[0] == 0
    assert seen["x"][..., 0].tolist() == [[1, 2], [3, 4]]


def test_parquet_leaves_out_the_index_of_pandas(tmp_path, run, seen):
    table = pa.table({"a": [1, 2], "b": [0.5, None], "c": [True, False], "__index_level_0__": [7, 8]})
    pa.parquet.write_table(table, tmp_path / "x.parquet")
    code, out, _ = run(tmp_path / "x.parquet", "--json")
    assert code == 0
    np.testing.assert_array_equal(seen["x"][..., 0].numpy(), [[1, 0.5, 1], [2, np.nan, 0]])
    assert json.loads(out)["nodes"] == ["a", "b", "c"]


def test_images_are_gray_unless_one_has_colours(tmp_path, run, seen):
    arrays = RNG.integers(0, 256, (3, 4, 5), dtype=np.uint8)
    gray = save_images(tmp_path / "gray", arrays)
    (gray / "notes.txt").write_text("not an image")
    assert run(gray)[0] == 0
    np.testing.assert_array_equal(seen["x"].numpy(), arrays.reshape(3, 20, 1))
    Image.fromarray(np.stack([arrays[0]] * 3, -1)).save(gray / "999.png")
    assert run(gray, "--overwrite")[0] == 0
    assert seen["x"].shape == (4, 20, 3)


def test_shuffling_permutes_nodes_and_their_names(tmp_path, run, seen):
    (tmp_path / "x.csv").write_text("a,b,c,d,e\n1,2,3,4,5\n6,7,8,9,10\n")
    code, out, _ = run(tmp_path / "x.csv", "--shuffle-seed", 3, "--json")
    order = ShuffleNodes(3).permutation(5)
    assert code == 0
    assert seen["x"][0, :, 0].tolist() == (order + 1).tolist()
    assert json.loads(out)["nodes"] == ["abcde"[i] for i in order]


def test_options_reach_discovery(tmp_path, run, seen):
    np.save(tmp_path / "x.npy", RNG.normal(size=(9, 5)))
    assert run(tmp_path / "x.npy", "--dim", 1, "--seed", 5, "--no-snap", "-q")[0] == 0
    assert {k: seen[k] for k in ("dim", "seed", "snap", "progress")} == {
        "dim": 1,
        "seed": 5,
        "snap": False,
        "progress": False,
    }


def test_missing_value_reaches_discovery_only_if_given(tmp_path, run, seen):
    np.save(tmp_path / "x.npy", RNG.normal(size=(9, 5)))
    assert run(tmp_path / "x.npy")[0] == 0
    assert "missing_value" not in seen
    assert run(tmp_path / "x.npy", "--missing-value", "-99.5", "--overwrite")[0] == 0
    assert seen["missing_value"] == -99.5


def test_missing_cells_reach_discovery_as_nan(tmp_path, run, seen):
    (tmp_path / "x.csv").write_text("a,b,c\n1,,3\nNA,5,6\n")
    assert run(tmp_path / "x.csv")[0] == 0
    np.testing.assert_array_equal(seen["x"][..., 0].numpy(), [[1, np.nan, 3], [np.nan, 5, 6]])


def test_columns_that_are_no_nodes_are_told_and_recorded(tmp_path, run, seen):
    lines = [f"2024-01-{day:02},{day},{0.5 * day},{day}.25,7.5" for day in range(1, 21)]
    (tmp_path / "x.csv").write_text("\n".join(["when,Unnamed: 0,710000,717000,old", *lines]))
    code, out, _ = run(tmp_path / "x.csv", "--drop", "old")
    assert code == 0
    assert out.splitlines()[:2] == ['left out time column "when"', 'left out row-number column "Unnamed: 0"']
    assert seen["x"].shape == (20, 2, 1)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["nodes"] == ["710000", "717000"]
    assert summary["table"] == {
        "header": "names",
        "left_out": [
            {"column": 0, "name": "when", "why": "time"},
            {"column": 1, "name": "Unnamed: 0", "why": "row-number"},
            {"column": 4, "name": "old", "why": "--drop"},
        ],
    }
    (tmp_path / "ids.csv").write_text("\n".join(["710000,717000", *(line[13:-4].strip(",") for line in lines)]))
    _, out, _ = run(tmp_path / "ids.csv", "--overwrite")
    assert out.startswith("header of numeric ids (710000, 717000, ...); --no-header reads it as a sample\n")
    _, out, _ = run(tmp_path / "ids.csv", "--json", "--overwrite")
    assert json.loads(out)["table"]["header"] == "numeric ids"


def test_nodes_are_written_by_name(tmp_path, run, seen):
    (tmp_path / "x.csv").write_text('"a, b",c,d\n1,2,3\n4,5,6\n')
    assert run(tmp_path / "x.csv", "--shuffle-seed", 1)[0] == 0
    names = json.loads((tmp_path / "out" / "summary.json").read_text())["nodes"]
    with (tmp_path / "out" / "nodes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == names
    assert rows[1]["neighbours"].split(";") == [names[0], names[2]]
    assert SharedGraph.load(tmp_path / "out" / "graph.safetensors").names == tuple(names)


# What it says -------------------------------------------------------------------------------------------------------


def test_verbosity(tmp_path, run, seen):
    np.save(tmp_path / "x.npy", RNG.normal(size=(9, 5)))
    _, out, err = run(tmp_path / "x.npy")
    assert "9 samples" in out
    assert "warning: a doubt in two lines\n" in err
    assert "decided" not in err
    _, out, err = run(tmp_path / "x.npy", "-v", "--overwrite")
    assert "INFO scge_pyg.graph: decided something\n" in err
    _, out, err = run(tmp_path / "x.npy", "-q", "--overwrite")
    assert (out, err) == ("", "")
    assert not logging.getLogger("scge_pyg").handlers


def test_json_on_stdout_equals_the_file(tmp_path, run, seen):
    np.save(tmp_path / "x.npy", RNG.normal(size=(9, 5)))
    _, out, _ = run(tmp_path / "x.npy", "--json")
    summary = json.loads(out)
    assert summary == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["files"] == ["graph.safetensors", "nodes.csv", "summary.json"]
    assert summary["warnings"] == ["a doubt in two lines"]
    assert summary["graph"]["lattice"] == {"shape": [1, 5], "periodic": [False, False], "placed": 5}
    assert summary["score"] is None
    assert SharedGraph.load(tmp_path / "out" / "graph.safetensors").num_nodes == 5


@pytest.fixture
def no_geometry(monkeypatch):
    """Stand in for discovery that finds edges only."""

    def stand_in(x, **options):
        num_nodes = torch.cat(list(x)).shape[1]
        fit = Fit(
            coupling="partial 0.03",
            gain=0.5,
            ceiling=0.75,
            chance=0.0,
            ratio=2 / 3,
            error=float("nan"),
            verdict="no geometry",
            columns=2,
            gain_by_columns=(0.25, 0.5),
            node_gain=torch.zeros(num_nodes),
            num_samples=9,
            effective_samples=8.5,
            seconds={"reading": 0.25, "maps": 1.5},
        )
        warnings.warn("no geometry stands out", stacklevel=1)
        return SharedGraph(torch.empty(num_nodes, 0), torch.tensor([[0, 1], [1, 0]]), dim=0, fit=fit)

    monkeypatch.setattr(scge_pyg.cli.discover, "discover", stand_in)


def test_a_refused_geometry_is_reported(tmp_path, run, no_geometry):
    pytest.importorskip("matplotlib")
    np.save(tmp_path / "x.npy", RNG.normal(size=(9, 5)))
    code, out, err = run(tmp_path / "x.npy", "-v", plot=True)
    assert code == 0
    assert "warning: no geometry stands out\n" in err
    assert "seconds: reading 0.25, maps 1.50\n" in err
    assert "no geometry (edges without coordinates), no lattice, 1 edges" in out
    assert "verdict: no geometry; the map gains 0.500 of 0.750 nats" in out
    assert "ratio 0.667 +- ?, coupling: partial 0.03\n" in out
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["files"] == ["graph.png", "graph.safetensors", "nodes.csv", "summary.json"]
    fit = summary["fit"]
    assert (fit["verdict"], fit["coupling"], fit["gain"], fit["ceiling"]) == ("no geometry", "partial 0.03", 0.5, 0.75)
    assert (fit["ratio"], fit["error"], fit["gain_by_columns"]) == (0.6667, None, [0.25, 0.5])
    head = (tmp_path / "out" / "nodes.csv").read_text().splitlines()[0]
    assert head == "node,name,component,confidence,sign,neighbours"


# Input that is wrong ------------------------------------------------------------------------------------------------


def npy(array):
    return lambda path: np.save(path.with_suffix(".npy"), array)


def text(suffix, content):
    return lambda path: path.with_suffix(suffix).write_bytes(content)


def parquet(columns):
    return lambda path: pa.parquet.write_table(pa.table(columns), path.with_suffix(".parquet"))


def npz(**arrays):
    return lambda path: np.savez(path.with_suffix(".npz"), **arrays)


def images(*sizes):
    return lambda path: save_images(path, [np.zeros(size, np.uint8) for size in sizes])


def renamed_npy(path):
    np.save(path, np.zeros((2, 3)))
    path.with_suffix(".npy").rename(path.with_suffix(".npz"))


def broken_image(path):
    save_images(path, [np.zeros((4, 4), np.uint8)])
    (path / "001.png").write_bytes(b"\x89PNG nothing")


def huge_npz(path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1000), }\n"
    with zipfile.ZipFile(path.with_suffix(".npz"), "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


def damaged_gzip(path):
    content = gzip.compress(b"1,2\n" * 99)
    path.with_suffix(".csv.gz").write_bytes(content[:10] + b"\xff" * 9 + content[19:])


BAD = {
    "missing": (lambda path: None, [".npy"], "does not exist"),
    "suffix": (text(".xls", b"1"), [".xls"], "unknown suffix '.xls'; expected .npy, .npz, .csv, .csv.gz, .parquet"),
    "rank 1": (npy(np.zeros(5)), [".npy"], "must be [samples, nodes] or [samples, nodes, channels], got shape [5]"),
    "rank 4": (npy(np.zeros((2, 3, 3, 1))), [".npy"], "got shape [2, 3, 3, 1]; add --image"),
    "rank 2 image": (npy(np.zeros((2, 3))), [".npy", "--image"], "--image reads [S, H, W] or [S, H, W, C]"),
    "no samples": (npy(np.zeros((0, 3))), [".npy"], "is empty: its shape is [0, 3]"),
    "text array": (npy(np.array([["a", "b"]])), [".npy"], "values of type <U1; numbers are needed"),
    "complex array": (npy(np.zeros((2, 3), complex)), [".npy"], "values of type complex128"),
    "object array": (npy(np.array([[None, 1]])), [".npy"], "is not a readable .npy file of numbers"),
    "no npy": (text(".npy", b"garbage"), [".npy"], "is not a readable .npy file of numbers"),
    "empty npy": (text(".npy", b""), [".npy"], "is not a readable .npy file of numbers"),
    "open bracket": (text(".npy", b"\x93NUMPY\x01\x00\x02\x00(\n"), [".npy"], "is not a readable .npy file"),
    "too large an array": (huge_npz, [".npz"], "is not a readable .npz archive"),
    "damaged gzip": (damaged_gzip, [".csv.gz"], "is not a readable text table"),
    "no npz": (text(".npz", b"PK\x03\x04garbage"), [".npz"], "is not a readable .npz archive"),
    "npy as npz": (renamed_npy, [".npz"], "is not a readable .npz archive"),
    "which array": (npz(a=np.zeros((2, 2)), b=np.ones(3)), [".npz"], "holds 2 arrays (a, b); choose one with --key"),
    "no such array": (npz(a=np.zeros((2, 2))), [".npz", "--key", "c"], "has no array 'c'; it holds a"),
    "key elsewhere": (npy(np.zeros((2, 3))), [".npy", "--key", "a"], "--key applies to .npz input"),
    "text columns": (
        text(".csv", b"id,a,who\n1,2,Ann\n2,3,Bob\n"),
        [".csv"],
        "text in column 'who'; leave it out with --drop who",
    ),
    "only text": (text(".csv", b"a,b\nx,y\n"), [".csv"], "has no numeric columns"),
    "unknown column": (
        text(".csv", b"ab,b\n1,2\n"),
        [".csv", "--columns", "AB,b"],
        "no column 'AB'; close to it: 'ab'",
    ),
    "columns of images": (npy(np.zeros((2, 3, 3))), [".npy", "--image", "--drop", "0"], "--drop chooses columns of a"),
    "text, no names": (text(".csv", b"1,2\n3,x\n"), [".csv"], "text in column 1 (counted from 0)"),
    "ragged": (text(".csv", b"a,b\n1,2\n3\n"), [".csv"], "line 3: 1 columns, but the first line has 2"),
    "empty csv": (text(".csv", b""), [".csv"], "is empty"),
    "names only": (text(".csv", b"a,b\n"), [".csv"], "has column names but no rows"),
    "latin-1": (text(".csv", b"\xe9,b\n1,2\n"), [".csv"], "is not a readable text table"),
    "text parquet": (
        parquet({"a": [1.0], "city": ["Rome"]}),
        [".parquet"],
        "text in column 'city'; leave it out with --drop city",
    ),
    "no parquet": (text(".parquet", b"garbage"), [".parquet"], "is not a readable Parquet file"),
    "empty parquet": (parquet({"a": pa.array([], "float64")}), [".parquet"], "is empty: 0 rows, 1 columns"),
    "empty folder": (lambda path: path.mkdir(), [""], "holds no images"),
    "unequal images": (images((4, 5), (4, 5), (5, 4)), [""], "002.png is 4x5, "),
    "broken image": (broken_image, [""], "001.png is not a readable image"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_on_one_line_and_leaves_nothing(tmp_path, run, seen, case):
    make, (suffix, *options), message = BAD[case]
    make(tmp_path / "input")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = run(tmp_path / f"input{suffix}", *options)
    assert code == 2
    assert out == ""
    assert err.startswith("scge: ")
    assert err.count("\n") == 1
    assert message in err
    assert sorted(tmp_path.rglob("*")) == before


def test_unequal_images_name_both_sizes(tmp_path, run):
    folder = save_images(tmp_path / "input", [np.zeros((4, 5), np.uint8), np.zeros((6, 7), np.uint8)])
    _, _, err = run(folder)
    assert f"{folder / '001.png'} is 7x6, {folder / '000.png'} is 5x4 (width x height)" in err


def test_infinity_is_reported_by_discovery(tmp_path, run):
    array = RNG.normal(size=(30, 5))
    array[3, 2] = np.inf
    np.save(tmp_path / "x.npy", array)
    code, out, err = run(tmp_path / "x.npy")
    assert code == 2
    assert out == ""
    assert "has infinite values at 1 nodes (2) in 1 samples (3)" in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_nan_is_missing_and_nothing_else_changes(tmp_path, run):
    array = RNG.normal(size=(600, 12)).cumsum(1)
    array[RNG.random(array.shape) < 0.1] = np.nan
    np.save(tmp_path / "x.npy", array)
    code, out, err = run(tmp_path / "x.npy")
    assert code == 0
    assert "12 nodes (12 live)" in out
    assert "Traceback" not in err
    graph = SharedGraph.load(tmp_path / "out" / "graph.safetensors")
    steps = graph.edge_index.diff(dim=0).abs()
    assert (steps == 1).double().mean() > 0.9
    assert set(range(12)) == set(graph.edge_index[0].tolist())


def test_missing_extras_are_named(tmp_path, run, seen, monkeypatch):
    parquet({"a": [1.0]})(tmp_path / "x")
    images((3, 3))(tmp_path / "folder")
    for module, given in (("pyarrow.parquet", "x.parquet"), ("PIL.Image", "folder")):
        monkeypatch.setitem(sys.modules, module, None)
        code, _, err = run(tmp_path / given)
        assert code == 2
        assert "needs the extra 'io': pip install 'scge-pyg[io]'" in err


def test_usage_errors_exit_with_2(capsys):
    assert main([]) == 2
    assert main(["discover"]) == 2
    assert main(["discover", "x.npy", "-o", "out", "--dim", "two"]) == 2
    capsys.readouterr()


def test_help_and_version_exit_with_0(capsys):
    assert main(["discover", "--help"]) == 0
    assert "examples:" in capsys.readouterr().out
    assert main(["--version"]) == 0


# Output that is whole or absent -------------------------------------------------------------------------------------


def test_a_failure_while_writing_leaves_nothing(tmp_path, seen, monkeypatch, capsys):
    np.save(tmp_path / "x.npy", RNG.normal(size=(9, 5)))

    def fail(self, path):
        path.write_bytes(b"half")
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(SharedGraph, "save", fail)
    assert main(["discover", str(tmp_path / "x.npy"), "-o", str(tmp_path / "deep" / "out"), "--no-plot"]) == 1
    assert "disk on fire" in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.npy"]


def test_an_earlier_result_survives_a_failure(tmp_path, run, seen, monkeypatch):
    np.save(tmp_path / "x.npy", RNG.normal(size=(9, 5)))
    assert run(tmp_path / "x.npy")[0] == 0
    before = (tmp_path / "out" / "summary.json").read_text()
    code, _, err = run(tmp_path / "x.npy")
    assert code == 2
    assert "already holds a result" in err
    monkeypatch.setattr(SharedGraph, "save", lambda self, path: 1 / 0)
    assert run(tmp_path / "x.npy", "--overwrite")[0] == 1
    assert (tmp_path / "out" / "summary.json").read_text() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "x.npy"]


def test_other_peoples_files_are_never_replaced(tmp_path, run, seen):
    np.save(tmp_path / "x.npy", RNG.normal(size=(9, 5)))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    code, _, err = run(tmp_path / "x.npy", "--overwrite")
    assert code == 2
    assert "holds other files (thesis.tex)" in err
    (tmp_path / "out" / "thesis.tex").unlink()
    assert run(tmp_path / "x.npy")[0] == 0
    assert (tmp_path / "out" / "graph.safetensors").stat().st_mode & 0o777 == (
        tmp_path / "x.npy"
    ).stat().st_mode & 0o777


def test_the_target_must_be_a_folder(tmp_path, run, seen):
    np.save(tmp_path / "x.npy", RNG.normal(size=(9, 5)))
    (tmp_path / "out").touch()
    code, _, err = run(tmp_path / "x.npy")
    assert code == 2
    assert "is a file; -o names a folder" in err


# The whole way, with real discovery -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--shuffle-seed", 1]])
def test_images_end_to_end(tmp_path, run, options):
    pytest.importorskip("matplotlib")
    fields = smooth_images()
    scaled = ((fields - fields.min()) / (fields.max() - fields.min()) * 255).byte()
    folder = save_images(tmp_path / "images", scaled.numpy())
    code, out, err = run(folder, "--json", *options, plot=True)
    assert code == 0, err
    summary = json.loads(out)
    assert summary["files"] == ["graph.png", "graph.safetensors", "nodes.csv", "samples.png", "summary.json"]
    assert all((tmp_path / "out" / name).stat().st_size > 100 for name in summary["files"])
    assert summary["num_samples"] == 600
    assert summary["graph"]["live"] == 64
    assert summary["score"]["edge_recall"] > 0.9


def test_a_table_end_to_end(tmp_path, run):
    """Sensors on a line, in a table as pandas writes it, with their names in the picture."""
    pytest.importorskip("matplotlib")
    walk = np.random.default_rng(0).normal(size=(400, 16)).cumsum(1)
    stations = 710000 + 900 * np.random.default_rng(1).permutation(16)
    table = np.column_stack([np.arange(400), walk])
    header = "," + ",".join(map(str, stations))
    np.savetxt(tmp_path / "x.csv", table, fmt=["%d"] + ["%.4f"] * 16, delimiter=",", header=header, comments="")
    code, out, err = run(tmp_path / "x.csv", plot=True)
    assert code == 0, err
    assert out.splitlines()[1] == 'left out row-number column ""'
    graph = SharedGraph.load(tmp_path / "out" / "graph.safetensors")
    assert graph.names == tuple(map(str, stations))
    with (tmp_path / "out" / "nodes.csv").open(newline="") as file:
        near = {row["name"]: row["neighbours"].split(";") for row in csv.DictReader(file)}
    middle = list(map(str, stations[3:13]))
    assert sum(near[name][0] in (a, b) for a, name, b in zip(middle[:-2], middle[1:-1], middle[2:], strict=True)) >= 6
    assert (tmp_path / "out" / "graph.png").stat().st_size > 1000


def test_no_pictures_without_the_extra(tmp_path, run, seen, monkeypatch):
    np.save(tmp_path / "x.npy", RNG.normal(size=(9, 5)))
    monkeypatch.setattr("scge_pyg.cli.pictures.find_spec", lambda name: None)
    code, _, err = run(tmp_path / "x.npy", plot=True)
    assert code == 0
    assert "they need the extra 'plot'" in err
    assert not (tmp_path / "out" / "graph.png").exists()


def test_as_a_process(tmp_path):
    np.save(tmp_path / "x.npy", smooth_images(300, 6).numpy())
    command = [sys.executable, "-m", "scge_pyg", "discover", str(tmp_path / "x.npy"), "--image", "--no-plot"]
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "out"), "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["num_nodes"] == 36
    again = subprocess.run([*command, "-o", str(tmp_path / "out")], capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
    assert again.stdout == ""
