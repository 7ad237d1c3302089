import pytest
import torch
from torch.distributions import LowRankMultivariateNormal

from scge_pyg.discovery.mixtures.factor_mixture import FactorMixture, fit_mixture


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def mixture():
    draw = generator()
    return FactorMixture(
        torch.tensor([0.3, 0.7], dtype=torch.float64),
        torch.randn(2, 9, generator=draw, dtype=torch.float64),
        torch.randn(2, 9, 3, generator=draw, dtype=torch.float64),
        torch.rand(2, 9, generator=draw, dtype=torch.float64) + 0.1,
    )


def test_densities_are_those_of_torch(mixture):
    x = torch.randn(20, 9, generator=generator(1), dtype=torch.float64)
    normal = LowRankMultivariateNormal(mixture.mean, mixture.loadings, mixture.noise)
    torch.testing.assert_close(mixture.log_prob(x), normal.log_prob(x.unsqueeze(1)) + mixture.weight.log())


def test_it_finds_the_covariances_it_was_drawn_from(mixture):
    """Two groups with one mean and different factors, which no k-means could tell."""
    normal = LowRankMultivariateNormal(torch.zeros(2, 9).double(), 2 * mixture.loadings, mixture.noise)
    torch.manual_seed(0)
    x = normal.sample((4000,))
    true = torch.arange(2).repeat(4000)
    found, label = fit_mixture(x.flatten(0, 1), 2, generator(), factors=3, steps=100)
    agree = float((label == true).double().mean())
    assert max(agree, 1 - agree) > 0.95
    order = [0, 1] if agree > 0.5 else [1, 0]
    covariance = found.loadings @ found.loadings.mT + torch.diag_embed(found.noise)
    expected = normal.covariance_matrix
    for k in (0, 1):
        error, apart = (expected[k] - covariance[order[other]] for other in (k, 1 - k))
        assert error.norm() < 0.25 * apart.norm()


def test_a_fit_goes_on_from_where_it_started(mixture):
    x = torch.randn(400, 6, generator=generator())
    x[:200] *= torch.tensor([5.0, 1, 1, 1, 1, 1])
    x[200:] *= torch.tensor([1.0, 1, 1, 1, 1, 5])
    start = torch.arange(400) // 200
    _, label = fit_mixture(x, 2, generator(), start=start, factors=2)
    assert (label == start).double().mean() > 0.8


def test_components_of_too_few_samples_fall_away():
    x = torch.randn(300, 10, generator=generator())
    start = torch.zeros(300, dtype=torch.long)
    start[:3], start[3:150] = 1, 2
    found, label = fit_mixture(x, 3, generator(), start=start, factors=5)
    assert len(found.weight) == 2
    assert label.unique().tolist() == [0, 1]


def test_a_node_that_never_varies_is_no_proof():
    x = torch.randn(200, 8, generator=generator())
    x[:, 3] = 0
    found, _ = fit_mixture(x, 1, generator(), factors=2)
    other = x[:1].clone()
    other[0, 3] = 0.1
    drop = found.log_prob(x[:1]) - found.log_prob(other)
    assert 0 < float(drop) < 20
