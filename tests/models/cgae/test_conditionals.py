"""The distribution of one part given the others against the energies of all its placements, one by one."""

import math

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.models.cgae import CGAE
from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.decoding.decoders import Terms
from scge_pyg.models.cgae.draws import drawing, log_weights
from scge_pyg.models.cgae.inference import Posterior

CASES = {
    "plain": {},
    "price": {"price": 2.0},
    "linear": {"num_linear": 1, "price": 0.5},
    "two linear, colours": {"num_linear": 2, "channels": 2},
    "sub-pixel": {"subpixel": 2, "num_linear": 1},
    "inside": {"padding": "valid"},
}


def small(decoder: str, nodes: object = (4, 3), seed: int = 100, **options: object) -> CGAE:
    model = CGAE(nodes, 3, 3, 2 if options.get("subpixel") else 3, decoder=decoder, **options).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    model.noise.fill_(0.7)
    return model


def scene(model: CGAE, count: int = 3) -> tuple[Posterior, State]:
    generator = torch.Generator().manual_seed(101)
    canvas = model.decoder.canvas
    pixels = torch.randn(count, model.decoder.channels, canvas.num_pixels, generator=generator, dtype=torch.double)
    pixels = pixels * canvas.observed
    kind = torch.randint(0 if model.price is None else -1, 3, (count, 3), generator=generator)
    place = torch.randint(canvas.num_places, (count, 3), generator=generator) * (kind >= 0)
    b = torch.randn(count, 3, model.num_linear, generator=generator, dtype=torch.double) * (kind >= 0)[..., None]
    return model.posterior(pixels, generator), State(place, kind, b)


def with_part(state: State, h: int, kind: torch.Tensor, place: torch.Tensor, b: torch.Tensor) -> State:
    parts = [part.clone() for part in state]
    for part, value in zip(parts, (place, kind, b), strict=True):
        part[:, h] = value
    return State(*parts)


