import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset
from torch_geometric.loader import DataLoader as GraphLoader

from scge_pyg.datasets import NodeDataset
from scge_pyg.models.autoencoders import LinearAutoEncoder, PCAAutoEncoder, fit_autoencoder, reconstruction_error
from scge_pyg.models.autoencoders.pca import principal_components, sample_batches, whitening
from scge_pyg.testing import assert_batch_equals_loop, assert_gradients_reach_all


@pytest.fixture(scope="module")
def x():
    """200 samples of 6 nodes with 2 channels, of uneven variances and far from the origin."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(200, 12, generator=generator, dtype=torch.float64) * torch.linspace(3, 0.1, 12)
    turn = torch.linalg.qr(torch.randn(12, 12, generator=generator, dtype=torch.float64))[0]
    return (z @ turn + 20).unflatten(1, (6, 2))


def best_error(x, latent):
    """Eckart and Young: the squares of the singular values that are left."""
    flat = x.flatten(1).numpy()
    return float((np.linalg.svd(flat - flat.mean(0), compute_uv=False)[latent:] ** 2).sum() / len(x))


@pytest.mark.parametrize("latent", [1, 3, 12])
def test_it_is_the_truncated_svd(x, latent):
    model = PCAAutoEncoder(6, 2, latent).double().fit(x)
    assert reconstruction_error(model, x) == pytest.approx(best_error(x, latent), rel=1e-10, abs=1e-10)
    z = model.encode(x)
    assert z.mean(0).abs().max() < 1e-10
    torch.testing.assert_close(z.T @ z / len(x), model.variance.diag(), atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(model.components.T @ model.components, torch.eye(latent).double())
    assert_batch_equals_loop(model, x[:5])


def test_float32_far_from_the_origin(x):
    far = (x + 1000).float()
    model = PCAAutoEncoder(6, 2, 3).double().fit(far)
    assert reconstruction_error(model, far.double()) == pytest.approx(best_error(far.double(), 3), rel=1e-9)


def test_one_pass_over_any_loader(x):
    whole = PCAAutoEncoder(6, 2, 3).double().fit(x)
    sources = [
        iter([x[:1], x[1:90].flatten(0, 1), x[90:]]),
        DataLoader(TensorDataset(x, torch.arange(200)), batch_size=37),
        GraphLoader(NodeDataset(x, torch.arange(200)), batch_size=64),
    ]
    for source in sources:
        model = PCAAutoEncoder(6, 2, 3).double().fit(source)
        torch.testing.assert_close(model.components, whole.components)
        torch.testing.assert_close(model.mean, whole.mean)


def test_the_state_dict_carries_it(x):
    fitted = PCAAutoEncoder(6, 2, 3).double().fit(x)
    model = PCAAutoEncoder(6, 2, 3).double()
    with pytest.raises(ValueError, match=r"no components yet; call fit\(x\)"):
        model.encode(x)
    with pytest.raises(ValueError, match="no components yet"):
        model.decode(x[:, 0, :1].expand(-1, 3))
    model.load_state_dict(fitted.state_dict())
    torch.testing.assert_close(model(x), fitted(x))
    assert list(model.parameters()) == []


def test_samples_of_no_variance():
    constant = torch.full((5, 4, 1), 2.0)
    model = PCAAutoEncoder(4, 1, 2).fit(constant)
    torch.testing.assert_close(model(constant), constant)
    project, expand = whitening(principal_components([constant], 2))
    assert project.isfinite().all()
    torch.testing.assert_close(project @ expand.T, torch.eye(2).double())


def test_its_jacobian_is_the_components(x):
    model = PCAAutoEncoder(6, 2, 3).double().fit(x)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda z: model.decode(z[None])[0]))(model.encode(x[:4]))
    torch.testing.assert_close(jacobian, model.components.unflatten(0, (6, 2)).expand(4, -1, -1, -1))


def test_whitened_codes_have_unit_variance(x):
    found = principal_components([x], 4)
    project, expand = whitening(found)
    z = (x.flatten(1) - found.mean) @ project.T
    torch.testing.assert_close(z.T @ z / len(x), torch.eye(4).double())
    torch.testing.assert_close(found.mean + z @ expand, PCAAutoEncoder(6, 2, 4).double().fit(x)(x).flatten(1))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda x: x[:, :5], ValueError, r"PCAAutoEncoder.fit: x must be \[B, 6, 2\]"),
        (lambda x: x.index_fill(0, torch.tensor([7]), torch.nan), ValueError, "x holds 12 NaN or infinite"),
        (lambda x: x[:0], ValueError, "holds no samples"),
        (lambda x: [], ValueError, "holds no samples"),
        (lambda x: x.long(), TypeError, "floating-point tensors, got torch.int64; convert"),
        (lambda x: ["a"], TypeError, "floating-point tensors, got str"),
        (lambda x: 3, TypeError, "tensor .* or an iterable of batches, got int"),
    ],
)
def test_bad_samples(x, make, error, message):
    with pytest.raises(error, match=message):
        PCAAutoEncoder(6, 2, 3).fit(make(x))


def test_batches_are_chunks_in_order(x):
    torch.testing.assert_close(torch.cat(list(sample_batches(x, 6, 2, "here", 33))), x)


def test_the_linear_autoencoder_reaches_it(x):
    x = x - 20
    torch.manual_seed(0)
    model = LinearAutoEncoder(6, 2, 3).double()
    assert_gradients_reach_all(model, x)
    fit_autoencoder(model, x, epochs=150, batch_size=200, lr=0.1)
    error = reconstruction_error(model, x)
    assert best_error(x, 3) * (1 - 1e-9) <= error < best_error(x, 3) * (1 + 1e-3)
