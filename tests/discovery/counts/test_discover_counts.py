"""`discover(counts=...)` and `discover(affinity=...)` from matrix to graph."""

import warnings

import numpy as np
import pandas
import pytest
import scipy.sparse as sp
import torch
from scipy.spatial.distance import cdist

from scge_pyg import SharedGraph, discover
from scge_pyg.discovery.counts import judging, part
from scge_pyg.discovery.counts.discover_affinity import _table
from scge_pyg.discovery.counts.discover_counts import Clock, found_parts
from scge_pyg.discovery.counts.kernels import Kernel
from tests.discovery.counts.conftest import beads, misplaced

SMALL = beads(3820, count=70, partners=60, a_bead=60, width=0.25)
PARTS = ((slice(70), slice(60)), (slice(70, None), slice(60, None)))  # rows and columns of two arrays in one


@pytest.fixture(scope="module")
def graph() -> SharedGraph:
    return discover(counts=SMALL.counts, dim=2)


def _places(tensor: torch.Tensor) -> np.ndarray:
    return tensor.double().numpy()


def test_beads_and_partners_are_placed(square):
    graph = discover(counts=square.counts)
    assert graph.dim == 2
    assert graph.fit.verdict == "geometry"
    assert graph.fit.gain_by_columns[1] == max(graph.fit.gain_by_columns)
    assert graph.fit.num_samples == square.counts.sum()
    assert misplaced(_places(graph.pos), square.bead) < 0.45
    assert misplaced(_places(graph.partner_pos), square.partner) < 0.5
    both = _places(torch.cat([graph.pos, graph.partner_pos]))
    assert misplaced(both, np.r_[square.bead, square.partner]) < 0.7
    edge = np.linalg.norm(square.bead[graph.edge_index[0]] - square.bead[graph.edge_index[1]], axis=1)
    assert np.median(edge) < 1.5 / np.sqrt(150)
    assert int(graph.component.max()) == 0
    assert graph.confidence.mean() > 0.9


def test_places_stand_upright(graph):
    pos = _places(graph.pos)
    spread = np.cov(pos.T)
    assert np.allclose(pos.mean(0), 0, atol=1e-4)
    assert abs(spread[0, 1]) < 1e-4 * spread[1, 1] < 1e-4 * spread[0, 0]
    assert (pos[np.abs(pos).argmax(0), [0, 1]] > 0).all()


def test_weights_fall_with_length_and_gains_are_those_of_a_count(graph):
    row, col = graph.edge_index.numpy()
    length = np.linalg.norm(_places(graph.pos)[row] - _places(graph.pos)[col], axis=1)
    weight = _places(graph.edge_weight)[np.argsort(length)]
    assert (np.diff(weight) < 1e-6).all()
    assert 1 >= weight[0] > 1.5 * weight[-1]
    counts = np.asarray(SMALL.counts.sum(1)).ravel()
    assert np.average(graph.fit.node_gain, weights=counts) == pytest.approx(graph.fit.gain, rel=0.05)


def test_a_ring_has_one_dimension_in_two_columns(monkeypatch):
    """Of beads with many counts, told that two columns are needed."""
    turn = 2 * np.pi * np.arange(80) / 80
    contact = np.exp(8 * np.cos(turn[:, None] - turn))
    expected = 1000 * contact / contact.sum(1, keepdims=True)
    counts = sp.csr_matrix(np.random.default_rng(3826).poisson(expected).astype(float))
    ring = np.stack([np.cos(turn), np.sin(turn)], 1)
    known = (2, Kernel("gaussian"), 1.0, 1.0, 1.0, 0.0, "geometry", (0.5, 1.0), np.ones(80), (ring, ring))
    monkeypatch.setattr(part, "judge", lambda *_, **__: judging.Judged(*known))
    found = part.discover_part_of_counts(counts, None, 0)
    assert (found.dim, found.pos.shape) == (1, (80, 2))
    assert found.confidence.min() > 0.9


