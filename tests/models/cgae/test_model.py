"""The model as users see it: layouts, codes moved by hand, blank images, geometry, errors."""

import math

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.models.cgae import CGAE, Code
from scge_pyg.testing import permuted_graph


def drawn(seed: int = 120, **options: object) -> CGAE:
    model = CGAE(options.pop("nodes", (9, 8)), 3, 2, 3, **options).requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.decoder.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator))
    model.noise.fill_(0.3)
    return model


def pictures(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(121))


@pytest.mark.parametrize("method", ["pursuit", "gibbs", "annealed", "tempering"])
@pytest.mark.parametrize("decoder", ["additive", "occluding"])
def test_an_image_of_parts_is_read_back(method: str, decoder: str) -> None:
    model = drawn(decoder=decoder)
    if decoder == "occluding":
        model.decoder.opacity.fill_(5.0)
    model.noise.fill_(0.05)
    code = Code(
        torch.tensor([[2, 6], [5, 1]]), torch.tensor([[2, 5], [1, 5]]), torch.tensor([[0, 2], [1, 0]]),
        torch.zeros(2, 2, 0), torch.zeros(2),
    )  # fmt: skip
    x = model.decode(code)
    assert x.shape == (2, 9, 8)
    found = model.encode(x, method)
    assert torch.allclose(model.decode(found), x, atol=1e-5)
    assert float(model.energy(x, found).max()) < 1e-3
    assert torch.allclose(found.energy, model.energy(x, found))


def test_a_part_moved_by_hand_moves_in_the_image() -> None:
    model = drawn()
    code = Code(
        torch.tensor([[3, 0]]), torch.tensor([[3, 0]]), torch.tensor([[1, -1]]), torch.zeros(1, 2, 0), torch.zeros(1)
    )
    moved = model.decode(code._replace(i=code.i + 2, j=code.j - 1))
    assert torch.equal(moved, model.decode(code).roll((2, -1), (1, 2)))
    window = model.decode(code)[0, 2:5, 2:5]
    assert torch.equal(window, model.prototypes[1])


def test_the_energy_is_the_sum_that_the_docs_write() -> None:
    model = drawn(num_linear=2, price=1.5)
    x = pictures(3, 9, 8)
    code = model.encode(x, "gibbs", sweeps=1)
    gone = (x - model.decode(code)).square().sum((1, 2))
    expected = gone / (2 * 0.3**2) + 0.5 * code.b.square().sum((1, 2)) + 1.5 * (code.k >= 0).sum(1)
    assert torch.allclose(code.energy, expected, rtol=1e-5)


def test_with_a_price_blank_images_have_no_parts() -> None:
    model = drawn(price=math.log(3 * 72))
    x = torch.zeros(2, 9, 8)
    x[1, 2:5, 3:6] = model.prototypes[2]
    code = model.encode(x)
    assert code.k[0].tolist() == [-1, -1]
    assert sorted(code.k[1].tolist()) == [-1, 2]
    assert float(code.energy[0]) == 0
    unpriced = drawn().encode(x)
    assert int((unpriced.k < 0).sum()) == 0


def test_greedy_codes_are_those_of_temperature_0() -> None:
    model, x = drawn(), pictures(4, 9, 8)
    cold = model.encode(x, "gibbs", temperature=0, sweeps=3)
    again = model.encode(x, "pursuit", sweeps=5)
    assert torch.equal(cold.k, again.k)
    assert torch.equal(cold.i, again.i)


def test_the_same_seed_draws_the_same_codes_and_another_does_not() -> None:
    model, x = drawn(), pictures(6, 9, 8)
    model.noise.fill_(1.0)
    first, same, other = (model.encode(x, "gibbs", sweeps=2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.k, same.k)
    assert torch.equal(first.i, same.i)
    assert not torch.equal(first.i, other.i)


def test_channels_and_colours_keep_their_layout() -> None:
    model = drawn(channels=3)
    x = pictures(2, 3, 9, 8)
    assert model(x).shape == x.shape
    assert model.prototypes.shape == (3, 3, 3, 3)


def test_a_shuffled_lattice_gives_the_codes_of_the_grid() -> None:
    order = torch.randperm(72, generator=torch.Generator().manual_seed(122))
    graph = permuted_graph(SharedGraph.from_grid((9, 8)), order)
    plain, shuffled = drawn(price=2.0), drawn(nodes=graph, price=2.0)
    x = pictures(5, 72)
    code, found = plain.encode(x.view(5, 9, 8), "annealed"), shuffled.encode(x[:, order], "annealed")
    for a, b in zip(code, found, strict=True):
        assert torch.equal(a, b)
    assert torch.equal(shuffled.decode(found), plain.decode(code).flatten(1)[:, order])


def test_on_a_map_places_are_nodes_and_dead_ones_are_left_out() -> None:
    pos = torch.rand(30, 2, generator=torch.Generator().manual_seed(123)) * 5
    pos[4] = torch.nan
    model = drawn(nodes=SharedGraph.from_pos(pos))
    x = pictures(3, 30)
    x[:, 4] = torch.nan
    code = model.encode(x)
    assert code.j.eq(0).all()
    assert not code.i.eq(4).any()
    assert model.decode(code).shape == (3, 30)
    assert model.decode(code)[:, 4].eq(0).all()
    alone = Code(torch.tensor([[9]]), torch.tensor([[0]]), torch.tensor([[1]]), torch.zeros(1, 1, 0), torch.zeros(1))
    assert torch.allclose(model.decode(alone)[0, 9], model.prototypes[1, 1, 1])


def test_a_saved_model_is_read_back() -> None:
    model, x = drawn(num_linear=1, decoder="occluding"), pictures(3, 9, 8)
    other = CGAE((9, 8), 3, 2, 3, num_linear=1, decoder="occluding")
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.encode(x).energy, model.encode(x).energy)


