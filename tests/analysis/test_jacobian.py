import pytest
import torch

from scge_pyg import SCGEConv, SharedGraph
from scge_pyg.analysis import frobenius_norm, hutchinson, jacobian
from scge_pyg.nn import NodeEmbedding


def normal(*size, seed=0, dtype=torch.float64):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


class ConvDecoder(torch.nn.Module):
    """A decoder with the fused path of the layers, which torch.func refuses."""

    def __init__(self, conv):
        super().__init__()
        torch.manual_seed(0)
        self.inner = torch.nn.Linear(3, 32)
        self.norm = torch.nn.BatchNorm1d(32)
        self.conv = conv

    def forward(self, z):
        hidden = torch.tanh(self.norm(self.inner(z))).view(-1, 16, 2)
        return torch.tanh(self.conv(hidden))


def decoder_of(name):
    torch.manual_seed(0)
    if name == "convolution":
        return torch.nn.Sequential(
            torch.nn.Linear(3, 32),
            torch.nn.BatchNorm1d(32),
            torch.nn.ReLU(),
            torch.nn.Unflatten(1, (2, 4, 4)),
            torch.nn.ConvTranspose2d(2, 3, 4, 2, 1),
            torch.nn.BatchNorm2d(3),
            torch.nn.Sigmoid(),
        )
    nodes = SharedGraph.from_grid((4, 4)) if name == "lattice" else NodeEmbedding(16, 2)
    return ConvDecoder(SCGEConv(2, 3, nodes, content="dot" if name == "content" else None))


def finite_differences(function, z, step=1e-6):
    columns = []
    for i in range(z.shape[1]):
        shift = torch.zeros_like(z)
        shift[:, i] = step
        with torch.no_grad():
            columns.append((function(z + shift) - function(z - shift)).flatten(1) / (2 * step))
    return torch.stack(columns, 2)


@pytest.mark.parametrize("name", ["lattice", "trainable", "content", "convolution"])
@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_modules_agree_with_finite_differences(name, mode):
    decoder = decoder_of(name).double().eval()
    z = normal(4, 3)
    found = jacobian(decoder, z, mode, chunk_size=10)
    torch.testing.assert_close(found, finite_differences(decoder, z), atol=1e-8, rtol=1e-6)
    assert not found.requires_grad
    norm = frobenius_norm(decoder, z, mode=mode, chunk_size=7)
    torch.testing.assert_close(norm, found.flatten(1).norm(dim=1))
    assert all(parameter.grad is None for parameter in decoder.parameters())


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 5), (5, 3), (4, 4), (1, 6), (6, 1)])
def test_linear_and_quadratic_maps_in_closed_form(inputs, outputs):
    z, weight = normal(4, inputs), normal(outputs, inputs, seed=1)
    torch.testing.assert_close(jacobian(lambda z: z @ weight.T, z), weight.expand(4, -1, -1))
    cubic = normal(outputs, inputs, inputs, seed=2)
    found = jacobian(lambda z: torch.einsum("dij,bi,bj->bd", cubic, z, z), z)
    expected = torch.einsum("dij,bj->bdi", cubic + cubic.transpose(1, 2), z)
    torch.testing.assert_close(found, expected)
    quadratic = frobenius_norm(lambda z: torch.einsum("dij,bi,bj->bd", cubic, z, z), z, squared=True)
    torch.testing.assert_close(quadratic, expected.square().sum((1, 2)))


def test_samples_and_outputs_of_any_shape():
    x = normal(2, 3, 2, 2)
    found = jacobian(lambda x: x.sum(1).square(), x)
    assert found.shape == (2, 4, 12)
    expected = torch.eye(4, dtype=torch.float64).repeat(1, 3) * 2 * x.sum(1).flatten(1).unsqueeze(2)
    torch.testing.assert_close(found, expected)
    scalar = jacobian(lambda x: x.flatten(1).square().sum(1), x)
    torch.testing.assert_close(scalar, 2 * x.reshape(2, 1, 12))


