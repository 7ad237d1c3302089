"""The policies that are compared in control.py: ours, and those that know each sensor by its index."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg import NodeEmbedding, SCGEConv
from scge_pyg.models import ActionTraces, PlaceTraces, PolicyState, SensorPolicy

__all__ = ["KINDS", "Indexed", "make_policy", "set_by_hand"]

KINDS = ("SCGE, content", "SCGE, trained places", "MLP", "linear")


class Indexed(torch.nn.Module):
    """A policy without memory: ``head(body(x), told)``.

    Args:
        body: From values ``[B, N, 1]`` to any shape.
        width: Numbers that the body gives.
        num_told: Numbers told besides.
        num_actions: Actions.
    """

    def __init__(self, body: torch.nn.Module, width: int, num_told: int, num_actions: int) -> None:
        super().__init__()
        self.body, self.head = body, torch.nn.Linear(width + num_told, num_actions)

    def start(self, batch: int) -> PolicyState:
        """Nothing."""
        return PolicyState(torch.zeros(batch, 0), torch.zeros(batch, 0))

    def forward(self, x: Tensor, told: Tensor, state: PolicyState) -> tuple[Tensor, PolicyState]:
        """Logits, and the same state."""
        return self.head(torch.cat([self.body(x.unsqueeze(2)).flatten(1), told], 1)), state


@torch.no_grad()
def set_by_hand(policy: SensorPolicy) -> SensorPolicy:
    """A start for catch: look at what is lit and isn't the paddle, go to its place if known, else on as before."""
    score, head = policy.gather.product.content, policy.head
    for value in policy.parameters():
        value.zero_()
    policy.cell.stride.fill_(2 / 7)  # eight places from -1 to 1
    policy.cell.rates.copy_(torch.tensor([1.4, -2.2, 3.0, 3.0]))
    score.source.weight.copy_(torch.tensor([[2.0, -2.0, 0.0]]))
    score.target.bias.fill_(1.0)
    policy.gather.weight[0, 2] = 1.0
    left, right = torch.tensor([-2.0, 1.5, 0.0, -1.5, 0.0]), torch.tensor([2.0, -1.5, 0.0, 1.5, 0.0])
    head.weight.copy_(torch.stack([left, torch.zeros(5), right]))
    head.bias[1] = -1.0
    return policy


def make_policy(kind: str, sensors: int, actions: int, seed: int) -> torch.nn.Module:
    """A policy for CartPole (4 sensors) or catch (144)."""
    torch.manual_seed(seed)
    pixels, told = sensors > 4, actions + 1
    if kind == "SCGE, content":
        if pixels:
            return set_by_hand(SensorPolicy(sensors, told, actions, PlaceTraces(actions), targets=1, channels=1))
        return SensorPolicy(sensors, told, actions, ActionTraces(actions), targets=4, channels=4)
    if kind == "SCGE, trained places":
        targets = 8 if pixels else 4
        places = NodeEmbedding(sensors, 2), NodeEmbedding(targets, 2)
        return Indexed(SCGEConv(1, 2, places, k=sensors, kernel=None), targets * 2, told, actions).eval()
    if kind == "MLP":
        hidden = 8 if pixels else 16
        body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(sensors, hidden), torch.nn.Tanh())
        return Indexed(body, hidden, told, actions)
    return Indexed(torch.nn.Flatten(), sensors, told, actions)
