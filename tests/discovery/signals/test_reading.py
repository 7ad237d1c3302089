import pathlib

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from scge_pyg.discovery.signals import reading
from scge_pyg.discovery.signals.reading import blocks


@pytest.fixture
def x():
    return torch.randn(600, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda x: x,
        lambda x: x.unsqueeze(2),
        lambda x: x.clone().requires_grad_(),
        lambda x: x.numpy(),
        lambda x: x.numpy().astype(">f4"),
        lambda x: x.split(77),
        lambda x: iter(x.split(77)),
        lambda x: [*x.split(100), x[:0]],
        lambda x: [x[:300], x[300:].numpy()],
        lambda x: [(part, "label") for part in x.split(100)],
        lambda x: [[part] for part in x.split(100)],
        lambda x: torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x), batch_size=64),
    ],
)
def test_everything_is_read_in_blocks(x, wrap, monkeypatch):
    monkeypatch.setattr(reading, "_BLOCK_BYTES", 8 * 5 * 128)
    found = [block.values for block in blocks(wrap(x))]
    assert torch.equal(torch.cat(found), x.unsqueeze(2))
    assert max(block.shape[0] for block in found) <= 128
    assert not any(block.requires_grad for block in found)


def test_missing_values_are_nan_of_any_origin(x):
    hidden = x > 1
    expected = x.masked_fill(hidden, torch.nan).unsqueeze(2)
    for given, value in [
        (x.masked_fill(hidden, torch.nan), None),
        (x.masked_fill(hidden, -999), -999),
        (x.masked_fill(hidden, torch.inf), float("inf")),
        (np.ma.masked_array(x, mask=hidden), None),
        ([np.ma.masked_array(x, mask=hidden)], float("nan")),
    ]:
        found = torch.cat([block.values for block in blocks(given, missing_value=value)])
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("missing_value", ["-999", [0]])
def test_missing_value_is_a_number(x, missing_value):
    with pytest.raises(TypeError, match="missing_value must be a number or None"):
        list(blocks(x, missing_value=missing_value))


def test_infinite_values_are_named(x, monkeypatch):
    monkeypatch.setattr(reading, "_BLOCK_BYTES", 8 * 5 * 100)
    x[512, 3], x[513, 1], x[7, 2] = torch.inf, -torch.inf, torch.nan
    match = r"x has infinite values at 2 nodes \(1, 3\) in 2 samples \(512, 513\); .*numpy\.where"
    with pytest.raises(ValueError, match=match):
        list(blocks(x))
    with pytest.raises(ValueError, match=r"batch 1 of x has infinite values at 2 nodes \(1, 3\) in 2 samples"):
        list(blocks([x[:500], x[500:]]))
    with pytest.raises(
        ValueError, match=r"at 6 nodes \(0, 1, 2, 3, 4, \.\.\.\) in 7 samples \(0, 1, 2, 3, 4, \.\.\.\)"
    ):
        list(blocks(np.full((7, 6), np.inf)))


@pytest.mark.parametrize(
    ("x", "match"),
    [
        ("a.csv", "got str; read the file first, or run `scge discover FILE`"),
        (pathlib.Path("a.csv"), "read the file first"),
        (None, "got NoneType"),
        (3, "got int"),
        ({"a": torch.rand(5, 5)}, r"got dict; pass one of its values, x\[key\]"),
        (
            torch.utils.data.TensorDataset(torch.rand(5, 5)),
            "got TensorDataset; a map-style dataset is read through a Data",
        ),
        ([[1.0, 2.0]], r"got list; convert lists of numbers with torch\.tensor\(x\)"),
        (["a"], "a batch must be a tensor, an array, a table, a tuple that starts with one, or a PyG Batch, got str"),
        (torch.eye(4).to_sparse(), r"x is a sparse tensor; use x\.to_dense\(\)"),
        ([torch.eye(4).to_sparse()], r"batch 0 of x is a sparse tensor"),
        (sp.csr_matrix(np.eye(4)), r"x is a sparse matrix; use x\.toarray\(\)"),
        ([sp.coo_array(np.eye(4))], r"batch 0 of x is a sparse matrix"),
        (
            torch.nested.nested_tensor([torch.ones(3), torch.ones(2)], layout=torch.jagged),
            r"nested tensor; use torch\.nested\.to_padded_tensor\(x, float\('nan'\)\)",
        ),
    ],
)
def test_wrong_type(x, match):
    with pytest.raises(TypeError, match=match):
        list(blocks(x))


@pytest.mark.parametrize(
    ("x", "match"),
    [
        (torch.zeros(10), r"x must be \[S, N\] or \[S, N, C\], got \[10\]; one signal alone has no geometry"),
        (torch.zeros(4, 3, 8, 8), r"got \[4, 3, 8, 8\]; flatten images first, .*ImageToNodes"),
        (
            list(torch.zeros(4, 3)),
            r"batch 0 of x must be .* got \[3\]; samples one by one are stacked with torch\.stack",
        ),
        (np.zeros((9, 0)), r"at least one node and one channel, got \[9, 0\]"),
        (np.zeros((9, 3, 0)), r"at least one node and one channel, got \[9, 3, 0\]"),
        ([torch.zeros(9, 3), torch.zeros(9, 4)], r"share N and C, got \[4\] after \[3\]"),
        ([torch.zeros(9, 3), torch.zeros(9, 3, 2)], r"share N and C, got \[3, 2\] after \[3\]"),
        ([], "holds no batch"),
    ],
)
def test_wrong_shape(x, match):
    with pytest.raises(ValueError, match=match):
        list(blocks(x))


class Named:
    dims = ("time", "node")

    def __init__(self, names):
        self.coords = {"node": names}

    def __array__(self, dtype=None, copy=None):
        return np.zeros((2, len(self.coords["node"])))


def test_names_must_agree():
    first = Named(["a", "b", "c"])
    assert [block.names for block in blocks([first, torch.zeros(2, 3), first])] == [tuple("abc"), None, tuple("abc")]
    with pytest.raises(
        ValueError, match=r"batch 1 of x has its nodes in another order .* 'c' where 'b' was; reorder it"
    ):
        list(blocks([first, Named(["a", "c", "b"])]))
    with pytest.raises(ValueError, match=r"batch 2 of x has other nodes than the batches before: 'z' instead of 'b'"):
        list(blocks([first, torch.zeros(2, 3), Named(["a", "z", "c"])]))


def test_an_iterator_is_read_once(x):
    reads = []

    def stream():
        for part in x.split(100):
            reads.append(len(part))
            yield part

    assert len(list(blocks(stream()))) == 6
    assert reads == [100] * 6
    used = iter([x])
    next(used)
    with pytest.raises(ValueError, match="read before is empty the second time"):
        list(blocks(used))
