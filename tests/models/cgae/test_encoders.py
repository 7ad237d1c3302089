"""Encoders: suppression against a loop, the residual against the decoder, proposals against a count of all codes."""

import copy
import itertools
from collections.abc import Callable

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.models.cgae import CGAE, Code
from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.encoders import ConvEncoder, Encoder, RecurrentEncoder, fit_encoder
from scge_pyg.models.cgae.encoders.fitting import reinforced
from scge_pyg.models.cgae.encoders.trunk import Head, Trunk

KINDS: list[type[Encoder]] = [ConvEncoder, RecurrentEncoder]


def a_model(*args: int, seed: int = 110, **options: object) -> CGAE:
    model = CGAE((args[0], args[1]), *args[2:], **options)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


def rough(make: Callable[[], Encoder], gain: float = 3.0, seed: int = 111) -> Encoder:
    """An untrained encoder whose choices differ clearly from image to image, and from one place to the next."""
    torch.manual_seed(seed)
    encoder = make()
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if not name.startswith("model."):
                parameter.mul_(gain)
                if name == "jumps":
                    parameter.normal_()
    return encoder


def images(*shape: int, seed: int = 112) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("options", [{}, {"padding": "valid"}, {"subpixel": 2}, {"price": 1.0}])
@pytest.mark.parametrize("radius", [0, 1, 2])
def test_parts_are_the_peaks_that_a_loop_finds(options: dict[str, object], radius: int) -> None:
    model = a_model(9, 11, 3, 3, 4, **options)
    encoder = rough(lambda: ConvEncoder(model, width=4, radius=radius))
    x = images(4, 9, 11)
    code = encoder(x)
    assert isinstance(encoder, ConvEncoder)
    with torch.no_grad():
        logits = encoder.begin(model.read(x)).logits
    columns = model.decoder.canvas.place_shape[1]
    reach = radius * (2 if "subpixel" in options else 1)
    for image in range(4):
        free = dict(enumerate(logits[image].double().exp().sum(0).tolist()))
        for h in range(3):
            if model.price is not None and sum(free.values()) < 1:
                assert code.k[image, h] == -1
                continue
            best = max(free, key=lambda p: free[p])
            i, j = divmod(best, columns)
            assert (int(code.i[image, h]), int(code.j[image, h])) == (i, j)
            assert int(code.k[image, h]) == int(logits[image, :, best].argmax())
            free = {p: v for p, v in free.items() if max(abs(p // columns - i), abs(p % columns - j)) > reach}


def test_when_everything_is_suppressed_parts_share_a_neighbourhood() -> None:
    model = a_model(4, 4, 2, 5, 3)
    code = rough(lambda: ConvEncoder(model, width=4, radius=3))(images(3, 4, 4))
    assert (code.k >= 0).all()
    assert torch.isfinite(code.energy).all()


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("subpixel", [1, 2])
@pytest.mark.parametrize("shape", [(10, 14), (9, 13)])
def test_a_map_moves_with_the_image(padding: str, subpixel: int, shape: tuple[int, int]) -> None:
    canvas = CGAE(shape, 2, 1, 3, padding=padding, subpixel=subpixel).decoder.canvas
    torch.manual_seed(113)
    trunk, head = Trunk(canvas, 1, 4), Head(canvas, 4, 3)  # type: ignore[arg-type]
    for layer in trunk.layers:
        torch.nn.init.zeros_(layer.weight)  # the view of a cell is then one window, clear of the border
    x = torch.zeros(1, 1, *shape)
    x[0, 0, 3:7, 4:7] = images(4, 3)
    moved = x.roll((2, 2), (2, 3))
    with torch.no_grad():
        before, after = (head(trunk(y.flatten(2))).view(3, *canvas.place_shape) for y in (x, moved))
    step = 2 * subpixel
    torch.testing.assert_close(after[:, step:, step:], before[:, :-step, :-step])
    nothing = head(trunk(torch.zeros(1, 1, shape[0] * shape[1]))).view(3, *canvas.place_shape)
    seen = ((before - nothing).abs().amax(0) > 1e-6).nonzero().double().mean(0) / subpixel
    middle = torch.tensor([4.5, 5.0]) - (1 if padding == "valid" else 0)
    assert ((seen - middle).abs() <= 1.0).all()


@pytest.mark.parametrize("options", [{}, {"padding": "valid"}, {"subpixel": 3}])
def test_a_column_of_a_map_is_read_without_the_others(options: dict[str, object]) -> None:
    canvas = CGAE((7, 8), 2, 1, 4, **options).decoder.canvas  # type: ignore[arg-type]
    torch.manual_seed(114)
    head = Head(canvas, 5, 6)  # type: ignore[arg-type]
    features = images(canvas.num_places, 5, 4, 4)
    place = torch.randperm(canvas.num_places)
    expected = head(features)[torch.arange(len(place)), :, place]
    torch.testing.assert_close(head.at(features, place), expected)


@pytest.mark.parametrize("decoder", ["additive", "occluding"])
def test_what_is_seen_is_what_the_parts_so_far_leave(decoder: str) -> None:
    model = a_model(8, 9, 3, 4, 3, decoder=decoder, num_linear=2, price=1.0)
    encoder = rough(lambda: RecurrentEncoder(model, width=4, hidden=5))
    encoder.scale.fill_(2.5)
    x, seen = images(5, 8, 9), []
    encoder.trunk.register_forward_pre_hook(lambda module, args: seen.append(2.5 * args[0]))
    code = encoder(x)
    assert len(seen) >= 4
    assert code.b.abs().max() > 0.1
    for t in range(4):
        first = torch.arange(4) < t
        expected = x - model.decode(code._replace(k=torch.where(first, code.k, -1))).detach()
        torch.testing.assert_close(seen[t].view(5, 8, 9), expected, rtol=1e-4, atol=1e-4)


def tiny(kind: type[Encoder], gain: float, price: float | None = None) -> tuple[Encoder, State]:
    """An encoder of 2 x 3 pixels, and all of its codes of two parts."""
    encoder = rough(lambda: kind(a_model(2, 3, 2, 2, 2, price=price), width=4), gain)
    one = [(k, p) for k in range(-1 if price else 0, 2) for p in range(6) if k >= 0 or p == 0]
    codes = list(itertools.product(one, one))
    if isinstance(encoder, ConvEncoder):
        encoder.radius = encoder.reach = 0
        codes = [(a, b) for a, b in codes if a[1] != b[1] or a[0] < 0 or b[0] < 0]
    both = torch.tensor(codes)
    return encoder, State(both[:, :, 1], both[:, :, 0], torch.zeros(len(both), 2, 0))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("price", [None, 0.3])
def test_proposals_are_a_distribution_over_all_codes_and_drawn_from_it(
    kind: type[Encoder], price: float | None
) -> None:
    encoder, states = tiny(kind, 1.5, price)
    count = len(states.kind)
    pixels = encoder.model.read(images(1, 2, 3))
    with torch.no_grad():
        _, log_q = encoder.propose(pixels.expand(count, -1, -1), given=states)
        chance = log_q.double().exp()
        assert float(chance.sum()) == pytest.approx(1, abs=1e-5)
        generator = torch.Generator().manual_seed(115)
        drawn, log_drawn = encoder.propose(pixels.expand(4000, -1, -1), generator=generator)
    same = (drawn.place[:, None] == states.place).all(2) & (drawn.kind[:, None] == states.kind).all(2)
    assert (same.sum(1) == 1).all()
    number = same.long().argmax(1)
    torch.testing.assert_close(log_drawn, log_q[number])
    often = chance * 4000 >= 5
    assert int(often.sum()) > 8
    seen = torch.bincount(number, minlength=count).double()
    seen = torch.cat([seen[often], seen[~often].sum()[None]])
    wanted = 4000 * torch.cat([chance[often], chance[~often].sum()[None]])
    assert chisquare(seen.numpy(), (wanted / wanted.sum() * 4000).numpy()).pvalue > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_reinforce_climbs_the_bound_that_is_counted_out(kind: type[Encoder]) -> None:
    encoder, states = tiny(kind, 1.0, 0.3)
    encoder.model.noise.fill_(2.0)
    x, count = images(3, 2, 3), len(states.kind)
    every = encoder.model.read(x).repeat_interleave(count, 0)
    repeated = State(*(part.repeat(3, *[1] * (part.dim() - 1)) for part in states))
    reward = -encoder.model.posterior(every).energy(repeated).detach()

    @torch.no_grad()
    def bound() -> float:
        return float((encoder.propose(every, given=repeated)[1].exp() * reward).sum()) / 3

    before = bound()
    fit = fit_encoder(encoder, x.repeat(16, 1, 1), method="reinforce", epochs=25, lr=0.02)
    after = bound()
    assert after - before > 0.5 * (float(reward.view(3, -1).amax(1).mean()) - before)
    assert -fit.losses[-1] == pytest.approx(after, abs=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_score_function_has_the_bounds_gradient_as_its_mean(kind: type[Encoder]) -> None:
    encoder, states = tiny(kind, 1.0, 0.3)
    encoder.model.noise.fill_(2.0)
    pixels, count = encoder.model.read(images(1, 2, 3)), len(states.kind)
    weights = [p for name, p in encoder.named_parameters() if not name.startswith("model.")]
    every = pixels.expand(count, -1, -1)
    _, log_q = encoder.propose(every, given=states)
    energy = (log_q.exp() * encoder.model.posterior(every).energy(states).detach()).sum()
    exact = torch.cat([g.flatten() for g in torch.autograd.grad(energy, weights)])
    generator, found = torch.Generator().manual_seed(116), []
    for _ in range(40):
        loss, _ = reinforced(encoder, pixels, 100, generator)
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights)]))
    mean, error = torch.stack(found).mean(0), torch.stack(found).std(0) / 40**0.5
    assert float((mean - exact).norm()) < 2 * float(error.norm()) < 0.3 * float(exact.norm())


