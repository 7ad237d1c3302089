"""A policy whose sensors carry no index: each keeps a running state, one content layer gathers them by what they do."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import whole_number
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
        ValueError: If a number is out of range, the cell needs other actions or more numbers told, or an input has
            another shape, isn't floating or has NaN (unseen under ``torch.func`` and ``torch.compile``).
        TypeError: If the cell isn't a :class:`scge_pyg.models.SensorCell`, or an input isn't what it should be.

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
        num_sensors = whole_number("SensorPolicy", "num_sensors", num_sensors, 1)
        num_told = whole_number("SensorPolicy", "num_told", num_told, 0)
        num_actions = whole_number("SensorPolicy", "num_actions", num_actions, 1)
        targets = whole_number("SensorPolicy", "targets", targets, 1)
        channels = whole_number("SensorPolicy", "channels", channels, 1)
        _check_cell(cell, num_told, num_actions)
        self.num_sensors, self.num_told, self.cell = num_sensors, num_told, cell
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
        """The state before the first step of ``batch`` agents."""
        batch = whole_number("SensorPolicy.start", "batch", batch, 1)
        memory = self.query.new_zeros(batch, self.cell.num_memories, self.num_sensors)
        return PolicyState(memory, self.query.new_zeros(batch, len(self.query) * self.gather.out_channels))

    def forward(self, x: Tensor, told: Tensor, state: PolicyState) -> tuple[Tensor, PolicyState]:
        """Logits of the next action, and the next state."""
        self._check(x, told, state)
        features, memory = self.cell(x, told, state.said, state.memory)
        said: Tensor = self.gather((features, self.query.expand(len(x), -1, -1))).flatten(1)
        logits: Tensor = self.head(torch.cat([said, told], 1))
        return logits, PolicyState(memory, said)

    def _check(self, x: Any, told: Any, state: Any) -> None:
        """Types and shapes, and NaN where values can be looked at."""
        _check_input("x", x, None, self.num_sensors, "one value a sensor")
        _check_input("told", told, len(x), self.num_told, "num_told numbers a sample of x")
        if not isinstance(state, PolicyState):
            raise TypeError(
                f"SensorPolicy: state must be a PolicyState, got {type(state).__name__}; begin with start({len(x)}), "
                f"then pass the state that the last step gave"
            )
        memory = (len(x), self.cell.num_memories, self.num_sensors)
        said = (len(x), len(self.query) * self.gather.out_channels)
        if state.memory.shape != memory or state.said.shape != said:
            raise ValueError(
                f"SensorPolicy: state must have memory {list(memory)} and said {list(said)} for x {list(x.shape)}, got "
                f"{list(state.memory.shape)} and {list(state.said.shape)}; begin with start({len(x)})"
            )


def _check_cell(cell: Any, num_told: int, num_actions: int) -> None:
    """What is a cell, and one for these actions and what is told."""
    if not isinstance(cell, SensorCell):
        raise TypeError(
            f"SensorPolicy: cell must be a SensorCell, got {type(cell).__name__}; pass ActionTraces({num_actions}), or "
            f"derive your own from SensorCell"
        )
    name = type(cell).__name__
    if cell.num_actions not in (None, num_actions):
        raise ValueError(
            f"SensorPolicy: cell {name} is for {cell.num_actions} actions, but num_actions is {num_actions}; "
            f"give both the same number"
        )
    if num_told < cell.num_told:
        raise ValueError(
            f"SensorPolicy: cell {name} must be told {cell.num_told} numbers or more, but num_told is {num_told}; tell "
            f"the last action, one number an action, then the rest"
        )


def _check_input(name: str, value: Any, batch: int | None, width: int, what: str) -> None:
    """A floating tensor ``[batch, width]``; NaN is seen outside of ``torch.func`` and compilers only."""
    wanted = f"floating [{'B' if batch is None else batch}, {width}], {what}"
    if not isinstance(value, Tensor):
        raise TypeError(
            f"SensorPolicy: {name} must be a tensor, {wanted}, got {type(value).__name__}; convert it with "
            f"torch.as_tensor"
        )
    if value.dim() != 2 or value.shape[1] != width or batch not in (None, len(value)) or not value.is_floating_point():
        raise ValueError(f"SensorPolicy: {name} must be {wanted}, got {value.dtype} {list(value.shape)}")
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return
    if bool(value.isnan().any()):
        raise ValueError(
            f"SensorPolicy: {name} must not have NaN, got {int(value.isnan().sum())} of {value.numel()}; a state never "
            f"forgets them, so put 0 or the last value there"
        )
