import pytest
import torch

from scge_pyg.analysis import delta_orthogonal_, initialize_, jacobian, orthogonal_, singular_values


def normal(*size, seed=0, dtype=torch.float64):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 5), (5, 3)])
@pytest.mark.parametrize("chunk_size", [1, 7, 1000])
def test_singular_values_of_jacobians(inputs, outputs, chunk_size):
    weight, x = normal(outputs, inputs), normal(4, inputs, seed=1)
    found = singular_values(lambda x: x @ weight.T, x, chunk_size=chunk_size)
    torch.testing.assert_close(found, torch.linalg.svdvals(weight).expand(4, -1))

    def bent(x):
        return torch.tanh(x @ weight.T)

    expected = torch.stack([torch.linalg.svdvals(one) for one in jacobian(bent, x)])
    torch.testing.assert_close(singular_values(bent, x, chunk_size=chunk_size), expected)


def test_orthogonal_linear_networks_are_isometric():
    model = torch.nn.Sequential(*[torch.nn.Linear(12, 12) for _ in range(30)]).double()
    names = initialize_(model, generator=generator())
    assert names == tuple(str(i) for i in range(30))
    torch.testing.assert_close(singular_values(model, normal(2, 12)), torch.ones(2, 12).double())
    assert all(layer.bias.count_nonzero() == 0 for layer in model)
    before = model[7].weight.clone()
    initialize_(model, gain=0.5, generator=generator())
    torch.testing.assert_close(model[7].weight, 0.5 * before)
    assert model[7].weight.requires_grad


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("padding_mode", ["circular", "zeros"])
def test_delta_orthogonal_convolutions_keep_norms(dim, padding_mode):
    kind = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)[dim - 1]
    model = torch.nn.Sequential(
        kind(2, 5, 3, padding=1, padding_mode=padding_mode),
        kind(5, 5, 5, padding=2, padding_mode=padding_mode),
        kind(5, 6, 1),
    ).double()
    assert initialize_(model, "delta_orthogonal", generator=generator()) == ("0", "1", "2")
    x = normal(3, 2, *(5,) * dim)
    torch.testing.assert_close(model(x).flatten(1).norm(dim=1), x.flatten(1).norm(dim=1))
    assert model[0].weight.flatten(2).count_nonzero(2).max() == 1
    if dim < 3:
        torch.testing.assert_close(singular_values(model, x), torch.ones(3, 2 * 5**dim).double())


def test_plain_orthogonal_convolutions_do_not():
    model = torch.nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular").double()
    initialize_(model, "orthogonal", generator=generator())
    flat = model.weight.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(4).double())
    assert singular_values(model, normal(1, 4, 4, 4)).std() > 0.1


def test_transposed_convolutions():
    model = torch.nn.ConvTranspose2d(2, 4, 3, padding=1).double()
    initialize_(model, "delta_orthogonal", generator=generator())
    x = normal(3, 2, 4, 4)
    torch.testing.assert_close(model(x).flatten(1).norm(dim=1), x.flatten(1).norm(dim=1))
    even = torch.nn.ConvTranspose2d(2, 4, 4)
    initialize_(even, "orthogonal", gain=2.0, generator=generator())
    flat = even.weight.transpose(0, 1).flatten(1)
    torch.testing.assert_close(flat @ flat.T, 4 * torch.eye(4), atol=1e-5, rtol=0)


def test_draws_come_from_the_generator_alone():
    one, two = (orthogonal_(torch.empty(3, 4), 1.5, generator()) for _ in range(2))
    assert torch.equal(one, two)
    torch.testing.assert_close(one @ one.T, 2.25 * torch.eye(3))
    strided = torch.zeros(4, 3, 3, 3).to(memory_format=torch.channels_last)
    assert delta_orthogonal_(strided, generator=generator()) is strided
    assert torch.equal(strided, delta_orthogonal_(torch.empty(4, 3, 3, 3), generator=generator()))


def test_bad_input_is_refused_and_changes_nothing():
    with pytest.raises(ValueError, match="orthogonal_: weight must be"):
        orthogonal_(torch.zeros(3))
    with pytest.raises(ValueError, match="weight must be floating"):
        delta_orthogonal_(torch.zeros(3, 3))
    with pytest.raises(ValueError, match="out must be at least in"):
        delta_orthogonal_(torch.zeros(2, 3, 3))
    with pytest.raises(ValueError, match="kernel must be odd"):
        delta_orthogonal_(torch.zeros(3, 3, 4, 4))
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 4, 3), torch.nn.Conv2d(4, 2, 3))
    before = model[0].weight.clone()
    with pytest.raises(ValueError, match=r"layer '1': delta_orthogonal_: out must be at least in"):
        initialize_(model, "delta_orthogonal")
    assert torch.equal(model[0].weight, before)
    with pytest.raises(ValueError, match="layer '0' has 2 groups"):
        initialize_(torch.nn.Sequential(torch.nn.Conv1d(2, 2, 1, groups=2)))
    with pytest.raises(ValueError, match="scheme must be one of"):
        initialize_(model, "xavier")
    with pytest.raises(ValueError, match="no linear layer"):
        initialize_(torch.nn.ReLU())
    with pytest.raises(ValueError, match="singular_values: the function 'detach' has no gradient"):
        singular_values(torch.detach, normal(2, 3))
