"""Learning: known parts come back, and each thing that keeps prototypes from collapsing does its work."""

import math

import pytest
import torch
from torch.nn import functional as F

from scge_pyg import SharedGraph
from scge_pyg.models.cgae import CGAE, most_alike
from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.decoding.graph_canvas import GraphCanvas
from scge_pyg.models.cgae.learning.fit_parts import _forget
from scge_pyg.models.cgae.learning.patches import clustered, patches, pieces_at
from scge_pyg.models.cgae.learning.recentring import recentre
from scge_pyg.models.cgae.learning.upkeep import crowding, revive_unused


def scenes(
    count: int, parts: torch.Tensor, seed: int, side: int = 16
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two parts an image, at least 4 pixels apart, noise 0.05: images, prototypes and places of the parts."""
    generator = torch.Generator().manual_seed(seed)
    size = parts.shape[-1]
    model = CGAE((side, side), len(parts), 2, size, padding="valid")
    kind = torch.rand(count, len(parts), generator=generator).argsort(1)[:, :2]
    place = torch.randint(side - size + 1, (40 * count, 2, 2), generator=generator)
    place = place[(place[:, 0] - place[:, 1]).float().norm(dim=1) >= 4][:count]
    flat = place[:, :, 0] * (side - size + 1) + place[:, :, 1]
    with torch.no_grad():
        model.decoder.weight.copy_(parts.unsqueeze(1))
        x = model.decoder(State(flat, kind, torch.zeros(count, 2, 0))).view(count, side, side)
    return x + 0.05 * torch.randn(x.shape, generator=generator), kind, place


def blobs(count: int, size: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (F.avg_pool2d(torch.randn(count, 1, size + 2, size + 2, generator=generator), 3, 1)[:, 0] > 0).float()


def test_known_parts_are_found_with_their_places() -> None:
    parts = blobs(3, 5, 130)
    x, kind, place = scenes(240, parts, 131)
    model = CGAE((16, 16), 3, 2, 5)
    fit = model.fit(x, epochs=12, batch_size=24, lr=0.1, seed=1)
    found, true = (F.normalize(w.flatten(1)).view(3, 1, 5, 5) for w in (model.prototypes, parts))
    alike = F.conv2d(true, found, padding=4).flatten(2)
    assert float(alike.amax(2).amax(1).min()) > 0.95
    match = alike.amax(2).argmax(1)
    assert sorted(match.tolist()) == [0, 1, 2]
    assert fit.errors[-1] < 1.1 * 256 * 0.05**2
    assert float(model.noise) == pytest.approx(0.05, rel=0.1)
    test, kind, place = scenes(100, parts, 132)
    code = model.encode(test)
    shift = torch.stack([alike[k, match[k]].argmax() for k in range(3)])
    down, right = shift // 9 - 4 + 2, shift % 9 - 4 + 2
    wanted = {(n, int(match[k]), *(place[n, h] + torch.stack([down[k], right[k]])).tolist())
              for n in range(100) for h in range(2) for k in [kind[n, h]]}  # fmt: skip
    got = {(n, int(code.k[n, h]), int(code.i[n, h]), int(code.j[n, h])) for n in range(100) for h in range(2)}
    assert len(wanted & got) >= 190


def test_a_step_of_learning_goes_down_the_gradient_of_the_energy() -> None:
    """The gradient of the sample's energy in a prototype is minus what is left where it lies, by hand."""
    model = CGAE((8, 8), 2, 2, 3)
    with torch.no_grad():
        model.decoder.weight.normal_(generator=torch.Generator().manual_seed(133))
    x = torch.randn(1, 1, 64, generator=torch.Generator().manual_seed(134))
    state = State(torch.tensor([[18, 45]]), torch.tensor([[0, 1]]), torch.zeros(1, 2, 0))
    model.posterior(x).energy(state).sum().backward()
    left = (x - model.decoder(state)).detach().view(8, 8)
    assert torch.allclose(model.decoder.weight.grad[0, 0], -left[1:4, 1:4], atol=1e-6)
    assert torch.allclose(model.decoder.weight.grad[1, 0], -left[4:7, 4:7], atol=1e-6)


def test_pieces_are_what_the_image_holds_there() -> None:
    model = CGAE((6, 7), 2, 1, 3, channels=2)
    x = torch.randn(3, 2, 42, generator=torch.Generator().manual_seed(135))
    place = torch.tensor([9, 17, 30])
    found = pieces_at(model.decoder.canvas, x, place)
    for n, p in enumerate(place.tolist()):
        i, j = divmod(p, 7)
        assert torch.allclose(found[n], x[n].view(2, 6, 7)[:, i - 1 : i + 2, j - 1 : j + 2], atol=1e-6)


def test_pieces_are_taken_where_there_is_something() -> None:
    model = CGAE((10, 10), 2, 1, 3)
    x = torch.zeros(50, 1, 10, 10)
    x[:, :, 2:5, 6:9] = 1.0
    pieces = patches(model.decoder.canvas, x.flatten(2), 4, torch.Generator().manual_seed(136))
    assert float(pieces.flatten(1).sum(1).min()) > 0
    assert float((pieces.flatten(1).sum(1) == 9).float().mean()) > 0.15


def test_directions_start_as_the_principal_components_of_the_clusters() -> None:
    model = CGAE((3, 3), 1, 1, 3, padding="valid", num_linear=2)
    generator = torch.Generator().manual_seed(137)
    x = torch.randn(400, 1, 9, generator=generator) * torch.tensor([3.0, 2.0, *[0.1] * 7]) + 1.0
    weight, basis = clustered(model.decoder.canvas, x, 1, 2, generator)
    covariance = x.squeeze(1).T.cov(correction=0)
    values, vectors = torch.linalg.eigh(covariance)
    assert torch.allclose(weight.flatten(), x.mean((0, 1)), atol=0.05)
    for q in range(2):
        direction = basis[0, q].flatten()
        assert float(direction.norm()) == pytest.approx(float(values[-1 - q]) ** 0.5, rel=0.05)
        assert abs(float(F.normalize(direction, dim=0) @ vectors[:, -1 - q])) > 0.99


def test_unused_prototypes_and_twins_start_anew_where_the_error_is() -> None:
    model = CGAE((12, 12), 4, 1, 3, num_linear=1)
    used, twin, worst = torch.eye(3), torch.eye(3) * 2, torch.ones(3, 3)
    with torch.no_grad():
        model.decoder.weight.copy_(torch.stack([used, twin, worst, torch.zeros(3, 3)]).unsqueeze(1))
        model.decoder.basis.copy_(torch.arange(4.0).view(4, 1, 1, 1, 1).expand(4, 1, 1, 3, 3))
    x = torch.zeros(8, 12, 12)
    x[:6, 4:7, 4:7] = used
    x[6:, 4:7, 4:7] = torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 0, 1]])
    pixels = model.read(x)
    state = State(torch.full((8, 1), 65), torch.tensor([[0], [0], [0], [0], [1], [1], [2], [2]]), torch.zeros(8, 1, 1))
    with torch.no_grad():
        gone = pixels - model.decoder(state)
    gone[:6] = 0
    lost = revive_unused(model, gone, state, state.kind, torch.Generator().manual_seed(138))
    assert lost.tolist() == [False, True, False, True]
    for k in (1, 3):
        assert torch.allclose(model.decoder.weight[k, 0], x[7, 4:7, 4:7], atol=1e-6)
        assert model.decoder.basis[k].eq(2).all()