def shapes(count: int, seed: int) -> tuple[CGAE, Tensor, Code]:
    """Images of two of three known 5 x 5 parts on 12 x 12, apart from each other, and their true codes; parts have a
    price, and a third one may be used."""
    generator = torch.Generator().manual_seed(120)
    model = CGAE((12, 12), 3, 3, 5, num_linear=1, price=8.0)
    with torch.no_grad():
        model.decoder.weight.copy_((torch.rand(3, 1, 5, 5, generator=generator) > 0.5).float())
        model.decoder.basis.copy_(0.3 * torch.rand(3, 1, 1, 5, 5, generator=generator))
        model.noise.fill_(0.1)
    generator.manual_seed(seed)
    place = torch.randint(2, 10, (count, 3, 2), generator=generator)
    close = ((place[:, 0] - place[:, 1]).abs().amax(1) < 4)[:, None]
    place[:, 1] = torch.where(close, (place[:, 0] + 2) % 8 + 2, place[:, 1])
    kind = torch.rand(count, 3, generator=generator).argsort(1)
    b = torch.randn(count, 3, 1, generator=generator)
    place[:, 2], kind[:, 2], b[:, 2] = 0, -1, 0
    code = Code(place[:, :, 0], place[:, :, 1], kind, b, torch.zeros(count))
    x = model.decode(code).detach()
    return model, x + 0.1 * torch.randn(x.shape, generator=generator), code


