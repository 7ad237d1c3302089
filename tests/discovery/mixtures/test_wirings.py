import pytest
import torch

from scge_pyg.discovery.mixtures.wirings import agreement, joined


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def walks(samples, nodes, seed, order=None):
    x = torch.randn(samples, nodes, generator=generator(seed)).cumsum(1)
    return x if order is None else x[:, order]


def test_agreement_is_what_regressions_one_by_one_give():
    """Every node, its partner, ridge regression with an intercept by standardising; chance is told apart."""
    groups = [walks(300, 14, 0), walks(260, 14, 1, torch.randperm(14, generator=generator(2)))]
    found, told = agreement(groups, generator())
    assert told.all()
    draw = generator()
    probe = torch.randperm(14, generator=draw)
    chance = (probe.unsqueeze(1) + torch.randint(1, 14, (14, 1), generator=draw)) % 14

    def unit(x):
        return (x - x.mean(0)) / x.std(0, correction=0)

    def gain(group, partners):
        fit, check = unit(group[::2]).double(), unit(group[1::2]).double()
        gains = []
        for i, node in enumerate(probe.tolist()):
            a, b = fit[:, partners[i]], fit[:, node]
            weight = torch.linalg.solve(a.T @ a / len(fit) + 0.03 * torch.eye(1), a.T @ b / len(fit))
            left = (check[:, node] - check[:, partners[i]] @ weight).square().mean()
            gains.append(-0.5 * float(left.clamp_min(1e-3).log()))
        return torch.tensor(gains)

    wirings = []
    for group in groups:
        similar = (unit(group[::2]).T @ unit(group[::2])).abs().fill_diagonal_(-1)
        wirings.append([similar[node].topk(1).indices for node in probe.tolist()])
    served = torch.zeros(2, 2)
    for j, b in enumerate(groups):
        own = gain(b, wirings[j]) - gain(b, list(chance))
        for i, wiring in enumerate(wirings):
            excess = gain(b, wiring) - gain(b, list(chance))
            doubt = 2 * (excess - 0.5 * own).std() / 14**0.5
            served[i, j] = (excess.mean() + doubt) / own.mean()
    served = served.clamp(0, 1)
    torch.testing.assert_close(found, (served + served.T) / 2, atol=1e-3, rtol=0)


def test_classes_of_one_wiring_agree_and_shuffles_do_not():
    nodes, order = 40, torch.randperm(40, generator=generator(5))
    slope = torch.linspace(0, 30, nodes)
    weight = torch.linspace(0.3, 3, nodes)
    groups = [walks(400, nodes, 0), walks(400, nodes, 1) * weight + slope, walks(400, nodes, 2, order)]
    found, told = agreement(groups, generator())
    assert told.all()
    assert found.diagonal().tolist() == pytest.approx([1, 1, 1])
    assert found[0, 1] > 0.8
    assert found[0, 2] < 0.2
    assert found[1, 2] < 0.2
    assert joined(found).tolist() in ([0, 0, 1], [1, 1, 0])


def test_groups_are_joined_at_one_remove():
    alike = torch.eye(4)
    for i, j, value in ((0, 1, 0.6), (1, 2, 0.7), (0, 3, 0.1)):
        alike[i, j] = alike[j, i] = value
    found = joined(alike)
    assert found[0] == found[1] == found[2] != found[3]
    assert joined(alike, 1).tolist() == [0, 0, 0, 0]
    assert torch.equal(joined(alike, 2), found)
    assert torch.equal(joined(alike, 3), found)  # no more than there are
    assert joined(torch.ones(1, 1)).tolist() == [0]


def test_constant_nodes_count_for_nothing():
    x = walks(300, 20, 0)
    x[:, :4] = 2.5
    y = walks(300, 20, 1)
    y[:, :4] = 7
    found, _ = agreement([x, y], generator())
    assert found.isfinite().all()
    assert found[0, 1] > 0.8


def test_noise_has_no_wiring_to_tell():
    noise = torch.randn(200, 30, generator=generator(3))
    found, told = agreement([walks(200, 30, 0), noise, noise[:40]], generator())
    assert told.tolist() == [True, False, False]
    assert found.isfinite().all()