def test_an_empty_batch_gives_an_empty_code() -> None:
    code = drawn().encode(torch.zeros(0, 9, 8))
    assert code.k.shape == (0, 2)
    assert code.energy.shape == (0,)


@pytest.mark.parametrize("decoder", ["additive", "occluding"])
def test_no_parts_are_a_blank_image(decoder: str) -> None:
    nothing = torch.zeros(2, 0, dtype=torch.long)
    image = drawn(decoder=decoder).decode(Code(nothing, nothing, nothing, torch.zeros(2, 0, 0), torch.zeros(2)))
    assert image.shape == (2, 9, 8)
    assert image.eq(0).all()


def test_decoding_has_gradients_in_prototypes_and_linear_codes() -> None:
    model = drawn(num_linear=2, decoder="occluding").double().requires_grad_(True)
    code = model.encode(pictures(2, 9, 8).double(), "gibbs", sweeps=1)

    def image(weight: torch.Tensor, basis: torch.Tensor, opacity: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        parameters = {"weight": weight, "basis": basis, "opacity": opacity}
        return torch.func.functional_call(model.decoder, parameters, (model.taken_in(code._replace(b=b)),))

    decoder = model.decoder
    assert torch.autograd.gradcheck(image, (decoder.weight, decoder.basis, decoder.opacity, code.b.requires_grad_()))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"prototype_size": 10}, "prototype_size must be at most"),
        ({"num_parts": 0}, "num_parts must be an integer of at least 1"),
        ({"num_prototypes": 0}, "num_prototypes must be an integer of at least 1"),
        ({"decoder": "sum"}, "decoder must be 'additive' or 'occluding'"),
        ({"price": -1.0}, "price must be"),
        ({"price": math.nan}, "price must be"),
        ({"padding": "full"}, "padding must be"),
        ({"subpixel": 0}, "subpixel must be"),
        ({"nodes": SharedGraph(torch.zeros(2, 0), torch.tensor([[0, 1], [1, 0]]))}, "must have a map"),
        ({"nodes": SharedGraph.from_pos(torch.rand(9, 4))}, "at most 3 dimensions, got 4"),
    ],
)
def test_impossible_models_are_refused(options: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        CGAE(options.pop("nodes", (9, 8)), **{"num_prototypes": 3, "num_parts": 2, "prototype_size": 3, **options})


def test_nodes_of_another_kind_are_refused() -> None:
    with pytest.raises(TypeError, match="rows, columns"):
        CGAE(28)


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (torch.zeros(2, 8, 9), r"x must be \[B, 9, 8\], got \[2, 8, 9\]"),
        (torch.zeros(2, 1, 9, 8), r"x.squeeze\(1\)"),
        (torch.zeros(9, 8), r"x must be \[B, 9, 8\]"),
        (torch.full((2, 9, 8), torch.nan), "144 NaN or infinite values in 2 of 2 images"),
    ],
)
def test_images_that_do_not_fit_are_refused(x: torch.Tensor, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        drawn().encode(x)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"method": "greedy"}, "method must be one of"),
        ({"temperature": -1.0}, "temperature must be"),
        ({"temperature": math.inf}, "temperature must be"),
        ({"method": "tempering", "temperature": 0}, "temperature must be above 0"),
        ({"sweeps": -1}, "sweeps must be"),
        ({"batch_size": 0}, "batch_size must be"),
    ],
)
def test_unknown_ways_to_encode_are_refused(options: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        drawn().encode(pictures(1, 9, 8), **options)


def test_codes_that_do_not_fit_are_refused() -> None:
    model = drawn()
    code = model.encode(pictures(1, 9, 8))
    with pytest.raises(ValueError, match="one of 9 x 8 places"):
        model.decode(code._replace(i=code.i + 9))
    with pytest.raises(ValueError, match="prototype from 0 to 2"):
        model.decode(code._replace(k=code.k + 3))
    with pytest.raises(ValueError, match=r"code\.b must be"):
        model.decode(code._replace(b=torch.zeros(1, 2, 1)))
    with pytest.raises(TypeError, match="integers"):
        model.decode(code._replace(i=code.i.float()))
    with pytest.raises(ValueError, match="2 images in x, got 1"):
        model.energy(pictures(2, 9, 8), code)


def test_the_representation_names_the_sizes() -> None:
    text = repr(drawn(price=1.0))
    assert "num_prototypes=3, num_parts=2, prototype_size=3, num_linear=0, price=1" in text