def test_parts_lie_side_by_side(monkeypatch):
    """Few steps are enough for that."""
    monkeypatch.setattr(part, "_STEPS", 20)
    monkeypatch.setattr(judging, "_STEPS", 20)
    other = beads(3828, count=40, partners=30, a_bead=60, width=0.25)
    graph = discover(counts=sp.block_diag([SMALL.counts, other.counts]), dim=2)
    large, small = (torch.cat([graph.pos[own], graph.partner_pos[of]])[:, 0] for own, of in PARTS)
    assert float(small.min() - large.max()) == pytest.approx(64, abs=1e-3)


def test_shuffles_permute_the_result_bit_for_bit(graph):
    rng = np.random.default_rng(3821)
    rows, cols = rng.permutation(70), rng.permutation(60)
    other = discover(counts=SMALL.counts[rows][:, cols], dim=2)
    assert torch.equal(other.pos, graph.pos[rows])
    assert torch.equal(other.partner_pos, graph.partner_pos[cols])
    assert torch.equal(other.confidence, graph.confidence[rows])


def test_every_kind_of_matrix_gives_the_same(graph):
    dense = SMALL.counts.toarray()
    row, col = np.nonzero(dense)
    index = torch.from_numpy(np.stack([row, col]))
    coo = torch.sparse_coo_tensor(index, torch.from_numpy(dense[row, col]), (70, 60), check_invariants=True)
    frame = pandas.DataFrame(dense.astype(int), index=[f"bead {i}" for i in range(70)])
    for kind in (torch.from_numpy(dense), coo, frame):
        other = discover(counts=kind, dim=2)
        assert torch.equal(other.pos, graph.pos)
    assert other.names[:2] == ("bead 0", "bead 1")


def test_rows_and_columns_without_counts_are_dead(graph):
    dense = np.zeros((71, 61))
    dense[:70, 1:] = SMALL.counts.toarray()
    with pytest.warns(UserWarning, match="have no") as told:
        other = discover(counts=dense, dim=2)
    texts = [str(one.message) for one in told]
    assert any("1 of 71 rows of counts have no counts" in text for text in texts)
    assert any("1 of 61 columns of counts have no counts" in text for text in texts)
    assert not other.live[70]
    assert other.live[:70].all()
    assert torch.isnan(other.partner_pos[0]).all()
    assert torch.equal(other.pos[:70], graph.pos)


def test_counts_without_places_are_refused():
    rng = np.random.default_rng(3822)
    partners = rng.random((80, 70)) < 0.06  # each bead knows a few partners, at random
    partners[np.arange(80), rng.integers(70, size=80)] = True
    counts = rng.poisson(60 * partners / partners.sum(1, keepdims=True))
    with pytest.warns(UserWarning, match=r"no low-dimensional geometry|hang together"):
        graph = discover(counts=counts)
    assert graph.dim == 0
    assert graph.partner_pos is None
    with pytest.warns(UserWarning, match="no low-dimensional geometry"):
        drawn = discover(counts=counts, dim=2)
    assert drawn.pos.shape == (80, 2)
    assert drawn.confidence.max() <= 0.5


def test_margins_alone_have_no_geometry():
    rng = np.random.default_rng(3823)
    with pytest.warns(UserWarning, match=r"no low-dimensional geometry|hang together"):
        graph = discover(counts=rng.poisson(80 * rng.dirichlet(np.full(60, 5.0)) * np.ones((80, 1))))
    assert graph.dim == 0
    assert graph.num_edges <= 4


def test_a_kernel_of_distances_gives_the_places():
    place = np.random.default_rng(3824).random((90, 2))
    distance = cdist(place, place)
    graph = discover(affinity=np.exp(-((distance / 0.2) ** 2) / 2))
    assert graph.dim == 2
    assert graph.partner_pos is None
    assert misplaced(_places(graph.pos), place) < 0.05
    sparse = sp.csr_matrix(np.where(distance < 0.5, np.exp(-((distance / 0.2) ** 2) / 2), 0))
    assert misplaced(_places(discover(affinity=sparse, dim=2).pos), place) < 0.2


