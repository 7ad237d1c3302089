"""A sensor that learns where to be: the place at which its activity was rewarded."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.graph.checks import whole_number
from scge_pyg.models.sensor_cells import SensorCell

__all__ = ["PlaceTraces"]


class PlaceTraces(SensorCell):
    r"""Each sensor remembers where the agent was when what it saw ended well, and forgets it when it ended badly.

    .. math::
        P &= \mathrm{clip}(P' + \gamma a, -1, 1) \\
        h_i &= h_i' + x_i \big(\rho\, x_i' (1 - h_i') - \varphi\, (1 - x_i')\, h_i'\big) \\
        e_i &= \max(e_i', x_i), \qquad e_i \to 0 \text{ after a step with } r \neq 0 \\
        p_i &= p_i' + \omega\, e_i\, [r]_+ (P - p_i') \\
        k_i &= k_i' + \omega\, e_i\, [r]_+ (1 - k_i') - \varepsilon\, e_i\, [-r]_+ k_i' \\
        \mathbf{f}_i &= 10\, \big(x_i,\ x_i h_i,\ k_i (p_i - P)\big)

    for a value :math:`x_i \in [0, 1]`, the reward :math:`r \in [-1, 1]` of the last action and its direction a (-1 for
    the first action, 1 for the last, 0 between). P is where the agent believes to be, the sum of its own moves, which
    no shuffle of sensors touches; :math:`h_i` says whether the sensor, when active, stays so (the agent's own body
    does); :math:`e_i` is its trace since the last reward; :math:`p_i` the place it stands for, a node embedding that is
    learned within the episode by a three-factor rule, and :math:`k_i` how well it is known. The last feature is how far
    the agent is from there. After a shuffle, wrong places cost a reward each and are erased by it. The stride
    :math:`\gamma` and the four rates are parameters.

    Args:
        num_actions: Actions A; the policy is told the last one, in A numbers, and its reward in the next.

    Shapes:
        - **features:** :math:`(B, N, 3)`
        - **memory:** :math:`(B, 6, N)`

    Raises:
        ValueError: If ``num_actions`` is less than 1.

    Example:
        >>> import torch
        >>> cell = PlaceTraces(3)
        >>> memory, right = torch.zeros(1, cell.num_memories, 2), torch.tensor([[0.0, 0.0, 1.0]])
        >>> for x, reward in (([1.0, 0.0], 0.0), ([0.0, 0.0], 1.0)):
        ...     told = torch.cat([right, torch.tensor([[reward]])], 1)
        ...     features, memory = cell(torch.tensor([x]), told, torch.zeros(1, 0), memory)
        >>> memory[0, 4].detach() > 0
        tensor([ True, False])
    """

    num_features, num_memories = 3, 6

    def __init__(self, num_actions: int) -> None:
        super().__init__()
        self.num_actions = whole_number("PlaceTraces", "num_actions", num_actions, 1)
        self.num_told = self.num_actions + 1
        self.stride = torch.nn.Parameter(torch.tensor(0.2))
        self.rates = torch.nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor, told: Tensor, said: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``[B, N, 3]`` and the next memory."""
        here, before, held, trace, place, known = memory.unbind(1)
        action, reward = told[:, : self.num_actions], told[:, self.num_actions, None]
        rise, fall, write, erase = self.rates.sigmoid()
        here = (here + self.stride * (action[:, -1:] - action[:, :1])).clamp(-1, 1)
        held = held + x * (rise * before * (1 - held) - fall * (1 - before) * held)
        trace = torch.maximum(trace, x)
        won, lost = write * trace * reward.clamp_min(0), erase * trace * (-reward).clamp_min(0)
        place = place + won * (here - place)
        known = known + won * (1 - known) - lost * known
        features = 10 * torch.stack([x, x * held, known * (place - here)], 1).transpose(1, 2)
        kept = trace * (reward == 0)
        return features, torch.stack([here, x, held, kept, place, known], 1)
