"""Orders, halves, balance, parts and chains, each against a closed form or the truth."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial.distance import cdist
from scipy.special import expit

from scge_pyg.discovery.counts.balancing import biases
from scge_pyg.discovery.counts.discover_affinity import _as_weights, _hanging_together
from scge_pyg.discovery.counts.factors import factor_lift
from scge_pyg.discovery.counts.halves import halves
from scge_pyg.discovery.counts.order import canonical_orders
from scge_pyg.discovery.counts.part import _near_pairs
from scge_pyg.discovery.counts.parts import rows_and_columns
from scge_pyg.discovery.counts.profiles import alike_rows
from scge_pyg.discovery.counts.seriation import along_chains
from scge_pyg.discovery.counts.trust import filled_directions, trust


def test_the_order_follows_the_content(square):
    rng = np.random.default_rng(3810)
    rows, cols = rng.permutation(square.counts.shape[0]), rng.permutation(square.counts.shape[1])
    one, other = square.counts, square.counts[rows][:, cols].tocsr()
    (a, b), (c, d) = canonical_orders(one), canonical_orders(other)
    assert np.array_equal(one[a][:, b].toarray(), other[c][:, d].toarray())


def test_a_symmetric_order_is_one():
    rng = np.random.default_rng(3811)
    half = np.triu(rng.poisson(1.0, (30, 30)), 1)
    whole = sp.csr_matrix((half + half.T).astype(float))
    order = rng.permutation(30)
    rows, cols = canonical_orders(whole, symmetric=True)
    again, _ = canonical_orders(sp.csr_matrix(whole[order][:, order]), symmetric=True)
    assert np.array_equal(rows, cols)
    assert np.array_equal(order[again], rows)


def test_halves_add_up_and_are_independent():
    rng = np.random.default_rng(3812)
    counts = sp.csr_matrix(rng.poisson(4.0, (300, 100)).astype(float))
    counts.sort_indices()
    one, other = halves(counts, 0)
    assert (one + other != counts).nnz == 0
    assert one.sum() / counts.sum() == pytest.approx(0.5, abs=0.01)
    assert abs(np.corrcoef(one.toarray().ravel(), other.toarray().ravel())[0, 1]) < 0.02  # Poisson thinning


def test_a_pair_is_split_alike_on_both_sides():
    half = np.triu(np.random.default_rng(3813).poisson(3.0, (40, 40)), 1)
    one, other = halves(sp.csr_matrix((half + half.T).astype(float)), 0, symmetric=True)
    assert (one != one.T).nnz == 0
    assert np.array_equal((one + other).toarray(), half + half.T)


def test_pairs_of_similarities_go_whole():
    half = np.triu(np.random.default_rng(3814).random((40, 40)), 1)
    one, other = halves(sp.csr_matrix(half + half.T), 0, symmetric=True)
    assert one.multiply(other).nnz == 0
    assert np.array_equal((one + other).toarray(), half + half.T)


def test_known_yields_are_balanced_out():
    rng = np.random.default_rng(3815)
    ring = np.exp(-np.minimum(np.arange(50), 50 - np.arange(50)) / 5.0)
    even = np.array([np.roll(ring, k) for k in range(50)])  # all rows have one sum
    yields = np.exp(rng.standard_normal(50))
    found = biases(sp.csr_matrix(even * np.outer(yields, yields)))
    assert np.allclose(found / found[0], yields / yields[0], rtol=1e-4)


def test_lifts_of_alike_rows_are_those_of_a_loop(square):
    share = square.counts.toarray() / square.counts.toarray().sum(1, keepdims=True)
    margin = square.counts.toarray().sum(0)
    margin = np.maximum(margin, np.median(margin) / 4)
    value = share @ np.diag(margin.sum() / margin) @ share.T
    np.fill_diagonal(value, -np.inf)
    found = alike_rows(square.counts, 3)
    assert np.array_equal(found.index[:, 0], value.argmax(1))
    assert np.median(found.lift[:, 2]) == pytest.approx(1.0)


def test_unrelated_rows_are_not_alike_beyond_chance():
    rng = np.random.default_rng(3816)
    counts = sp.csr_matrix(rng.poisson(60 * rng.dirichlet(np.ones(80)), (200, 80)).astype(float))
    counts = counts[:, np.asarray(counts.sum(0)).ravel() > 0]
    assert alike_rows(counts, 4).deviations.max() < np.sqrt(4 * np.log(200) + 8)


def test_two_arrays_are_two_parts(square):
    other = square.counts[:100][:, :90]
    rows = rows_and_columns(sp.csr_matrix(sp.block_diag([square.counts, other[np.diff(other.indptr) > 0]])))
    assert len(rows[0][0]) == 150
    assert np.array_equal(np.sort(rows[0][0]), np.arange(150))
    assert np.array_equal(np.sort(rows[0][1]), np.arange(120))


def test_chains_with_a_background_are_told_apart_and_ordered():
    rng = np.random.default_rng(3817)
    chain, place = np.repeat(np.arange(6), 40), np.tile(np.arange(40), 6)
    near = 20 / np.maximum(np.abs(place[:, None] - place), 1)
    half = np.triu(rng.poisson(np.where(chain[:, None] == chain, near, 0.2)), 1)
    order = rng.permutation(240)
    counts = sp.csr_matrix((half + half.T).astype(float)[order][:, order])
    parts = rows_and_columns(counts, shared=True)
    assert [len(rows) for rows, _ in parts] == [40] * 6
    assert all(len(set(chain[order[rows]])) == 1 for rows, _ in parts)
    rows = parts[0][0]
    for along in along_chains(counts[rows][:, rows]):
        assert abs(np.corrcoef(along.argsort().argsort(), place[order[rows]])[0, 1]) > 0.95


def test_factors_explain_counts_of_factors():
    rng = np.random.default_rng(3818)
    own, of = rng.dirichlet(np.full(4, 0.3), 120), rng.dirichlet(np.full(60, 0.3), 4)
    counts = sp.csr_matrix(rng.poisson(400 * own @ of).astype(float))
    row, col = (ends.ravel() for ends in np.indices((120, 60)))
    margin = np.asarray(counts.sum(0)).ravel() + 0.5
    margin /= margin.sum()
    found = factor_lift(counts, margin, row, col).reshape(120, 60) * margin
    assert np.corrcoef(found.ravel(), (own @ of).ravel())[0, 1] > 0.99


def test_directions_and_trust():
    rng = np.random.default_rng(3819)
    angle = 2 * np.pi * rng.random(400)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1) + 0.01 * rng.standard_normal((400, 2))
    sphere = rng.standard_normal((800, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    assert filled_directions(ring) == 1
    assert filled_directions(rng.random((400, 2))) == 2
    assert filled_directions(sphere) == 2
    flat = rng.random((100, 2))
    assert trust(flat, (flat, 3 - 2 * flat)).min() > 0.99
    assert trust(flat, (rng.random((100, 2)), rng.random((100, 2)))).mean() < 0.1
    for one, other in ((flat, flat[::-1]), (flat[::-1], flat)):  # a half of the votes
        assert 0.7 < trust(flat, (one, other)).mean() < 0.95


def test_rows_that_were_not_judged_have_the_trust_around_them():
    along = np.r_[np.arange(60.0), 10.3, 49.3][:, None]
    right = np.r_[np.arange(30.0), np.random.default_rng(3830).permutation(30) + 30.0, np.nan, np.nan][:, None]
    right[:60, 0] += 0.01 * np.random.default_rng(3834).random(60)
    right[30:60, 0] *= np.where(np.arange(30) % 2, 1, -1)
    found = trust(along, (right, right))
    assert found[5:25].min() > 0.99
    assert found[60] > 0.99
    assert found[61] < 0.5
    shares = []
    for node in (0, 29, 45):  # others have their own
        near = np.argsort(np.abs(along[:60, 0] - along[node, 0]), kind="stable")[1:9]
        shares.append(np.isin(near, np.argsort(np.abs(right[:60, 0] - right[node, 0]))[1:13]).mean())
    assert np.allclose(found[[0, 29, 45]], expit(15.9 * np.array(shares) - 6.6))


def test_near_pairs_join_clusters_by_the_shortest_pair():
    rng = np.random.default_rng(3831)
    group = np.repeat([0, 1, 2], [20, 15, 12])
    pos = rng.random((47, 2)) + np.array([[0, 0], [9, 0], [0, 30]])[group]
    edges = _near_pairs(pos, 3)
    near = np.argsort(cdist(pos, pos), 1)[:, 1:4]
    plain = {tuple(sorted((i, int(j)))) for i in range(47) for j in near[i]}
    joins = [pair for pair in edges.T.tolist() if tuple(pair) not in plain]
    assert len(joins) == edges.shape[1] - len(plain) == 2
    for a, b in ((0, 1), (0, 2)):
        own, other = np.flatnonzero(group == a), np.flatnonzero(group == b)
        i, j = np.unravel_index(cdist(pos[own], pos[other]).argmin(), (len(own), len(other)))
        assert [own[i], other[j]] in joins


def test_similarities_hang_together_by_eight_links():
    """All pairs are alike a little; with all links it would be one part."""
    part = np.repeat([0, 1], [14, 11])
    values = np.where(part[:, None] == part, 1.0, 0.01) * (1 + 0.1 * np.random.default_rng(3832).random((25, 25)))
    values = (values + values.T) * (1 - np.eye(25))
    found = _hanging_together(sp.csr_matrix(values))
    assert [rows.tolist() for rows, _ in found] == [list(range(14)), list(range(14, 25))]


def test_yields_are_divided_out_of_similarities():
    near = np.exp(-np.abs(np.subtract.outer(np.arange(12.0), np.arange(12.0)))) * (1 - np.eye(12))
    log_yield = np.random.default_rng(3833).standard_normal(12)
    given = sp.csr_matrix(near * np.exp(log_yield[:, None] + log_yield))
    found = _as_weights(given, log_yield)
    assert np.allclose(found.toarray(), near * 132 / near.sum())
