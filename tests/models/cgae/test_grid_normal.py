import pytest
import torch
from scipy.stats import norm

from scge_pyg.models.cgae.density.grid_normal import grid_normal, sample_grid_normal

CASES = [(3.2, 1.5), (0.0, 0.25), (9.0, 40.0), (-7.0, 2.0), (25.0, 0.3)]


@pytest.mark.parametrize(("mean", "scale"), CASES)
def test_it_is_a_rounded_normal_variable_kept_on_the_grid(mean, scale):
    places = torch.arange(10, dtype=torch.double)
    found = grid_normal(places, *torch.tensor([mean, scale], dtype=torch.double), 10)
    assert float(found.sum()) == pytest.approx(1, abs=1e-12)
    normal = norm(min(max(mean, 0), 9), scale)
    expected = (normal.cdf(places + 0.5) - normal.cdf(places - 0.5)) / (normal.cdf(9.5) - normal.cdf(-0.5))
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("mean", "scale"), CASES)
def test_samples_come_as_often_as_it_says(mean, scale, agreement):
    mean, scale = torch.tensor([mean, scale], dtype=torch.double)
    drawn = sample_grid_normal(mean.expand(20_000), scale, 10, torch.Generator().manual_seed(0))
    expected = 20_000 * grid_normal(torch.arange(10).double(), mean, scale, 10)
    seen = torch.bincount(drawn, minlength=10)
    assert agreement(seen, expected) > 1e-3
