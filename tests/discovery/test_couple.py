import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize(
    ("a", "b", "k", "match"),
    [
        (torch.zeros(9, 3), torch.zeros(8, 3), 4, "row by row, got 9 and 8"),
        (torch.zeros(5, 3), torch.zeros(5, 3), 4, "at least 8 pairs"),
        (torch.zeros(9), torch.zeros(9, 3), 4, r"x_a must be \[S, N\]"),
        (torch.zeros(9, 3), torch.full((9, 3), torch.nan), 4, "x_b has values that are not finite"),
        (torch.zeros(9, 3), torch.zeros(9, 3), 0, "k must be a whole number of at least 1, got 0"),
    ],
)
def test_bad_input_names_what_is_wrong(a, b, k, match):
    with pytest.raises(ValueError, match=match):
        couple(a, b, k)