def test_float32_stays_float32():
    z = normal(3, 2, dtype=torch.float32)
    assert jacobian(torch.sin, z).dtype == frobenius_norm(torch.sin, z).dtype == torch.float32
    assert hutchinson(torch.sin, z, 2).value.dtype == torch.float32


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_the_bar_counts_all_products(capsys, mode):
    frobenius_norm(torch.sin, normal(5, 3), mode=mode, chunk_size=4, progress=True)
    assert "15/15" in capsys.readouterr().err
    frobenius_norm(torch.sin, normal(5, 3), mode=mode)
    assert capsys.readouterr().err == ""


def test_one_sample_and_no_grad_around():
    with torch.no_grad():
        found = jacobian(lambda z: z.square(), torch.tensor([[3.0]]))
    assert found.tolist() == [[[6.0]]]


@pytest.mark.parametrize("distribution", ["rademacher", "normal"])
@pytest.mark.parametrize("side", ["output", "input"])
def test_hutchinson_is_unbiased_with_the_variance_of_the_closed_form(distribution, side):
    weight = normal(6, 4, seed=3)
    probes = 20_000
    found = hutchinson(
        lambda z: z @ weight.T, normal(2, 4), probes, torch.Generator().manual_seed(0), distribution, side
    )
    exact = weight.square().sum()
    gram = weight @ weight.T if side == "output" else weight.T @ weight
    variance = 2 * (gram.square().sum() - (distribution == "rademacher") * gram.diagonal().square().sum())
    assert ((found.value - exact).abs() <= 3 * found.standard_error).all()
    torch.testing.assert_close(found.standard_error, (found.variance / probes).sqrt())
    torch.testing.assert_close(found.variance, variance.expand(2), rtol=0.06, atol=0)


@pytest.mark.parametrize("side", ["output", "input"])
def test_hutchinson_on_the_fused_layer(side):
    decoder = decoder_of("lattice").double().eval()
    z = normal(3, 3)
    found = hutchinson(decoder, z, 300, torch.Generator().manual_seed(1), side=side)
    exact = frobenius_norm(decoder, z, squared=True)
    assert ((found.value - exact).abs() <= 3 * found.standard_error).all()
    assert (found.standard_error < 0.2 * exact).all()


def test_hutchinson_is_the_same_for_any_chunks_and_seed_alone_decides():
    def run(seed, chunk_size):
        return hutchinson(
            torch.sin, normal(5, 3), 8, torch.Generator().manual_seed(seed), "normal", "output", chunk_size
        )

    torch.testing.assert_close(run(0, 1), run(0, 1000))
    torch.testing.assert_close(run(0, 17), run(0, 1000))
    assert torch.equal(run(0, 17).value, run(0, 17).value)
    assert not torch.allclose(run(0, 1000).value, run(1, 1000).value)


def test_bad_input_is_refused():
    z = normal(3, 2)
    for name, call in (("jacobian", jacobian), ("frobenius_norm", frobenius_norm), ("hutchinson", hutchinson)):
        with pytest.raises(ValueError, match=f"{name}: z holds NaN"):
            call(torch.sin, z.clone().index_fill_(0, torch.tensor(1), torch.nan))
        with pytest.raises(ValueError, match=rf"{name}: z must be \[B, ...\]"):
            call(torch.sin, z[0])
        with pytest.raises(ValueError, match=f"{name}: the function 'detach' has no gradient"):
            call(torch.detach, z)
        with pytest.raises(ValueError, match=f"{name}: chunk_size must be"):
            call(torch.sin, z, chunk_size=0)
    with pytest.raises(ValueError, match="mode must be"):
        jacobian(torch.sin, z, "backward")
    with pytest.raises(ValueError, match="probes must be an integer of at least 2"):
        hutchinson(torch.sin, z, 1)
    with pytest.raises(ValueError, match="distribution must be one of"):
        hutchinson(torch.sin, z, distribution="uniform")
    with pytest.raises(ValueError, match="side must be one of"):
        hutchinson(torch.sin, z, side="left")