def found(code: Code, true: Code) -> float:
    """Share of images with all places and prototypes right, and no part too many."""
    one, other = (((c.k * 12 + c.i) * 12 + c.j).sort(1).values for c in (code, true))
    return float((one == other).all(1).double().mean())


@pytest.mark.parametrize("kind", KINDS)
def test_a_distilled_encoder_finds_parts_that_it_has_not_seen(kind: type[Encoder]) -> None:
    model, x, _ = shapes(320, 121)
    _, held_out, true = shapes(200, 122)
    torch.manual_seed(123)
    encoder = kind(model, width=16)
    assert found(encoder(held_out), true) < 0.02
    fit = fit_encoder(encoder, x, epochs=4, batch_size=16, lr=0.01)
    assert fit.losses[-1] < 0.3 * fit.losses[0]
    code = encoder(held_out)
    assert found(code, true) > 0.6
    state, _ = encoder.propose(model.read(held_out), given=model.taken_in(true))
    pairs = torch.stack([state.b[:, :2].detach().flatten(), true.b[:, :2].flatten()])
    assert float(torch.corrcoef(pairs)[0, 1]) > 0.6
    assert not state.b[:, 2].any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_refinement_never_raises_the_energy_which_is_that_of_the_code(kind: type[Encoder]) -> None:
    model = a_model(9, 9, 3, 3, 4, num_linear=1, price=2.0)
    encoder, x = rough(lambda: kind(model, width=4)), images(8, 9, 9)
    codes = [encoder.encode(x, refine) for refine in range(3)]
    for code in codes:
        torch.testing.assert_close(code.energy, model.energy(x, code))
    assert (codes[1].energy < codes[0].energy).all()
    assert (codes[2].energy <= codes[1].energy * 1.0001).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["distill", "reinforce"])
