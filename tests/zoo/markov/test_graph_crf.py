"""Fields on graphs, against exact sums, brute force and the bound of EM."""

import itertools

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.zoo.markov import GraphCRF, JunctionTree

GRID = SharedGraph.from_grid((3, 3))
TREE = SharedGraph.from_edge_index(
    torch.tensor([[0, 0, 1, 1, 2, 5], [1, 2, 3, 4, 5, 6]]), 7, torch.tensor([1.0, 0.5, 2.0, 1.0, 0.3, 1.0])
)


def field(graph, pairwise="full", classes=3, seed=540, **options):
    crf = GraphCRF(classes, graph, pairwise, **options).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        crf.coupling.copy_(torch.randn(crf.coupling.shape, generator=generator))
    crf.requires_grad_(False)
    return crf, torch.randn(graph.num_nodes, classes, generator=generator, dtype=torch.double)


def everything(crf, unary):
    """All labellings of a small graph and their probabilities."""
    y = torch.tensor(list(itertools.product(range(crf.num_classes), repeat=crf.num_nodes)))
    score = crf.score(unary.expand(len(y), -1, -1), y)
    return y, score


@pytest.mark.parametrize("pairwise", ["potts", "full", "truncated"])
def test_scores_by_a_loop_and_symmetry(pairwise):
    crf, unary = field(TREE, pairwise)
    matrix = crf.matrix().detach()
    assert torch.equal(matrix, matrix.T)
    y = torch.tensor([0, 2, 1, 1, 0, 2, 2])
    expected = sum(unary[i, y[i]] for i in range(7))
    weight = dict(zip(map(tuple, TREE.edge_index.T.tolist()), TREE.edge_weight.tolist(), strict=True))
    for (a, b), w in weight.items():
        if a < b:
            beta = float(crf.coupling[0].detach())
            entry = {
                "potts": beta * (y[a] == y[b]),
                "truncated": -beta * min(abs(int(y[a]) - int(y[b])), 2),
                "full": matrix[y[a], y[b]],
            }[pairwise]
            expected = expected + w * entry
    assert float(crf.score(unary, y).detach()) == pytest.approx(float(expected))


def test_pseudo_likelihood_by_brute_force():
    crf, unary = field(TREE)
    y = torch.tensor([0, 2, 1, 1, 0, 2, 2])
    found = crf.pseudo_log_likelihood(unary, y)
    for i in range(7):
        others = y.repeat(3, 1)
        others[:, i] = torch.arange(3)
        assert float(found[i]) == pytest.approx(float(crf.score(unary.expand(3, -1, -1), others).log_softmax(0)[y[i]]))


@pytest.mark.parametrize("method", ["messages", "junction"])
def test_exact_on_trees(method):
    crf, unary = field(TREE, steps=60)
    y, score = everything(crf, unary)
    p = score.softmax(0)
    expected = torch.stack([torch.stack([p[y[:, i] == k].sum() for k in range(3)]) for i in range(7)])
    if method == "messages":
        found = crf.messages(unary)
    else:
        tree = JunctionTree(crf.factors(unary))
        found = torch.stack([tree.marginal(i) for i in range(7)])
        top = unary.amax(-1).sum() + float(crf.weight.sum()) * crf.matrix().max()
        assert torch.allclose(tree.log_partition() + top, score.logsumexp(0))
    assert torch.allclose(found, expected, atol=1e-8)


def test_the_bound_of_mean_fields_rises_and_stays_below():
    crf, unary = field(GRID, classes=2)
    _, score = everything(crf, unary)
    bounds = []
    for steps in range(1, 12):
        crf.steps = steps
        bounds.append(float(crf.bound(unary, crf.mean_field(unary))))
    assert all(b >= a - 1e-12 for a, b in itertools.pairwise(bounds))
    assert bounds[-1] > bounds[0]
    assert bounds[-1] <= float(score.logsumexp(0))


