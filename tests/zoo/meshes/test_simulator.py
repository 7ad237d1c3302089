"""Learned physics, against equations that can be solved: heat in a plate, a held membrane."""

import math

import pytest
import torch

from scge_pyg.zoo.meshes import MeshSimulator, sheet

MESH = sheet(7, 8)
U = MESH.pos[:, :2].float()
HELD = ((U < 1e-6) | (U > 1 - 1e-6)).any(1)


def modes(seed):
    """Amplitudes of sines, their shapes on the plate, and their numbers."""
    generator = torch.Generator().manual_seed(seed)
    for m in (1, 2):
        for n in (1, 2):
            shape = torch.sin(math.pi * m * U[:, 0]) * torch.sin(math.pi * n * U[:, 1])
            yield torch.randn((), generator=generator) / (m * n), shape, m**2 + n**2


def heat(seed, steps=12):
    """u' = u'' with cold edges, in closed form."""
    t = 4e-3 * torch.arange(steps)
    return sum(a * torch.exp(-(math.pi**2) * k * t)[:, None] * shape for a, shape, k in modes(seed))[..., None]


def membrane(seed, steps=14):
    """z'' = z with held edges, in closed form; places in space."""
    t = 0.03 * torch.arange(steps)
    z = sum(0.1 * a * torch.cos(math.pi * math.sqrt(k) * t)[:, None] * shape for a, shape, k in modes(seed))
    return torch.cat([U.expand(steps, -1, -1), z[..., None]], 2)


@pytest.mark.parametrize(("order", "system", "channels"), [(1, heat, 1), (2, membrane, 3)])
def test_a_rollout_stays_near_the_solution(order, system, channels):
    torch.manual_seed(0)
    simulator = MeshSimulator(channels, order=order, hidden=16, steps=2)
    runs = torch.stack([system(seed) for seed in range(100, 108)])
    losses = simulator.fit(runs, U, MESH.edge_index, HELD, epochs=8, lr=3e-3)
    assert losses[-1] < 0.35 * losses[0]
    ratios = []
    for seed in range(3):
        run = system(seed)
        steps = len(run) - order
        found = simulator.rollout(run[:order], U, MESH.edge_index, HELD, steps)
        assert torch.equal(found[order:, HELD], run[order - 1, HELD].expand(steps, -1, -1))
        inertia = run[order - 1] + (run[1] - run[0]) * torch.arange(1, steps + 1)[:, None, None] * (order == 2)
        ratios.append(float((found - run)[order:].norm() / (inertia - run[order:]).norm()))
    assert max(ratios) < 0.5
    assert sum(ratios) / 3 < 0.3


def test_noise_is_seeded_and_states_come_back():
    runs = torch.stack([heat(seed) for seed in (100, 101)])
    found = []
    for _ in range(2):
        torch.manual_seed(0)
        simulator = MeshSimulator(1, hidden=8, steps=1)
        simulator.fit(runs, U, MESH.edge_index, HELD, epochs=1, noise=0.01, seed=3)
        found.append(simulator(runs[0, :1], U, MESH.edge_index, HELD))
    assert torch.equal(*found)
    other = MeshSimulator(1, hidden=8, steps=1)
    other.load_state_dict(simulator.state_dict())
    assert torch.equal(other(runs[0, :1], U, MESH.edge_index, HELD), found[0])
    assert "channels=1, order=1, radius=None" in repr(other)


def test_what_comes_near_in_space_is_seen():
    torch.manual_seed(0)
    simulator = MeshSimulator(3, order=2, radius=0.05, hidden=8, steps=1)
    apart = membrane(100, 3)
    folded = apart.clone()
    folded[:, -1, :2] = folded[:, 0, :2] + 0.01  # a corner above the opposite one
    free = torch.zeros(len(U))
    with torch.no_grad():
        moved, still = (simulator(past[:2], U, MESH.edge_index, free)[0] for past in (folded, apart))
    assert float((moved - still).abs().max()) > 1e-6  # the corner that did not move


def test_refused():
    with pytest.raises(ValueError, match="radius must be left out with order=1"):
        MeshSimulator(1, radius=0.1)
    with pytest.raises(ValueError, match="order must be an integer from 1 to 2"):
        MeshSimulator(1, order=3)
    simulator = MeshSimulator(1, hidden=8, steps=1)
    with pytest.raises(ValueError, match=r"runs must be \[R, T, 56, 1\]"):
        simulator.fit(torch.zeros(2, 3, 55, 1), U, MESH.edge_index, HELD)
    with pytest.raises(ValueError, match="must be finite"):
        simulator.fit(torch.full((2, 3, 56, 1), float("nan")), U, MESH.edge_index, HELD)
    with pytest.raises(ValueError, match=r"past must be \[1, 56, 1\]"):
        simulator.rollout(torch.zeros(2, 56, 1), U, MESH.edge_index, HELD, 3)
