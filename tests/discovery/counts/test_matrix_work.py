"""Orders, halves, balance, parts and chains, each against a closed form or the truth."""

import numpy as np
import pytest
import scipy.sparse as sp

from scge_pyg.discovery.counts.balancing import biases
from scge_pyg.discovery.counts.factors import factor_lift
from scge_pyg.discovery.counts.halves import halves
from scge_pyg.discovery.counts.order import canonical_orders
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