def test_the_diagonal_and_what_is_negative_are_no_similarity():
    half = np.random.default_rng(3829).standard_normal((30, 30))
    whole = half + half.T
    table = _table(sp.csr_matrix(whole), balance=False)
    assert np.array_equal(table.rows, table.cols)
    found = table.counts.toarray()[np.ix_(table.rows.argsort(), table.rows.argsort())]
    assert np.array_equal(found, np.where(np.eye(30) > 0, 0, np.maximum(whole, 0)))


def test_contacts_with_yields_are_ordered():
    rng = np.random.default_rng(3825)
    along = rng.permutation(60)
    yields = np.exp(0.3 * rng.standard_normal(60))
    near = 40 * np.outer(yields, yields) / (1 + np.abs(along[:, None] - along))
    half = np.triu(rng.poisson(near), 1)
    graph = discover(affinity=half + half.T, balance=True, dim=1)
    assert graph.fit.coupling.startswith("contacts")
    assert abs(np.corrcoef(graph.pos[:, 0].argsort().argsort(), along)[0, 1]) > 0.99


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ({}, TypeError, "exactly one of x .samples., affinity and counts must be given, got none"),
        ({"x": np.ones((3, 3)), "counts": np.ones((3, 3))}, TypeError, "got x, counts"),
        ({"counts": -np.ones((4, 4))}, ValueError, "whole numbers of at least 0, got 16 others, such as -1"),
        ({"counts": np.full((4, 4), 0.5)}, ValueError, "real-valued similarities of nodes go into affinity="),
        ({"counts": np.full((4, 4), np.nan)}, ValueError, "counts must be finite, got 16 other values"),
        ({"counts": np.zeros((4, 4))}, ValueError, "at least 3 rows and columns with counts, got 0 and 0"),
        ({"counts": np.ones(4)}, ValueError, r"counts must have two axes .* got shape \[4\]"),
        ({"counts": "table"}, TypeError, "counts must be a matrix of numbers"),
        ({"counts": np.ones((4, 4)), "balance": True}, ValueError, "balance=True belongs to affinity="),
        ({"counts": np.ones((4, 4)), "missing_value": 0}, ValueError, "missing_value belongs to x"),
        ({"affinity": np.ones((4, 5))}, ValueError, r"must be square \[N, N\], got \[4, 5\]"),
        (
            {"affinity": np.arange(16.0).reshape(4, 4)},
            ValueError,
            "must be symmetric, got values that differ by up to 9",
        ),
        ({"affinity": 1 - 2 * np.eye(4)[::-1], "balance": True}, ValueError, "needs an affinity of at least 0"),
        (
            {"affinity": pandas.DataFrame(np.ones((3, 3)), index=list("abc"), columns=list("acb"))},
            ValueError,
            "rows and columns of affinity must have the same names in one order",
        ),
    ],
)
def test_what_does_not_fit_is_named(source, error, message):
    with pytest.raises(error, match=message):
        discover(**source)


def test_a_graph_is_told_what_lays_it_out():
    place = np.random.default_rng(7025).random(60)
    joined = (np.abs(place[:, None] - place) < 0.12) & ~np.eye(60, dtype=bool)
    with pytest.warns(UserWarning, match=r"nothing but 0 and 1.*from_edge_index lays out a known graph"):
        graph = discover(affinity=joined)
    assert graph.dim == 1
    assert abs(np.corrcoef(graph.pos[:, 0].argsort().argsort(), place.argsort().argsort())[0, 1]) > 0.98