@torch.no_grad()
def by_hand(posterior: Posterior, state: State, h: int, temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Log probabilities [B, K * P + 1] by energies alone, and the mean of b at each placement: the energy is quadratic
    in b, so that its values at 0, at the unit vectors and at their sums give the Gaussian integral."""
    decoder, count = posterior.decoder, len(state.kind)
    q, places = decoder.num_linear, decoder.canvas.num_places
    logs, means = [], []
    for k in range(decoder.num_prototypes):
        for p in range(places):
            kind, place = torch.full((count,), k), torch.full((count,), p)

            def energy(b: torch.Tensor, kind: torch.Tensor = kind, place: torch.Tensor = place) -> torch.Tensor:
                return posterior.energy(with_part(state, h, kind, place, b.expand(count, q)))

            unit = torch.eye(q, dtype=torch.double)
            at_0 = energy(torch.zeros(q, dtype=torch.double))
            up = [energy(unit[a]) for a in range(q)]
            down = [energy(-unit[a]) for a in range(q)]
            slope = (
                torch.stack([(u - d) / 2 for u, d in zip(up, down, strict=True)], 1) if q else at_0.new_zeros(count, 0)
            )
            bend = at_0.new_zeros(count, q, q)
            for a in range(q):
                bend[:, a, a] = up[a] + down[a] - 2 * at_0
                for c in range(a):
                    both = energy(unit[a] + unit[c]) - up[a] - up[c] + at_0
                    bend[:, a, c] = bend[:, c, a] = both
            mean = -torch.linalg.solve(bend, slope.unsqueeze(2)).squeeze(2)
            least = at_0 + 0.5 * (slope * mean).sum(1)
            logs.append(-least / temperature - 0.5 * torch.logdet(bend))
            means.append(mean)
    nowhere, no_code = torch.zeros(count, dtype=torch.long), torch.zeros(count, q, dtype=torch.double)
    none = posterior.energy(with_part(state, h, nowhere - 1, nowhere, no_code))
    if posterior.price is None:
        none = none + math.inf
    return torch.stack([*logs, -none / temperature], 1).log_softmax(1), torch.stack(means, 1)


@torch.no_grad()
def seen_terms(posterior: Posterior, state: State) -> list[Terms]:
    """What a sweep offers for each part while every part stays as it is."""
    offered = []

    def keep(terms: Terms) -> State:
        offered.append(Terms(*(part.clone() for part in terms)))
        h = len(offered) - 1
        return State(*(part[:, h : h + 1] for part in state))

    posterior.decoder.sweep(posterior.x, state, posterior.noise, keep)
    return offered


@pytest.mark.parametrize("decoder", ["additive", "occluding"])
@pytest.mark.parametrize("case", CASES)
def test_every_placement_has_the_probability_that_its_energy_gives(decoder: str, case: str) -> None:
    posterior, state = scene(small(decoder, **CASES[case]))
    temperature = torch.full((len(state.kind),), 1.7, dtype=torch.double)
    for h, terms in enumerate(seen_terms(posterior, state)):
        log_p = log_weights(terms, posterior.price, temperature).flatten(1)
        none = (
            torch.zeros_like(log_p[:, :1]) if posterior.price is not None else torch.full_like(log_p[:, :1], -math.inf)
        )
        log_p = torch.cat([log_p, none], 1).log_softmax(1)
        expected, _ = by_hand(posterior, state, h, 1.7)
        assert torch.allclose(log_p, expected, atol=1e-8)


@pytest.mark.parametrize("decoder", ["additive", "occluding"])
def test_at_temperature_0_the_placement_of_least_energy_is_taken_with_its_best_linear_code(decoder: str) -> None:
    posterior, state = scene(small(decoder, num_linear=2))
    for h, terms in enumerate(seen_terms(posterior, state)):
        drawn = drawing(None, 0.0)(terms)
        log_p, means = by_hand(posterior, state, h, 1e-4)
        rows, best = torch.arange(len(log_p)), log_p.argmax(1)
        assert (drawn.kind[:, 0] * posterior.decoder.canvas.num_places + drawn.place[:, 0] == best).all()
        assert torch.allclose(drawn.b[:, 0], means[rows, best], atol=1e-8)


def test_holes_of_a_lattice_count_neither_for_energy_nor_for_scores() -> None:
    graph = SharedGraph.from_grid((5, 4))
    graph.lattice.cell[7] = -1
    posterior, state = scene(small("additive", nodes=graph))
    assert int(posterior.decoder.canvas.observed.sum()) == 19
    for h, terms in enumerate(seen_terms(posterior, state)):
        log_p = log_weights(terms, None, torch.ones(3, dtype=torch.double)).flatten(1).log_softmax(1)
        assert torch.allclose(log_p, by_hand(posterior, state, h, 1.0)[0][:, :-1], atol=1e-8)


def test_linear_codes_are_drawn_from_their_posterior() -> None:
    posterior, state = scene(small("additive", num_linear=2), count=1)
    terms = seen_terms(posterior, state)[0]
    many = Terms(*(part.expand(20_000, *part.shape[1:]) for part in terms))
    drawn = drawing(None, 1.0, torch.Generator().manual_seed(102))(many)
    index = drawn.kind[:, 0] * posterior.decoder.canvas.num_places + drawn.place[:, 0]
    common = int(index.mode().values)
    b = drawn.b[index == common, 0]
    _, means = by_hand(posterior, state, 0, 1.0)
    k, p = divmod(common, posterior.decoder.canvas.num_places)
    whiten = terms.whiten[0, k, :, :, p]
    error = b.std(0) / len(b) ** 0.5
    assert ((b.mean(0) - means[0, common]).abs() < 4 * error).all()
    assert torch.allclose(b.T.cov(), whiten.T @ whiten, atol=0.1 * float((whiten.T @ whiten).max()))
