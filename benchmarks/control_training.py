"""Policies that play in bulk, and their training by CMA-ES: a population times its episodes is one batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn.utils import parameters_to_vector
from tqdm import tqdm

from scge_pyg.models import PolicyState

__all__ = ["Game", "play", "population", "train"]


class Game(Protocol):
    """Games side by side; game g and game g + episodes start and go on alike."""

    num_actions: int
    num_sensors: int
    draws: bool

    def reset(self, seed: int) -> np.ndarray:
        """Start anew; values of the sensors ``[G, N]``."""
        ...

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values ``[G, N]``, rewards and ends ``[G]`` after actions ``[G]``."""
        ...


def _parameters(vectors: Tensor, policy: torch.nn.Module) -> dict[str, Tensor]:
    """Parameters of each row of ``vectors [P, D]``, stacked."""
    named = dict(policy.named_parameters())
    parts = vectors.split([value.numel() for value in named.values()], 1)
    return {name: part.view(-1, *value.shape) for (name, value), part in zip(named.items(), parts, strict=True)}


def population(policy: torch.nn.Module) -> Callable[..., Any]:
    """The policy as a function of stacked parameters ``[P, ...]`` and inputs ``[P, E, ...]``."""
    buffers = dict(policy.named_buffers())
    return vmap(lambda parameters, *inputs: functional_call(policy, (parameters, buffers), inputs))


@torch.no_grad()
def play(
    policy: torch.nn.Module,
    vectors: Tensor,
    game: Game,
    steps: int,
    *,
    seed: int,
    shuffles: tuple[int, ...],
    act: Callable[..., Any] | None = None,
) -> Tensor:
    """Rewards ``[P, E, T]`` of the policies with parameters ``vectors [P, D]``, in the same E episodes for all.

    The action is the one with the largest logit or, with ``game.draws``, drawn from the softmax, by the same noise for
    all policies. T is smaller than ``steps`` where every episode ends before.

    Args:
        policy: The network, with ``start(batch)`` and ``policy(x, told, state)``, told its last action and reward.
        vectors: Parameters.
        game: P times E games.
        steps: Length of an episode.
        seed: Of the games, the permutations and the noise.
        shuffles: Steps at which the sensors of every episode get a fresh permutation.
        act: ``population(policy)``, if it is at hand, for instance compiled.
    """
    parameters, act = _parameters(vectors, policy), act or population(policy)
    generator = torch.Generator().manual_seed(seed)
    x = torch.from_numpy(game.reset(seed)).float().unflatten(0, (len(vectors), -1))
    _, episodes, sensors = x.shape
    order = torch.arange(sensors).expand(x.shape)
    state = PolicyState(*(part.expand(len(vectors), *part.shape) for part in policy.start(episodes)))
    told = torch.zeros(len(vectors), episodes, game.num_actions + 1)
    alive, rewards = torch.ones(x.shape[:2]), []
    for step in range(steps):
        if step in shuffles:
            order = torch.rand(episodes, sensors, generator=generator).argsort(1).expand(x.shape)
        logits, state = act(parameters, x.gather(2, order), told, state)
        if game.draws:
            noise = torch.rand(logits.shape[1:], generator=generator).clamp_min(1e-9)
            logits = logits - (-noise.log()).log()
        action = logits.argmax(-1)
        seen, reward, done = (torch.from_numpy(part).float() for part in game.step(action.flatten().numpy()))
        x = seen.view_as(x)
        rewards.append(alive * reward.view_as(alive))
        told = torch.cat([torch.nn.functional.one_hot(action, game.num_actions), reward.view_as(alive)[..., None]], 2)
        alive = alive * (1 - done.view_as(alive))
        if not alive.any():
            break
    return torch.stack(rewards, 2)


def train(
    policy: torch.nn.Module,
    game: Game,
    steps: int,
    *,
    size: int,
    generations: int,
    seed: int,
    shuffles: tuple[int, ...],
    spread: float,
) -> Tensor:
    """The last mean ``[D]`` of a search by CMA-ES for the largest mean return, from the policy's own start.

    The step of the population is compiled, which makes it ten times as fast and needs a C++ compiler. Above 500
    parameters only the diagonal of the covariance is learned.
    """
    import cma

    start = parameters_to_vector(policy.parameters()).detach()
    options = {"popsize": size, "seed": seed + 1, "verbose": -9, "CMA_diagonal": len(start) > 500}
    act = torch.compile(population(policy), dynamic=False)
    search = cma.CMAEvolutionStrategy(start.double().numpy(), spread, options)
    for generation in tqdm(range(generations), leave=False):
        tried = search.ask()
        vectors = torch.from_numpy(np.stack(tried)).float()
        rewards = play(policy, vectors, game, steps, seed=100_000 * (seed + 1) + generation, shuffles=shuffles, act=act)
        search.tell(tried, (-rewards.sum(2).mean(1)).tolist())
    return torch.from_numpy(search.mean).float()
