import itertools

import networkx
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from scge_pyg.discovery.judgement.prediction import (
    block_gains,
    moment_gains,
    nearest,
    num_partners,
    random_partners,
    regression,
)

RIDGE = 1e-3


@pytest.fixture(scope="module")
def halves():
    """Two halves ``[N, S]`` of samples of a random walk along twelve nodes."""
    walk = np.random.default_rng(100).standard_normal((12, 900)).cumsum(0)
    walk = (walk - walk.mean(1, keepdims=True)) / walk.std(1, keepdims=True)
    return walk[:, :500].astype(np.float32), walk[:, 500:].astype(np.float32)


@pytest.fixture(scope="module")
def partners():
    return random_partners(12, 3, np.random.default_rng(101))


def moments_of(score):
    return score.astype(float) @ score.T.astype(float) / score.shape[1]


def fitted(score, partners):
    """Ridge coefficients of each node by least squares on samples, the ridge as additional ones."""
    count, k = score.shape[1], partners.shape[1]
    penalty = np.sqrt(RIDGE * count) * np.eye(k)
    rows = []
    for node, chosen in enumerate(partners):
        inputs = np.concatenate([score[chosen].T.astype(float), penalty])
        rows.append(np.linalg.lstsq(inputs, np.r_[score[node].astype(float), np.zeros(k)], rcond=None)[0])
    return np.array(rows)


@pytest.mark.parametrize(("nodes", "expected"), [(2, 1), (4, 1), (5, 2), (9, 3), (20, 7), (23, 8), (1000, 8)])
def test_few_nodes_have_few_partners(nodes, expected):
    assert num_partners(nodes) == expected


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_nearest_are_the_nearest(dim):
    pos = np.random.default_rng(dim).standard_normal((40, dim))
    far = np.linalg.norm(pos[:, None] - pos[None], axis=2)
    np.fill_diagonal(far, np.inf)
    assert np.array_equal(nearest(pos, 5), np.argsort(far, axis=1)[:, :5])


def test_no_node_is_its_own_neighbour_where_all_share_a_place():
    found = nearest(np.zeros((9, 2)), 3)
    assert found.shape == (9, 3)
    assert (found != np.arange(9)[:, None]).all()
    assert all(len(set(row)) == 3 for row in found.tolist())


def test_random_partners_are_others_and_differ():
    draws = np.stack([random_partners(11, 4, np.random.default_rng(seed)) for seed in range(200)])
    assert (draws != np.arange(11)[None, :, None]).all()
    assert (np.diff(np.sort(draws, 2), axis=2) > 0).all()
    count = np.stack([np.bincount(draws[:, node].ravel(), minlength=11) for node in range(11)])
    others = count[~np.eye(11, dtype=bool)]
    assert others.min() > 0.5 * 200 * 4 / 10
    assert others.max() < 1.5 * 200 * 4 / 10


def test_regression_is_ridge_regression(halves, partners):
    score = halves[0]
    found = regression(moments_of(score), partners)
    for node, chosen in enumerate(partners):
        model = Ridge(alpha=RIDGE * score.shape[1], fit_intercept=False).fit(score[chosen].T.astype(float), score[node])
        np.testing.assert_allclose(found[node], model.coef_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found, fitted(score, partners), rtol=1e-6, atol=1e-9)


def test_moment_gains_are_those_of_predicted_samples(halves, partners):
    first, second = halves
    found = moment_gains(partners, moments_of(first), moments_of(second))
    beta = fitted(first, partners)
    for node, chosen in enumerate(partners):
        error = second[node].astype(float) - beta[node] @ second[chosen].astype(float)
        own = second[node].astype(float)
        assert found[node] == pytest.approx(-0.5 * np.log((error**2).mean() / (own**2).mean()), abs=1e-6)


def test_neighbours_gain_and_strangers_of_noise_do_not(halves):
    first, second = halves
    chain = np.array([[max(node - 1, 0) if node else 1, min(node + 1, 11) if node < 11 else 10] for node in range(12)])
    assert moment_gains(chain, moments_of(first), moments_of(second)).min() > 0.3
    noise = np.random.default_rng(0).standard_normal((2, 12, 400))
    gains = moment_gains(random_partners(12, 3, np.random.default_rng(1)), *map(moments_of, noise))
    assert gains.mean() < 0


@pytest.mark.parametrize("gaps", [False, True])
def test_block_gains_are_summed_sample_by_sample(halves, partners, gaps):
    first, second = (half.copy() for half in halves)
    block = np.repeat([0, 1, 2], [100, 250, 50])
    observed = np.random.default_rng(2).random(second.shape) > 0.2 if gaps else None
    if gaps:
        second[~observed] = 0
    beta = regression(moments_of(first), partners)
    found = block_gains(second, observed, block, partners, beta)
    assert found.shape == (3, 12)
    for number, node in itertools.product(range(3), range(12)):
        error = own = 0.0
        for sample in np.flatnonzero(block == number).tolist():
            if observed is not None and not observed[node, sample]:
                continue
            predicted = float(beta[node] @ second[partners[node], sample])
            error += (float(second[node, sample]) - predicted) ** 2
            own += float(second[node, sample]) ** 2
        assert found[number, node] == pytest.approx(-0.5 * np.log(error / own), abs=1e-4)


def test_a_map_of_the_truth_beats_chance_as_a_graph_knows_its_hops():
    """On a Markov field the neighbours of the graph predict better than nodes two hops away."""
    graph = networkx.convert_node_labels_to_integers(networkx.grid_2d_graph(5, 5))
    laplacian = networkx.laplacian_matrix(graph).toarray() + 0.2 * np.eye(25)
    root = np.linalg.cholesky(np.linalg.inv(laplacian))
    draws = root @ np.random.default_rng(3).standard_normal((25, 2000))
    first, second = moments_of(draws[:, :1000]), moments_of(draws[:, 1000:])
    hops = networkx.floyd_warshall_numpy(graph)
    near, far = (np.argsort(np.abs(np.asarray(hops) - away), axis=1, kind="stable")[:, :2] for away in (1, 4))
    assert moment_gains(near, first, second).mean() > moment_gains(far, first, second).mean() + 0.1
