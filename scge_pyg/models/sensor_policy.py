"""A policy whose sensors carry no index: each keeps a running state, one content layer gathers them by what they do."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.models.sensor_cells import SensorCell
from scge_pyg.nn import SCGEConv

__all__ = ["PolicyState", "SensorPolicy"]


class PolicyState(NamedTuple):
    """What a policy carries from step to step.

    Attributes:
        memory: Running state of each sensor ``[B, D, N]``.
        said: What the targets gathered last ``[B, M * F]``, heard by all sensors at the next step.
    """

    memory: Tensor
    said: Tensor


class SensorPolicy(torch.nn.Module):
    r"""Actions from sensors in unknown order, which may change at any time.

    .. math::
        (\mathbf{f}_i, \mathbf{s}_i) &= \mathrm{cell}(x_i, \mathbf{t}, \mathbf{y}', \mathbf{s}'_i) \\
        \mathbf{y}_m &= \mathbf{b} + \sum_i \mathrm{softmax}_i\big(
            (\mathbf{B} \mathbf{q}_m + \mathbf{c})^{\top} (\mathbf{A} \mathbf{f}_i + \mathbf{d}) / \sqrt{F} \big)
            \mathbf{W} \mathbf{f}_i \\
        \text{logits} &= \mathbf{H} [\mathbf{y}_1, \dots, \mathbf{y}_M, \mathbf{t}] + \mathbf{h}

    where every sensor i has a value :math:`x_i`, a state :math:`\mathbf{s}_i` of its own and no index,
    :math:`\mathbf{t}` is what the agent is told besides (its last action, its reward), :math:`\mathbf{y}'` what it
    gathered at the last step, and
    :math:`\mathbf{q}_m` are learned queries. The gathering is an :class:`scge_pyg.SCGEConv` from N sensors to M targets
    whose places are all the same, with ``content="dot"``: which sensor is heard is decided by its history alone. A
    permutation of sensors and states changes nothing; after one of the sensors alone every sensor has the state of
    another, which fades as fast as its cell forgets. After Tang and Ha (2021), "The Sensory Neuron as a Transformer:
    Permutation-Invariant Neural Networks for Reinforcement Learning", with running averages for their recurrent cell.

    Cost: :math:`O(B N (D + M F + C F))` time and memory a step. No parameter depends on N.

    Args:
        num_sensors: Sensors N.
        num_told: Numbers T that the agent is told besides.
        num_actions: Actions A.
        cell: The function that all sensors share, for instance :class:`scge_pyg.models.ActionTraces`.
        targets: Target nodes M. Default: 4.
        channels: Channels F of each. Default: 4.

    Shapes:
        - **input:** values :math:`(B, N)`, what is told :math:`(B, T)`, zeros at first, and a :class:`PolicyState`
        - **output:** logits :math:`(B, A)` and the next state

    Raises:
        ValueError: If the values don't have N sensors.

    Example:
        >>> import torch
        >>> from scge_pyg.models import ActionTraces, SensorPolicy
        >>> policy = SensorPolicy(4, 2, 2, ActionTraces(2))
        >>> state, last = policy.start(3), torch.zeros(3, 2)
        >>> logits, state = policy(torch.randn(3, 4), last, state)
        >>> logits.shape
        torch.Size([3, 2])
    """

    def __init__(
        self,
        num_sensors: int,
        num_told: int,
        num_actions: int,
        cell: SensorCell,
        *,
        targets: int = 4,
        channels: int = 4,
    ) -> None:
        super().__init__()
        self.num_sensors, self.cell = num_sensors, cell
        unwired = torch.zeros(2, 0, dtype=torch.long)
        here = [SharedGraph(torch.zeros(size, 1), unwired) for size in (num_sensors, targets)]
        self.gather = SCGEConv(
            cell.num_features,
            channels,
            (here[0], here[1]),
            k=num_sensors,
            kernel=None,
            content="dot",
            tau=math.inf,
        )
        self.query = torch.nn.Parameter(torch.randn(targets, cell.num_features))
        self.head = torch.nn.Linear(targets * channels + num_told, num_actions)

    def start(self, batch: int) -> PolicyState:
        """The state before the first step."""
        memory = self.query.new_zeros(batch, self.cell.num_memories, self.num_sensors)
        return PolicyState(memory, self.query.new_zeros(batch, len(self.query) * self.gather.out_channels))

    def forward(self, x: Tensor, told: Tensor, state: PolicyState) -> tuple[Tensor, PolicyState]:
        """Logits of the next action, and the next state."""
        if x.dim() != 2 or x.shape[1] != self.num_sensors:
            raise ValueError(
                f"SensorPolicy: x must be [B, {self.num_sensors}], one value a sensor, got {list(x.shape)}"
            )
        features, memory = self.cell(x, told, state.said, state.memory)
        said: Tensor = self.gather((features, self.query.expand(len(x), -1, -1))).flatten(1)
        logits: Tensor = self.head(torch.cat([said, told], 1))
        return logits, PolicyState(memory, said)
