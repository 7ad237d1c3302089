import numpy as np
import pandas
import pytest
import scipy.sparse as sp
import torch

from scge_pyg import SharedGraph
from scge_pyg.discovery import couple


def recordings(seed, pairs=300, linked=5):
    """Two modalities of 20 and 15 nodes; node i of one goes with node 2 i of the other for the first few."""
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(pairs, 20, generator=generator), torch.randn(pairs, 15, generator=generator)
    own = torch.arange(linked)
    b[:, 2 * own] += torch.tensor([1.5, -1.5, 1.5, 1.5, -1.5])[:linked] * a[:, own]
    return a, b


def test_edges_are_the_true_ones_and_weights_numpys_correlations():
    a, b = recordings(0)
    edge_index, weight = couple(a, b)
    assert edge_index.tolist() == [[0, 1, 2, 3, 4], [0, 2, 4, 6, 8]]
    r = np.abs(np.corrcoef(a.numpy().T, b.numpy().T)[:20, 20:])
    np.testing.assert_allclose(weight, r[tuple(edge_index.numpy())], rtol=1e-5)


def test_channels_units_and_node_orders_change_nothing():
    a, b = recordings(0)
    edges, weight = couple(a, b)
    same, again = couple(torch.stack([a - 5, a + 9], 2), 100 * b.double().numpy() + 3)
    assert torch.equal(same, edges)
    torch.testing.assert_close(again, weight)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    shuffled, _ = couple(a[:, order], b)
    assert {(int(order[i]), int(j)) for i, j in shuffled.T.tolist()} == {tuple(edge) for edge in edges.T.tolist()}


def test_without_a_link_there_is_an_edge_in_about_five_of_a_hundred():
    some = sum(couple(*recordings(seed, 60, linked=0), seed=seed)[0].shape[1] > 0 for seed in range(200))
    assert 2 <= some <= 20


def test_k_bounds_the_edges_of_a_node():
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(300, 1, generator=generator)
    a, b = (common + 0.3 * torch.randn(300, n, generator=generator) for n in (9, 7))
    assert couple(a, b, k=9)[0].shape[1] == 63
    edges, _ = couple(a, b, k=1)
    strength = np.abs(np.corrcoef(a.numpy().T, b.numpy().T)[:9, 9:])
    expected = {(i, int(strength[i].argmax())) for i in range(9)} | {
        (int(strength[:, j].argmax()), j) for j in range(7)
    }
    assert {tuple(edge) for edge in edges.T.tolist()} == expected


def test_nodes_that_never_vary_have_no_edges():
    a, b = recordings(0)
    a[:, 3] = 0.1
    assert couple(a, b)[0][0].tolist() == [0, 1, 2, 4]


def test_frames_and_lists_are_read_as_their_arrays():
    a, b = recordings(0)
    edges, weight = couple(a, b)
    index = pandas.date_range("2026-11-30", periods=300, freq="h")
    for one, other in (
        (pandas.DataFrame(a.numpy(), index=index), pandas.DataFrame(b.numpy(), index=index)),
        (pandas.DataFrame(a.numpy(), index=index), b),
        (a.tolist(), b.numpy()),
    ):
        same, again = couple(one, other)
        assert torch.equal(same, edges)
        torch.testing.assert_close(again, weight)


SOME = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
FRAME = pandas.DataFrame(SOME.numpy())
HOLE = SOME.masked_fill(torch.eye(9, 3).bool(), torch.nan)


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"x_b": SOME[:8]}, ValueError, "row by row, got 9 and 8"),
        ({"x_a": SOME[:5], "x_b": SOME[:5]}, ValueError, "at least 8 pairs"),
        ({"x_a": SOME[:, 0]}, ValueError, r"x_a must be \[S, N\].*got \[9\]; of one node"),
        ({"x_a": SOME.view(9, 3, 1, 1)}, ValueError, r"got \[9, 3, 1, 1\];.*ImageToNodes"),
        ({"x_a": SOME[:0]}, ValueError, r"got \[0, 3\]"),
        ({"x_a": []}, ValueError, r"x_a must be .* got \[0\]"),
        ({"x_b": HOLE}, ValueError, "x_b has values that are not finite"),
        ({"x_b": SOME / 0}, ValueError, "x_b has values that are not finite"),
        ({"x_b": None}, TypeError, "x_b must be a tensor, array or frame of real numbers.*got NoneType"),
        ({"x_b": "abc"}, TypeError, "x_b must be .* got str"),
        ({"x_b": {"a": SOME}}, TypeError, "x_b must be .* got dict"),
        ({"x_b": SharedGraph.from_grid((3,))}, TypeError, "x_b must be .* got SharedGraph"),
        ({"x_a": [[1.0, 2], [3.0]]}, TypeError, "x_a must be .* got list .*; stack samples"),
        ({"x_a": FRAME.assign(place="north")}, TypeError, "x_a must be .*got DataFrame .*'north'.*columns of text"),
        ({"x_a": np.zeros((9, 3), dtype="M8[s]")}, TypeError, "x_a must be .*got ndarray"),
        ({"x_a": sp.csr_array(SOME.numpy())}, TypeError, "got csr_array.*use toarray"),
        ({"x_a": SOME.to_sparse()}, TypeError, "x_a must be a dense tensor.*sparse; use to_dense"),
        ({"x_a": SOME.to("meta")}, TypeError, "on the meta device"),
        ({"x_a": SOME.to(torch.complex64)}, TypeError, "complex; pass their magnitude"),
        ({"x_a": SOME.numpy() * 1j}, TypeError, "x_a must be .* real numbers"),
        ({"x_a": FRAME, "x_b": FRAME[::-1]}, ValueError, r"rows in another order than x_a.*x_b.loc\[x_a.index\]"),
        ({"k": 0}, ValueError, "k must be an integer of at least 1, got 0"),
        ({"k": 2.0}, TypeError, "k must be an integer of at least 1, got 2.0"),
        ({"seed": -1}, ValueError, "seed must be an integer from 0 to"),
        ({"seed": None}, TypeError, "seed must be an integer from 0 to .* got None"),
    ],
)
def test_bad_input_names_what_is_wrong(changes, error, match):
    with pytest.raises(error, match=f"^couple: .*{match}"):
        couple(**{"x_a": SOME, "x_b": SOME, **changes})