def test_counts_of_0_and_1_say_little():
    rng = np.random.default_rng(7026)
    rows, partners = rng.random(60), rng.random(80)
    met = np.abs(rows[:, None] - partners) < 0.15
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        discover(counts=met)
    assert "counts holds nothing but 0 and 1" in str(told[0].message)
    assert "no low-dimensional geometry" in str(told[1].message)


def test_negative_similarities_are_told():
    place = np.random.default_rng(7025).random(60)
    kernel = np.exp(-np.abs(place[:, None] - place) / 0.3)
    expected = discover(affinity=np.where(kernel < 0.1, 0.0, kernel), dim=1)
    low = int((kernel < 0.1).sum())
    with pytest.warns(UserWarning, match=f"{low} of 3600 values of affinity are negative and count as 0"):
        graph = discover(affinity=np.where(kernel < 0.1, -0.5, kernel), dim=1)
    assert torch.equal(graph.pos, expected.pos)
    with pytest.raises(ValueError, match=r"affinity must have values above 0, got 3540 below alone; numpy\.exp"):
        discover(affinity=np.triu(-kernel, 1) + np.tril(-kernel, -1))


def test_rows_have_names(graph):
    names = [f"bead {i}" for i in range(70)]
    named = discover(counts=SMALL.counts, names=names, dim=2)
    assert named.names == tuple(names)
    assert torch.equal(named.pos, graph.pos)
    assert named.fit.unit == "count"
    assert "nats a count" in str(named.fit)


@pytest.mark.parametrize("kind", ["counts", "affinity", "x"])
def test_names_that_do_not_fit_are_refused_before_any_work(kind):
    square = sp.csr_matrix(np.ones((5, 5)))
    matrix = square.toarray() if kind == "x" else square
    with pytest.raises(ValueError, match="discover: names must be 5, one a node, got 4"):
        discover(**{kind: matrix}, names=list("abcd"))
    with pytest.raises(ValueError, match="discover: names must differ, 'a' came twice"):
        discover(**{kind: matrix}, names=list("abcda"))


@pytest.mark.parametrize("kind", ["counts", "affinity"])
def test_a_frame_that_names_two_rows_alike_is_refused(kind):
    with pytest.raises(ValueError, match="discover: names must differ, 'a' came twice"):
        discover(**{kind: pandas.DataFrame(np.ones((3, 3)), index=list("aba"), columns=list("aba"))})


def test_samples_may_be_named_too():
    walk = np.random.default_rng(7023).standard_normal((200, 9)).cumsum(1)
    assert discover(walk, names=list("abcdefghi"), dim=1).names == tuple("abcdefghi")


def test_a_row_that_meets_nothing_of_its_part_stands_alone():
    counts = sp.csr_matrix(np.array([[2.0, 1, 0], [1, 3, 0], [0, 0, 4]]))
    groups = [(np.array([0, 1, 2]), np.array([0, 1])), (np.arange(0), np.array([2]))]
    found = found_parts(counts, groups, None, 0, False, Clock())
    assert [rows.tolist() for rows, _, _ in found] == [[0, 1], [2]]


def test_each_part_has_a_fit_of_its_own():
    tables = [beads(seed, count=70, partners=60, a_bead=60, width=0.25).counts for seed in (3820, 3821)]
    graph = discover(counts=sp.block_diag(tables).tocsr(), dim=2)
    assert graph.component.unique().tolist() == [0, 1]
    for own, fit in zip(graph.parts(), graph.part_fit, strict=True):
        table = tables[0 if bool((graph.component[:70] == 0).all()) == (fit is graph.part_fit[0]) else 1]
        assert own.fit.gain == fit.gain
        assert fit.gain == pytest.approx(discover(counts=table, dim=2).fit.gain, rel=0.1)
        assert fit.verdict == "geometry"
        assert fit.node_gain.shape == (70,)
        assert fit.node_gain.isfinite().all()
    assert graph.part_fit[0].gain == graph.fit.gain != graph.part_fit[1].gain