def test_training_is_repeated_by_its_seed_saved_and_leaves_the_model_alone(kind: type[Encoder], method: str) -> None:
    model, x, _ = shapes(64, 130)
    start = rough(lambda: kind(model, width=4), 1.0)
    kept = copy.deepcopy(model.state_dict())
    fits, encoders = [], []
    for seed in (0, 0, 1):
        encoder = copy.deepcopy(start)
        fits.append(fit_encoder(encoder, x, method=method, epochs=2, seed=seed).losses)
        encoders.append(encoder)
    assert fits[0] == fits[1] != fits[2]
    for name, value in encoders[0].model.state_dict().items():
        torch.testing.assert_close(value, kept[name], rtol=0, atol=0)
    assert all(p.grad is None for p in encoders[0].model.parameters())
    fresh = kind(CGAE((12, 12), 3, 3, 5, num_linear=1, price=8.0), width=4)
    fresh.load_state_dict(encoders[0].state_dict())
    for a, b in zip(fresh(x), encoders[0](x), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert not torch.equal(encoders[0](x).energy, start(x).energy)


@pytest.mark.parametrize("kind", KINDS)
def test_channels_and_batches(kind: type[Encoder]) -> None:
    model = a_model(7, 7, 2, 2, 3, channels=2)
    encoder = rough(lambda: kind(model, width=4))
    x = images(5, 2, 7, 7)
    whole, split = encoder.encode(x, refine=1), encoder.encode(x, refine=1, batch_size=2)
    for a, b in zip(whole, split, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    assert kind(model.double(), width=4)(x).energy.dtype == torch.double


@pytest.mark.parametrize("kind", KINDS)
def test_errors_name_what_is_wrong(kind: type[Encoder]) -> None:
    model = a_model(6, 6, 2, 2, 3)
    with pytest.raises(ValueError, match=r"width must be .*got 0"):
        kind(model, width=0)
    encoder = kind(model, width=4)
    with pytest.raises(ValueError, match=r"x must be \[B, 6, 6\], got \[2, 5, 6\]"):
        encoder(torch.zeros(2, 5, 6))
    with pytest.raises(ValueError, match=r"refine must be .*got -1"):
        encoder.encode(torch.zeros(2, 6, 6), refine=-1)
    with pytest.raises(ValueError, match="method must be 'distill' or 'reinforce', got 'em'"):
        fit_encoder(encoder, torch.ones(2, 6, 6), method="em")
    with pytest.raises(ValueError, match=r"draws must be .*got 1"):
        fit_encoder(encoder, torch.ones(2, 6, 6), draws=1)
    with pytest.raises(ValueError, match="must have an image that is not blank"):
        fit_encoder(encoder, torch.zeros(2, 6, 6))
    with pytest.raises(ValueError, match="x must be finite"):
        fit_encoder(encoder, torch.full((2, 6, 6), torch.nan))


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_without_a_lattice_is_declined(kind: type[Encoder]) -> None:
    pos = torch.rand(30, 2, generator=torch.Generator().manual_seed(131)) * 5
    graph = SharedGraph(pos=pos, edge_index=torch.zeros(2, 0, dtype=torch.long))
    with pytest.raises(ValueError, match="places must be a grid, got the 30 nodes"):
        kind(CGAE(graph, 2, 2, 3))


def test_parts_in_use_are_taught_first(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CGAE((6, 6), 2, 3, 3, price=1.0)
    kind = torch.tensor([[-1, 1, 0], [0, -1, 1], [-1, -1, -1]])
    row = torch.tensor([[0, 2, 4], [1, 0, 3], [0, 0, 0]])
    front = torch.tensor([[1, 2, 0], [0, 2, 1], [0, 1, 2]])
    code = Code(row, row, kind, torch.zeros(3, 3, 0), torch.zeros(3))
    monkeypatch.setattr(model, "encode", lambda x: code)
    x = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(172))
    torch.manual_seed(173)
    encoder = RecurrentEncoder(model, width=4, hidden=8)
    fit = fit_encoder(encoder, x, epochs=1, lr=1e-12)
    place = 7 * row
    losses = [
        float(-encoder.propose(model.read(x), given=State(p, k, code.b))[1].detach().mean())
        for p, k in ((place.gather(1, front), kind.gather(1, front)), (place, kind))
    ]
    assert fit.losses[0] == pytest.approx(losses[0], abs=1e-5)
    assert abs(losses[0] - losses[1]) > 1e-3
