import pytest
import torch

from scge_pyg.models import NodeMLP, accuracy, fit_classifier, standardized


@pytest.fixture
def problem():
    """Two classes that differ in the sign of one node."""
    x = torch.randn(256, 6, 2, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 3, 1] > 0).long()


def fitted(problem, **options):
    torch.manual_seed(0)
    model = NodeMLP(2, 2, 6, hidden=(16,))
    return model, fit_classifier(model, *problem, batch_size=32, **options)


def test_it_learns_and_repeats_itself(problem):
    model, result = fitted(problem, epochs=30)
    assert accuracy(model, *problem) > 0.95
    assert result.loss < 0.3
    assert result.seconds > 0
    twin, again = fitted(problem, epochs=30)
    assert again.loss == result.loss
    other, _ = fitted(problem, epochs=30, seed=1)
    weights = [m.head.weight for m in (model, twin, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_accuracy_counts_hits_and_leaves_the_mode_alone(problem):
    x, y = problem
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.9), torch.nn.Linear(12, 2)).train()
    guess = model.eval()(x).argmax(1)
    model.train()
    assert accuracy(model, x, y, batch_size=100) == pytest.approx(float((guess == y).float().mean()))
    assert model.training


def test_standardized_by_the_reference():
    reference = torch.randn(50, 4, 3) * torch.tensor([2.0, 1.0, 0.0]) + 7
    inside, outside = standardized(reference, reference[:5] + 1)
    assert inside.mean((0, 1)).abs().max() < 1e-5
    torch.testing.assert_close(inside.std((0, 1))[:2], torch.ones(2))
    torch.testing.assert_close((outside - inside[:5])[..., 0], torch.full((5, 4), 1 / reference[..., 0].std().item()))
    assert torch.isfinite(inside).all()


def test_bad_arguments(problem):
    x, y = problem
    for bad in ((x, y[:-1]), (x[:31], y[:31])):
        with pytest.raises(ValueError, match="same number of samples"):
            fitted(bad)
