"""Matrices in files: the same one in every kind, and what is refused."""

import gzip

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from scge_pyg.io import Signals, read
from scge_pyg.io.matrices import read_matrix

COUNTS = np.array([[3, 0, 1, 0], [0, 2, 0, 5], [1, 1, 0, 4]])


def _values(path, **options):
    values = read_matrix(path, **options).samples
    return values.toarray() if sp.issparse(values) else values


def _written(tmp_path, kind):
    path = tmp_path / f"counts{kind}"
    row, col = np.nonzero(COUNTS)
    triplets = "".join(f"{i},{j},{COUNTS[i, j]}\n" for i, j in zip(row, col, strict=True))
    dense = "\n".join(",".join(map(str, line)) for line in COUNTS.tolist())
    match kind:
        case ".csv":
            path.write_text("bead,partner,count\n" + triplets)
        case ".csv.gz":
            path.write_bytes(gzip.compress(triplets.encode()))
        case ".tsv":
            path.write_text(dense.replace(",", "\t"))
        case ".txt":
            path.write_text("0 1 2 3\n" + dense.replace(",", " "))
        case ".mtx":
            scipy.io.mmwrite(path, sp.coo_matrix(COUNTS))
        case ".npz":
            sp.save_npz(path, sp.csr_matrix(COUNTS))
        case ".npy":
            np.save(path, COUNTS)
    return path


@pytest.mark.parametrize("kind", [".csv", ".csv.gz", ".tsv", ".txt", ".mtx", ".npz", ".npy"])
def test_every_kind_of_file_holds_the_same_matrix(tmp_path, kind):
    assert np.array_equal(_values(_written(tmp_path, kind)), COUNTS)


def test_one_of_several_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", counts=COUNTS, other=np.zeros(3))
    assert np.array_equal(_values(tmp_path / "a.npz", key="counts"), COUNTS)
    with pytest.raises(ValueError, match="holds 2 arrays"):
        read_matrix(tmp_path / "a.npz")


def test_names_come_along(tmp_path):
    path = tmp_path / "named.csv"
    path.write_text(",p,q,r\na,1,2,0\nb,0,3,1\n")
    found = read_matrix(path)
    assert found.names == ("a", "b")
    assert found.partners == ("p", "q", "r")
    path.write_text("b,q,3\na,p,1\na,q,2\n")
    found = read_matrix(path)
    assert (found.names, found.partners) == (("a", "b"), ("p", "q"))
    assert found.samples.toarray().tolist() == [[1, 2], [0, 3]]


def test_a_row_that_is_only_numbered_has_no_name(tmp_path):
    path = tmp_path / "numbered.csv"
    path.write_text(",0,1,2\n0,1,2,0\n1,0,3,1\n")
    assert np.array_equal(_values(path), [[1, 2, 0], [0, 3, 1]])


def test_one_side_of_an_affinity_stands_for_both(tmp_path):
    path = tmp_path / "contacts.csv"
    path.write_text("0,1,5\n1,2,3\n2,2,7\n")
    assert _values(path, kind="affinity").tolist() == [[0, 5, 0], [5, 0, 3], [0, 3, 7]]
    path.write_text("a,b,5\nb,a,5\n")
    assert _values(path, kind="affinity").tolist() == [[0, 5], [5, 0]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.xlsx", "", "unknown suffix '.xlsx'"),
        ("a.csv", "1,2,3\n4,5\n", "line 2 has 2 cells where the first has 3"),
        ("a.csv", "1,2,x\n1,2,y\n", "third of three columns must be numbers"),
        ("a.csv", "row,col,count\n", "no entries"),
        ("a.csv", "1,2,3,4\n1,2,3,x\n", "must hold numbers"),
        ("a.csv", "", "it is empty"),
        ("a.csv", "1,2,3\r4,5,6\n", "not a readable matrix"),
        ("a.mtx", "nothing", "not a readable matrix"),
        ("a.npy", "nothing", "not a readable matrix"),
    ],
)
def test_what_is_no_matrix_is_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_matrix(tmp_path / name)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_matrix(tmp_path / "none.csv")


def test_read_takes_tables_as_counts_where_it_is_told(tmp_path):
    path = _written(tmp_path, ".csv.gz")
    signals = read(path, kind="counts")
    assert (signals.kind, signals.num_nodes, signals.num_samples) == ("counts", 3, 4)
    np.testing.assert_array_equal(signals.samples.toarray(), COUNTS)
    assert read(_written(tmp_path, ".mtx")).kind == "counts"
    with pytest.raises(ValueError, match="kind must be 'counts' or 'affinity', got 'samples'"):
        read(path, kind="samples")
    (tmp_path / "a.mtx").write_text("nothing")
    with pytest.raises(ValueError, match=r"read: .* is not a readable matrix"):
        read(tmp_path / "a.mtx")


def test_dead_nodes_have_no_contacts():
    affinity = Signals(sp.csr_matrix(np.ones((3, 3))), kind="affinity", dead=[False, True, False])
    assert affinity.matrix.toarray().tolist() == [[1, 0, 1], [0, 0, 0], [1, 0, 1]]
    counts = Signals(np.ones((2, 3)), kind="counts", dead=[True, False])
    assert counts.matrix.toarray().tolist() == [[0, 0, 0], [1, 1, 1]]
