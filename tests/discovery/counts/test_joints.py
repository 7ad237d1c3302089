"""Pieces of one chain are told from pieces of two, against a loop and against the truth."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from scge_pyg.discovery.counts.joints import Joints, end_to_end
from scge_pyg.discovery.counts.parts import rows_and_columns


def _contacts(rng, expected):
    half = np.triu(rng.poisson(expected), 1)
    return sp.csr_matrix((half + half.T).astype(float))


def test_nats_are_those_of_a_loop():
    rng = np.random.default_rng(7020)
    counts, total, other = rng.poisson(2.0, (9, 11)), rng.random(9), rng.random(11)
    found = []
    for rank in (np.arange(9), np.arange(8, -1, -1)):
        for tail in (np.arange(11), np.arange(10, -1, -1)):
            contact = np.array([[(rank[i] + tail[j] + 1.0) ** -0.5 for j in range(11)] for i in range(9)])
            even = sum(total[i] * other[j] * contact[i, j] for i in range(9) for j in range(11))
            chance = contact / even * total.sum() * other.sum()
            found.append((counts * np.log(chance)).sum())
    assert end_to_end(counts, total, other) == pytest.approx(max(found))


def test_arms_of_a_chain_go_on_in_each_other_and_chains_do_not():
    rng = np.random.default_rng(7021)
    place = np.arange(80)
    apart = np.maximum(np.abs(place[:, None] - place), 1)
    chain = np.where((place[:, None] < 40) == (place < 40), 1.0, 0.4) * 12 / apart
    expected = np.full((160, 160), 0.3)
    expected[:80, :80] = expected[80:, 80:] = chain
    joints = Joints(_contacts(rng, expected))
    assert joints.evidence(np.arange(40), np.arange(40, 80)) > 20
    assert joints.evidence(np.arange(40), np.arange(80, 120)) < 0
    assert joints.evidence(np.arange(5), np.arange(5, 80)) == 0.0


def test_arms_that_hardly_meet_are_one_part():
    rng = np.random.default_rng(7000)
    chain, place = np.repeat(np.arange(12), 60), np.tile(np.arange(60), 12)
    affinity = np.exp(0.25 * rng.standard_normal((12, 12)))
    affinity = np.sqrt(affinity * affinity.T)
    arm = np.where((place[:, None] < 25) == (place < 25), 1.0, 0.5)
    near = 8 * arm / np.maximum(np.abs(place[:, None] - place), 1)
    counts = _contacts(rng, np.where(chain[:, None] == chain, near, 0.08 * affinity[chain][:, chain]))
    order = rng.permutation(720)
    parts = rows_and_columns(sp.csr_matrix(counts[order][:, order]), shared=True)
    assert [len(rows) for rows, _ in parts] == [60] * 12
    assert all(len(set(chain[order[rows]])) == 1 for rows, _ in parts)


def test_chains_of_one_kind_are_not_joined():
    """Twelve chains of which four meet each other 3.6 times as often as others, everywhere alike."""
    rng = np.random.default_rng(7024)
    chain, place = np.repeat(np.arange(12), 40), np.tile(np.arange(40), 12)
    kind = np.where((chain[:, None] < 4) & (chain < 4), 3.6, 1.0)
    near = 8 / np.maximum(np.abs(place[:, None] - place), 1)
    counts = _contacts(rng, np.where(chain[:, None] == chain, near, 0.15 * kind))
    parts = rows_and_columns(counts, shared=True)
    assert len(parts) == 12
    assert all(np.bincount(chain[rows]).max() > 0.95 * len(rows) for rows, _ in parts)


def test_many_rows_that_meet_nobody_alike_need_no_table_of_pairs():
    """12,000 rows without parts: a dense table of pieces by pieces or rows by pieces would take a gigabyte."""
    rng = np.random.default_rng(7022)
    row, col = rng.integers(12_000, size=(2, 40_000))
    half = sp.triu(sp.csr_matrix((np.full(40_000, 2.0), (row, col)), (12_000, 12_000)), 1)
    counts = sp.csr_matrix(half + half.T)
    counts = counts[np.diff(counts.indptr) > 0][:, np.diff(counts.indptr) > 0]
    tracemalloc.start()
    rows_and_columns(sp.csr_matrix(counts), shared=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300e6
