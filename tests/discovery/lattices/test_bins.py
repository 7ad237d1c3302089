import numpy as np
import pytest
import scipy.sparse as sp

from scge_pyg.discovery.lattices.bins import PairBins, bin_pairs


def symmetric(num_nodes, density, seed=100):
    rng = np.random.default_rng(seed)
    half = np.triu(rng.random((num_nodes,) * 2) ** 4 * (rng.random((num_nodes,) * 2) < density), 1)
    return half + half.T


def dense(bins):
    every = np.arange(len(bins))
    return bins.at(every[:, None], every)


@pytest.mark.parametrize("density", [1.0, 0.3, 0.05])
@pytest.mark.parametrize("num_nodes", [3, 8, 20, 200])
def test_bins_are_those_of_the_quantiles_of_all_pairs(num_nodes, density):
    """Of the pairs that are not stored, too: numpy's quantiles of the dense matrix."""
    coupling = symmetric(num_nodes, density)
    found = dense(bin_pairs(sp.csr_matrix(coupling)))
    tail = 1 - np.geomspace(0.07, min(0.07, 0.6 / num_nodes), 21)
    levels = np.quantile(coupling[~np.eye(num_nodes, dtype=bool)], [0.5, 0.9, *tail])
    expected = np.digitize(coupling, levels)
    np.fill_diagonal(expected, np.digitize(0.0, levels))
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("num_nodes", [2048, 8192, 30_000])
def test_partners_have_as_many_bins_in_any_node_set(num_nodes):
    """16 partners a node: their couplings spread over as many bins where pairs are more."""
    rng = np.random.default_rng(100)
    i = np.repeat(np.arange(num_nodes), 8)
    j = (i + 1 + np.tile(np.arange(8), num_nodes)) % num_nodes
    half = sp.csr_matrix((rng.random(len(i)), (i, j)), (num_nodes, num_nodes))
    bins = bin_pairs((half + half.T).tocsr())
    share = np.bincount(bins.bin, minlength=bins.count)[bins.rest + 1 :] / len(bins.bin)
    assert 11 <= len(share) <= 13
    assert share.max() < 0.25


def test_no_bin_lies_on_both_sides_of_a_split():
    coupling = symmetric(60, 0.2)
    split = np.quantile(coupling[coupling > 0], 0.8)
    bins = dense(bin_pairs(sp.csr_matrix(coupling), split=split)).astype(int)
    below, above = bins[coupling < split], bins[coupling >= split]
    assert above.min() - below.max() >= 4


def test_stored_pairs_and_what_is_not_stored():
    coupling = symmetric(60, 0.2)
    bins = bin_pairs(sp.csr_matrix(coupling))
    i, j, own = bins.pairs()
    assert (i < j).all()
    assert np.array_equal(own, bins.at(i, j))
    assert np.array_equal(bins.at(j, i), own)
    rest = np.setdiff1d(np.arange(3600), np.r_[i * 60 + j, j * 60 + i])
    assert (dense(bins).ravel()[rest] == bins.rest).all()
    assert bins.at(5, np.array([-1])).tolist() == [bins.rest]
    assert bins.count == dense(bins).max() + 1


def test_no_pair_is_stored():
    nothing = bin_pairs(sp.csr_matrix((30, 30)))
    assert isinstance(nothing, PairBins)
    assert len(nothing) == 30
    assert len(nothing.bin) == 0
    assert (dense(nothing) == nothing.rest).all()
