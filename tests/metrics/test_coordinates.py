import numpy as np
import pytest
import scipy.spatial
import torch

from scge_pyg.metrics import continuity, coordinates, procrustes_error, trustworthiness


def cloud(seed, nodes=40, dim=2, noise=0.3):
    generator = torch.Generator().manual_seed(seed)
    truth = torch.rand(nodes, dim, generator=generator)
    return truth + noise * torch.randn(nodes, dim, generator=generator), truth


def brute_trustworthiness(pos, truth, k):
    pos, truth = pos.double().numpy(), truth.double().numpy()
    nodes = len(pos)
    penalty = 0
    for i in range(nodes):
        others = [j for j in range(nodes) if j != i]
        near = sorted(others, key=lambda j: np.linalg.norm(pos[i] - pos[j]))[:k]
        for j in near:
            closer = sum(np.linalg.norm(truth[i] - truth[m]) < np.linalg.norm(truth[i] - truth[j]) for m in others)
            penalty += max(0, closer + 1 - k)
    return 1 - 2 * penalty / (nodes * k * (2 * nodes - 3 * k - 1))


@pytest.mark.parametrize("k", [1, 5, 8])
def test_trustworthiness_equals_brute_force(k):
    pos, truth = cloud(k)
    assert trustworthiness(pos, truth, k) == pytest.approx(brute_trustworthiness(pos, truth, k), abs=1e-12)
    assert continuity(pos, truth, k) == pytest.approx(brute_trustworthiness(truth, pos, k), abs=1e-12)
    assert trustworthiness(pos, truth, k) != pytest.approx(continuity(pos, truth, k), abs=1e-6)


def test_trustworthiness_equals_scikit_learn():
    manifold = pytest.importorskip("sklearn.manifold")
    pos, truth = cloud(7, nodes=60, dim=3)
    expected = manifold.trustworthiness(truth.double().numpy(), pos[:, :2].double().numpy(), n_neighbors=6)
    assert trustworthiness(pos[:, :2], truth, k=6) == pytest.approx(expected, abs=1e-12)


def test_blocks_do_not_change_the_result(monkeypatch):
    pos, truth = cloud(1)
    whole = trustworthiness(pos, truth), continuity(pos, truth)
    monkeypatch.setattr(coordinates, "_BLOCK_BYTES", 3 * 8 * 40 * 7)
    assert (trustworthiness(pos, truth), continuity(pos, truth)) == pytest.approx(whole)


def test_equal_true_distances_cost_nothing():
    truth = torch.cartesian_prod(torch.arange(6.0), torch.arange(6.0))
    generator = torch.Generator().manual_seed(0)
    pos = truth + 1e-4 * torch.randn(36, 2, generator=generator)
    assert trustworthiness(pos, truth, k=3) == 1.0


def test_only_masked_nodes_are_seen():
    pos, truth = cloud(2)
    mask = torch.arange(40) < 30
    expected = trustworthiness(pos[:30], truth[:30], k=4), procrustes_error(pos[:30], truth[:30])
    assert (trustworthiness(pos, truth, 4, mask), procrustes_error(pos, truth, mask)) == pytest.approx(expected)
    pos[30:] = torch.nan
    assert (trustworthiness(pos, truth, 4), procrustes_error(pos, truth)) == pytest.approx(expected)
    assert continuity(pos, truth, 4) == pytest.approx(continuity(pos[:30], truth[:30], 4))


def test_procrustes_forgives_similarity_only():
    _, truth = cloud(3)
    angle = torch.tensor(0.7)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    mirrored = (2.5 * truth @ turn) * torch.tensor([1.0, -1.0]) + 4
    assert procrustes_error(mirrored, truth) == pytest.approx(0, abs=1e-6)
    assert procrustes_error(truth * torch.tensor([1.0, 3.0]), truth) > 0.1
    assert procrustes_error(torch.zeros_like(truth), truth) == pytest.approx(1.0)


def test_procrustes_equals_scipy():
    pos, truth = cloud(4, dim=3)
    disparity = scipy.spatial.procrustes(truth.double().numpy(), pos.double().numpy())[2]
    assert procrustes_error(pos, truth) == pytest.approx(disparity**0.5, rel=1e-9)
    flat = torch.nn.functional.pad(pos[:, :2], (0, 1))
    disparity = scipy.spatial.procrustes(truth.double().numpy(), flat.double().numpy())[2]
    assert procrustes_error(pos[:, :2], truth) == pytest.approx(disparity**0.5, rel=1e-9)


@pytest.mark.parametrize("metric", [trustworthiness, continuity, procrustes_error])
def test_bad_input_is_refused(metric):
    pos, truth = cloud(5)
    with pytest.raises(ValueError, match=metric.__name__ + r": pos and true_pos must be \[N, d\]"):
        metric(pos, truth[:-1])
    with pytest.raises(ValueError, match=r"mask must be bool \[40\]"):
        metric(pos, truth, mask=torch.ones(40))
    with pytest.raises(ValueError, match="finite coordinates"):
        metric(pos, truth * torch.nan, mask=torch.ones(40, dtype=torch.bool))


@pytest.mark.parametrize("k", [0, 20])
def test_k_has_limits(k):
    pos, truth = cloud(6)
    with pytest.raises(ValueError, match=f"below half of the 40 scored nodes, got k={k}"):
        trustworthiness(pos, truth, k)


def test_procrustes_needs_spread():
    pos, truth = cloud(6)
    with pytest.raises(ValueError, match="must differ"):
        procrustes_error(pos, torch.ones_like(truth))
