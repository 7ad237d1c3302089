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


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda x, y: (x, y[:-1]), ValueError, "same number of samples, at least one, got 256 and 255"),
        (lambda x, y: (x[:31], y[:31]), ValueError, "at least batch_size=32 samples, got 31; pass batch_size=31"),
        (lambda x, y: (x, y.float()), ValueError, r"int64 \[S\], got torch.float32 \[256\]; pass y.long\(\)"),
        (lambda x, y: (x, y.int()), ValueError, r"got torch.int32 \[256\]; pass y.long\(\)"),
        (lambda x, y: (x, torch.eye(2)[y]), ValueError, r"got torch.float32 \[256, 2\]; pass y.argmax\(1\)"),
        (lambda x, y: (x, y[:, None]), ValueError, r"got torch.int64 \[256, 1\]; .* y.flatten\(\).long\(\)"),
        (lambda x, y: (x, y - 1), ValueError, "y must hold classes from 0, got -1; leave samples"),
        (
            lambda x, y: (x, y.tolist()),
            TypeError,
            r"y must be a tensor, got list; convert it with torch.as_tensor\(y\)",
        ),
        (lambda x, y: (x, y.numpy()), TypeError, "y must be a tensor, got ndarray"),
        (lambda x, y: (x.numpy(), y), TypeError, "x must be a tensor, got ndarray"),
        (lambda x, y: ({"left": [1.0]}, y), TypeError, r"x\['left'\] must be a tensor, got list"),
    ],
)
def test_bad_samples(problem, change, error, message):
    with pytest.raises(error, match=f"fit_classifier: .*{message}"):
        fitted(change(*problem))
    if "batch_size" not in message:
        with pytest.raises(error, match=f"accuracy: .*{message}"):
            accuracy(torch.nn.Identity(), *change(*problem))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs must be an integer of at least 1, got 0"),
        ({"epochs": 2.0}, TypeError, "epochs must be an integer of at least 1, got 2.0"),
        ({"batch_size": 0}, ValueError, "batch_size must be an integer of at least 1, got 0"),
        ({"batch_size": 9.5}, TypeError, "batch_size must be an integer"),
        ({"lr": 0.0}, ValueError, "lr must be a finite number above 0, got 0.0"),
        ({"lr": float("nan")}, ValueError, "lr must be a finite number above 0, got nan"),
        ({"lr": "fast"}, TypeError, "lr must be a number above 0, got 'fast'"),
    ],
)
def test_bad_numbers(problem, options, error, message):
    with pytest.raises(error, match=f"fit_classifier: {message}"):
        fit_classifier(NodeMLP(2, 2, 6, hidden=(4,)), *problem, **options)


def test_a_loss_that_is_not_finite_is_refused(problem):
    x, y = problem
    with pytest.raises(ValueError, match=r"loss is nan at step 1 of 16; look for NaN .* in x, or lower lr=0.003"):
        fitted((x * torch.nan, y), epochs=2)
    model, calls = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)), []
    model.register_forward_hook(lambda *given: calls.append(1) or given[2] / (len(calls) < 3))
    with pytest.raises(ValueError, match="at step 3 of 8"):
        fit_classifier(model, x, y, batch_size=32, epochs=1)