def test_the_bound_of_em_rises_at_each_step():
    """Half of the labels are known; E by mean field, M by gradient on the exact partition function."""
    crf, unary = field(GRID, classes=2, seed=541)
    generator = torch.Generator().manual_seed(542)
    known = torch.where(torch.rand(9, generator=generator) < 0.5, torch.randint(2, (9,), generator=generator), -1)
    clamped = crf._clamped(unary, known)
    bounds = []

    def bound(q):
        tree = JunctionTree(crf.factors(unary))
        top = unary.amax(-1).sum() + crf.weight.sum() * crf.matrix().max()
        given = torch.where(clamped > -1e8, clamped, 0.0)
        return crf.bound(given, q) - tree.log_partition() - top

    crf.requires_grad_()
    for _ in range(4):
        with torch.no_grad():
            q = crf.mean_field(unary, known)
        bounds.append(float(bound(q).detach()))
        optimizer = torch.optim.SGD(crf.parameters(), 0.02)
        for _ in range(5):
            optimizer.zero_grad()
            loss = -bound(q)
            loss.backward()
            optimizer.step()
        bounds.append(float(bound(q).detach()))
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(bounds))
    assert bounds[-1] > bounds[0] + 0.1


def test_what_is_known_is_kept_and_neighbours_hear_it():
    crf = GraphCRF(3, GRID).requires_grad_(False)
    crf.coupling.fill_(1.5)
    known = torch.full((9,), -1)
    known[4] = 2
    for method in ("mean_field", "messages"):
        crf.method = method
        q = crf(torch.zeros(9, 3), known)
        assert float(q[4, 2]) == pytest.approx(1.0)
        assert bool((q.argmax(-1) == 2).all())


def test_batches_states_and_gradients():
    crf, _ = field(GRID, classes=2)
    unary = torch.randn(3, 9, 2, generator=torch.Generator().manual_seed(543), dtype=torch.double)
    for method in (crf.mean_field, crf.messages):
        assert torch.allclose(method(unary)[1], method(unary[1]), atol=1e-12)
    y = torch.randint(2, (3, 9), generator=torch.Generator().manual_seed(544))
    assert torch.allclose(crf.score(unary, y)[2], crf.score(unary[2], y[2]))
    other = GraphCRF(2, GRID, "full").double()
    other.load_state_dict(crf.state_dict())
    assert torch.equal(other(unary), crf(unary))
    with pytest.raises(RuntimeError, match="another graph"):
        GraphCRF(2, SharedGraph.from_grid((9,)), "full").load_state_dict(crf.state_dict())
    crf.requires_grad_()
    crf.pseudo_log_likelihood(unary, y).sum().backward()
    assert torch.isfinite(crf.coupling.grad).all()
    other.reset_parameters()
    assert torch.allclose(other(unary), unary.softmax(-1))
    assert "2, nodes=9, pairwise='full', method='mean_field'" in repr(crf)
    alone = SharedGraph(torch.arange(3.0)[:, None], torch.zeros(2, 0, dtype=torch.long))
    assert torch.allclose(GraphCRF(2, alone)(torch.zeros(3, 2)), torch.full((3, 2), 0.5))


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: GraphCRF(1, GRID), ValueError, "num_classes must be"),
        (lambda: GraphCRF(2, 9), TypeError, "must be a SharedGraph"),
        (lambda: GraphCRF(2, GRID, "ising"), ValueError, "pairwise must be one of potts, full, truncated"),
        (lambda: GraphCRF(2, GRID, method="gibbs"), ValueError, "method one of mean_field, messages"),
        (lambda: GraphCRF(2, GRID)(torch.zeros(9, 3)), ValueError, "unary must be"),
        (lambda: GraphCRF(2, GRID).score(torch.zeros(9, 2), torch.full((9,), 2)), ValueError, "y must be integers"),
        (lambda: GraphCRF(2, GRID)(torch.zeros(9, 2), torch.full((9,), 2)), ValueError, "known must be integers"),
    ],
)
def test_refused(call, error, says):
    with pytest.raises(error, match=says):
        call()
