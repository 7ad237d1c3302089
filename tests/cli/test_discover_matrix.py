"""`scge discover --counts` and `--affinity` from file to files."""

import csv
import json
import re

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from scge_pyg import SharedGraph
from scge_pyg.cli import main

RNG = np.random.default_rng(3900)
PLACE = RNG.random(40)
PARTNER = RNG.random(30)
CONTACT = np.exp(-np.square(PLACE[:, None] - PARTNER) / 0.02)
COUNTS = RNG.poisson(60 * CONTACT / CONTACT.sum(1, keepdims=True))


@pytest.fixture
def run(tmp_path, capsys):
    def run(*args):
        code = main(["discover", *map(str, args), "-o", str(tmp_path / "out"), "--no-plot", "--dim", "1"])
        return code, *capsys.readouterr()

    return run


def test_counts_become_nodes_and_partners(tmp_path, run):
    path = tmp_path / "counts.csv"
    lines = [",".join(["", *(f"p{j}" for j in range(30))])]
    lines += [",".join([f"bead {i}", *map(str, line)]) for i, line in enumerate(COUNTS.tolist())]
    path.write_text("\n".join(lines))
    code, out, err = run("--counts", path, "--json")
    assert code == 0, err
    summary = json.loads(out)
    assert summary["kind"] == "counts"
    assert summary["fit"]["verdict"] == "geometry"
    graph = SharedGraph.load(tmp_path / "out" / "graph.safetensors")
    assert graph.names[:2] == ("bead 0", "bead 1")
    assert abs(np.corrcoef(graph.pos[:, 0].argsort().argsort(), PLACE.argsort().argsort())[0, 1]) > 0.97
    with (tmp_path / "out" / "partners.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [f"p{j}" for j in range(30)]
    assert abs(np.corrcoef([float(row["x"]) for row in rows], PARTNER)[0, 1]) > 0.97


def test_affinity_has_no_partners(tmp_path, run):
    affinity = np.exp(-np.abs(PLACE[:, None] - PLACE) / 0.1)
    scipy.io.mmwrite(tmp_path / "w.mtx", sp.coo_matrix(affinity), precision=17)
    code, out, err = run("--affinity", tmp_path / "w.mtx", "--balance")
    assert code == 0, err
    assert "nats a pair" in out
    assert not (tmp_path / "out" / "partners.csv").exists()


def test_sparse_counts_get_names_from_a_file(tmp_path, run):
    sp.save_npz(tmp_path / "c.npz", sp.csr_matrix(COUNTS))
    (tmp_path / "names.txt").write_text("".join(f"cell {i}\n" for i in range(40)))
    code, _, err = run("--counts", tmp_path / "c.npz", "--names", tmp_path / "names.txt")
    assert code == 0, err
    assert SharedGraph.load(tmp_path / "out" / "graph.safetensors").names[39] == "cell 39"


def test_names_that_do_not_fit_are_one_line(tmp_path, run):
    np.save(tmp_path / "a.npy", COUNTS)
    (tmp_path / "names.txt").write_text("a\nb\n")
    for names, message in (
        ("names.txt", "names must be 40, one a node, got 2"),
        (".", "no readable text file"),
        ("none.txt", "does not exist"),
    ):
        code, _, err = run("--counts", tmp_path / "a.npy", "--names", tmp_path / names)
        assert (code, err.count("\n")) == (2, 1)
        assert message in err
    code, _, err = run(tmp_path / "a.npy", "--names", tmp_path / "names.txt")
    assert code == 2
    assert "--names belongs to --counts and --affinity" in err


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (-COUNTS, ("--counts",), "whole numbers of at least 0"),
        (COUNTS / 3, ("--counts",), "whole numbers of at least 0"),
        (COUNTS, ("--affinity",), "must be square"),
        (CONTACT[:30], ("--affinity",), "must be symmetric"),
        (COUNTS, ("--balance", "--counts"), "--balance belongs to --affinity"),
        (COUNTS, ("--image", "--counts"), "--image is for samples"),
    ],
)
def test_bad_input_is_one_line_and_status_2(tmp_path, run, values, options, message):
    np.save(tmp_path / "a.npy", values)
    code, _, err = run(*options, tmp_path / "a.npy")
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_one_source_is_needed(tmp_path, run):
    np.save(tmp_path / "a.npy", COUNTS)
    for args in ((), ("--counts", tmp_path / "a.npy", "--affinity", tmp_path / "a.npy")):
        code, _, err = run(*args)
        assert code == 2
        assert "one of INPUT, --counts and --affinity" in err


def test_stages_are_timed(tmp_path, run):
    np.save(tmp_path / "a.npy", COUNTS)
    _, _, err = run("--counts", tmp_path / "a.npy", "-v")
    assert re.search(r"seconds: reading \d+\.\d\d, parts \d+\.\d\d, .*judgement \d+\.\d\d", err)