def test_pieces_of_an_even_image_are_even_wherever_a_node_reaches() -> None:
    canvas = GraphCanvas(6 * torch.rand(80, 2, generator=torch.Generator().manual_seed(161)), 3)
    pieces = pieces_at(canvas, torch.ones(80, 1, 80), torch.arange(80))
    reached = pieces > 1e-3
    assert reached.float().mean() > 0.7
    assert torch.allclose(pieces[reached], torch.ones(()), atol=1e-4)


def test_prototypes_that_are_too_alike_are_driven_apart_and_others_left_alone() -> None:
    w = torch.eye(3).repeat(3, 1, 1).unsqueeze(1)
    w[1, 0, 0, 1] = 0.4
    w[2, 0] = torch.tensor([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    w.requires_grad_()
    loss = crowding(w)
    cosine = 3**0.5 / (3 + 0.4**2) ** 0.5
    assert float(loss.detach()) == pytest.approx(cosine - 0.85, abs=1e-6)
    (slope,) = torch.autograd.grad(loss, w)
    assert slope[2].eq(0).all()
    assert float(crowding((w - 0.1 * slope).detach())) < float(loss.detach())


def test_learning_doubles_halves() -> None:
    pattern = torch.tensor([[1.0, 1, 0], [0, 1, 0], [0, 1, 1]])
    x = 0.02 * torch.randn(60, 9, 9, generator=torch.Generator().manual_seed(144))
    x[:, 3:6, 3:6] += pattern
    model = CGAE((9, 9), 1, 2, 3, price=3.0)
    with torch.no_grad():
        model.decoder.weight.copy_(pattern.view(1, 1, 3, 3) / 2)
    model.fit(x, epochs=4, batch_size=20, lr=1e-3, restart=False)
    assert torch.allclose(model.prototypes[0], pattern, atol=0.1)
    assert (model.encode(x).k >= 0).sum(1).eq(1).all()


def test_learning_goes_on_from_what_is_there() -> None:
    x, _, _ = scenes(40, blobs(2, 5, 145), 146)
    model = CGAE((16, 16), 2, 2, 5)
    with torch.no_grad():
        model.decoder.weight.normal_(generator=torch.Generator().manual_seed(147))
    before = model.prototypes.clone()
    model.fit(x, epochs=1, batch_size=20, lr=1e-6, upkeep=False, restart=False)
    assert torch.allclose(model.prototypes, before, atol=1e-4)
    assert not torch.equal(model.prototypes, before)


def test_what_adam_knew_of_a_replaced_prototype_is_forgotten() -> None:
    weight = torch.nn.Parameter(torch.randn(3, 1, 2, 2, generator=torch.Generator().manual_seed(148)))
    optimizer = torch.optim.Adam([weight])
    weight.square().sum().backward()
    optimizer.step()
    _forget(optimizer, torch.tensor([False, True, False]))
    for name in ("exp_avg", "exp_avg_sq"):
        assert optimizer.state[weight][name].flatten(1).eq(0).all(1).tolist() == [False, True, False]


def test_a_pattern_off_the_middle_is_moved_in_and_its_places_back() -> None:
    model = CGAE((14, 14), 1, 1, 3)
    pattern = torch.tensor([[0.0, 1, 0], [1, 1, 1], [1, 0, 1]])
    x = torch.zeros(20, 14, 14)
    place = torch.randint(3, 11, (20, 2), generator=torch.Generator().manual_seed(139))
    for n, (i, j) in enumerate(place.tolist()):
        x[n, i - 1 : i + 2, j - 1 : j + 2] = pattern
    cut = F.pad(pattern, (0, 1, 0, 0))[:, 1:]
    with torch.no_grad():
        model.decoder.weight.copy_(cut.view(1, 1, 3, 3))
    state = State((place[:, :1] * 14 + place[:, 1:] + 1), torch.zeros(20, 1, dtype=torch.long), torch.zeros(20, 1, 0))
    pixels = model.read(x)
    with torch.no_grad():
        gone = pixels - model.decoder(state)
    moved = recentre(model.decoder, gone, state)
    assert moved.tolist() == [True]
    assert torch.allclose(model.decoder.weight[0, 0], pattern, atol=1e-6)
    assert torch.equal(state.place.squeeze(1), place[:, 0] * 14 + place[:, 1])
    with torch.no_grad():
        assert torch.allclose(model.decoder(state), pixels, atol=1e-6)


def test_learning_says_what_it_did_and_repeats_with_its_seed() -> None:
    x, _, _ = scenes(80, blobs(2, 5, 140), 141)
    runs = []
    for seed in (3, 3, 4):
        model = CGAE((16, 16), 4, 2, 5, num_linear=1)
        fit = model.fit(x, epochs=2, batch_size=20, seed=seed)
        runs.append((fit, model))
    fit, model = runs[0]
    assert torch.equal(model.prototypes, runs[1][1].prototypes)
    assert not torch.equal(model.prototypes, runs[2][1].prototypes)
    assert all(len(figures) == 2 for figures in (fit.errors, fit.explained, fit.entropies, fit.alike, fit.revived))
    assert fit.explained[-1] == pytest.approx(1 - fit.errors[-1] / float((x - x.mean(0)).square().sum((1, 2)).mean()))
    assert fit.alike[-1] == pytest.approx(float(most_alike(model.prototypes.unsqueeze(1)).max()))
    assert 0 < fit.entropies[-1] <= math.log(4) + 1e-9
    assert f"2 epochs, error {fit.errors[-1]:.4g} an image, explained {fit.explained[-1]:.3f}" in repr(fit)


def test_a_scale_of_the_pixels_changes_the_scale_of_the_prototypes_alone() -> None:
    x, _, _ = scenes(80, blobs(2, 5, 142), 143)
    plain, scaled = (CGAE((16, 16), 2, 2, 5) for _ in range(2))
    plain.fit(x, epochs=2, batch_size=20)
    scaled.fit(64 * x, epochs=2, batch_size=20)
    assert torch.allclose(scaled.prototypes, 64 * plain.prototypes, rtol=1e-2, atol=0.05)


@pytest.mark.parametrize(
    ("x", "options", "says"),
    [
        (torch.zeros(40, 8, 8), {}, "same image throughout"),
        (torch.rand(10, 8, 8), {}, "at least batch_size=20 images, got 10"),
        (torch.rand(40, 8, 8), {"epochs": 0}, "epochs must be"),
        (torch.rand(40, 8, 8), {"lr": 0.0}, "lr must be"),
        (torch.rand(40, 8, 8), {"sweeps": 0}, "sweeps must be"),
        (torch.rand(40, 8, 8), {"temperature": -1.0}, "temperature must be"),
        (torch.rand(40, 8, 7), {}, "x must be"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(x: torch.Tensor, options: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        CGAE((8, 8), 2, 1, 3).fit(x, **{"batch_size": 20, **options})


def test_what_cannot_be_learned_from_is_refused_in_words() -> None:
    x, _, _ = scenes(40, blobs(2, 3, 192), 196)
    for scale in (1e-20, 1e10):
        with pytest.raises(ValueError, match="divide x by its standard deviation"):
            CGAE((16, 16), 2, 2, 3).fit(x * scale, batch_size=20)
    for scale in (1e-17, 1e8):
        model = CGAE((16, 16), 2, 2, 3)
        model.fit(x * scale, batch_size=20, epochs=1)
        assert torch.isfinite(model.prototypes).all()
    assert math.isfinite(CGAE((16, 16), 2, 2, 3).double().fit(x.double() * 1e-20, batch_size=20, epochs=1).errors[0])
    with pytest.raises(ValueError, match=r"num_prototypes must be at most the number of pieces.*got 50 for 40 images"):
        CGAE((16, 16), 50, 1, 16, padding="valid").fit(x, batch_size=20)
    with pytest.raises(TypeError, match="seed must be an integer"):
        CGAE((16, 16), 2, 2, 3).fit(x, batch_size=20, seed=1.5)


def test_a_background_that_is_not_zero_is_named() -> None:
    x, _, _ = scenes(60, blobs(2, 5, 193), 194)
    with pytest.warns(UserWarning, match="background of 0, so subtract yours"):
        CGAE((16, 16), 2, 2, 5).fit(x + 5, epochs=1, batch_size=20)


def test_a_map_in_another_unit_is_refused() -> None:
    pos = 6 * torch.rand(80, 2, generator=torch.Generator().manual_seed(195))
    for factor in (1e3, 1e-3):
        with pytest.raises(ValueError, match="units of node spacing"):
            CGAE(SharedGraph.from_pos(pos * factor), 2, 2, 3)
