"""What a sensor remembers: functions that all sensors of a policy share, each sensor with a state of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from scge_pyg.graph.checks import whole_number

__all__ = ["ActionTraces", "SensorCell"]


class SensorCell(torch.nn.Module, ABC):
    """The interface: a sensor's features and next memory from its value, what all sensors hear, and its memory.

    Attributes:
        num_features: Features C that a sensor shows.
        num_memories: Numbers D that it keeps.
        num_actions: Actions A that it expects. Default: any number.
        num_told: Numbers that it must be told at least. Default: 0.
    """

    num_features: int
    num_memories: int
    num_actions: int | None = None
    num_told: int = 0

    @abstractmethod
    def forward(self, x: Tensor, told: Tensor, said: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``[B, N, C]`` and the next memory ``[B, D, N]``.

        Args:
            x: Values ``[B, N]``.
            told: What the agent is told besides ``[B, T]``: its last action, one number an action, then the rest.
            said: What the policy gathered at the last step ``[B, S]``.
            memory: Of each sensor ``[B, D, N]``, zeros at first.
        """


class ActionTraces(SensorCell):
    r"""How a sensor moves with the actions: running averages of the signs of its differences times past actions.

    .. math::
        r_{ik}(t) = \lambda\, r_{ik}(t - 1) + (1 - \lambda)\, \mathrm{sign}(\Delta^k x_i(t))\, a(t - k),
        \qquad \mathbf{f}_i = (x_i, r_{i1}, \dots, r_{iK})

    with :math:`a(t - k) \in [-1, 1]` the action taken k steps ago, 1 for the last action, -1 for the first. A velocity
    answers to a force in its first difference, a position in its second, one step later. Signs bound what one wild
    step, as after a shuffle, can do: its share fades as :math:`\lambda^t`, in any unit. The rates :math:`\lambda` are
    parameters, one for each difference.

    Args:
        num_actions: Actions A; the policy is told the last one, in A numbers.
        order: Differences K. Default: 2.

    Shapes:
        - **features:** :math:`(B, N, 1 + K)`
        - **memory:** :math:`(B, 3 K, N)`

    Raises:
        ValueError: If a number is less than 1.

    Example:
        >>> import torch
        >>> cell = ActionTraces(2, order=1)
        >>> memory, push = torch.zeros(1, cell.num_memories, 2), torch.tensor([[0.0, 1.0]])
        >>> for x in torch.tensor([[[0.0, 0.0]], [[0.1, -0.2]], [[0.2, -0.4]]]):
        ...     features, memory = cell(x, push, torch.zeros(1, 0), memory)
        >>> features[0, :, 1].detach().sign()
        tensor([ 1., -1.])
    """

    num_actions: int

    def __init__(self, num_actions: int, order: int = 2) -> None:
        super().__init__()
        self.num_actions = self.num_told = whole_number("ActionTraces", "num_actions", num_actions, 1)
        order = whole_number("ActionTraces", "order", order, 1)
        self.order, self.num_features, self.num_memories = order, 1 + order, 3 * order
        self.rate = torch.nn.Parameter(torch.full((order,), 1.0))

    def forward(self, x: Tensor, told: Tensor, said: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``[B, N, 1 + K]`` and the next memory."""
        before, pushed, trace = memory.chunk(3, 1)
        push = (told[:, self.num_actions - 1] - told[:, 0])[:, None, None].expand(-1, 1, x.shape[1])
        pushed = torch.cat([push, pushed[:, :-1]], 1)
        differences = [x]
        for k in range(self.order):
            differences.append(differences[k] - before[:, k])
        stacked = torch.stack(differences, 1)
        keep = self.rate.sigmoid().unsqueeze(1)
        trace = keep * trace + (1 - keep) * stacked[:, 1:].sign() * pushed
        features = torch.cat([stacked[:, :1], trace], 1).transpose(1, 2)
        return features, torch.cat([stacked[:, :-1], pushed, trace], 1)
