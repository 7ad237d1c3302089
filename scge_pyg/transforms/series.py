"""Series of several sensors: sensors as nodes, windows of time as channels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.transforms import BaseTransform

from scge_pyg.transforms.pieces import checked_count, checked_tensor, overlap_mean, windows
from scge_pyg.transforms.recordings import Recording, at_one_rate

__all__ = ["SeriesToNodes"]


class SeriesToNodes(BaseTransform):
    """Sensors become nodes, windows of time their channels: ``[..., T, N]`` to ``[..., S, N, length]``.

    With ``length=1`` each step is a sample. A list of recordings of the same sensors gives the windows of all, one
    after the other; none reaches from one recording into the next. Recordings may come in pairs with their rates,
    ``(tensor, rate)``.

    Args:
        length: Steps of a window.
        hop: Steps from one window to the next. Default: ``length``, windows side by side.
        rate: The rate in Hz that recordings must have. Default: any, but the same.

    Raises:
        TypeError: If a recording is no tensor.
        ValueError: If a window is longer than a recording, or rates or numbers of sensors differ.

    Example:
        >>> import torch
        >>> cut = SeriesToNodes(12, hop=1)
        >>> speeds = torch.rand(100, 7)
        >>> cut(speeds).shape
        torch.Size([89, 7, 12])
        >>> torch.equal(cut.inverse(cut(speeds)), speeds)
        True
    """

    def __init__(self, length: int = 1, hop: int | None = None, rate: float | None = None) -> None:
        self.length = checked_count(length, "SeriesToNodes: length")
        self.hop = self.length if hop is None else checked_count(hop, "SeriesToNodes: hop")
        self.rate = rate

    def forward(self, series: Recording | list[Recording]) -> Tensor:
        """The windows of a series, of a batch, or of a list of series."""
        recordings = at_one_rate(series, self.rate, "SeriesToNodes")
        for x in recordings:
            checked_tensor(x, "SeriesToNodes", "[..., T, N]", 2)
        if len(sensors := {x.shape[-1] for x in recordings}) > 1:
            raise ValueError(f"SeriesToNodes: recordings must be of the same sensors, got {sorted(sensors)} of them")
        cut = [
            windows(x.transpose(-1, -2), self.length, self.hop, "SeriesToNodes").transpose(-2, -3) for x in recordings
        ]
        return torch.cat(cut) if isinstance(series, list) else cut[0]

    def inverse(self, x: Tensor) -> Tensor:
        """The series ``[..., T, N]`` of windows ``[..., S, N, length]``; overlaps are averaged.

        A rest at the end that filled no window lacks.

        Raises:
            ValueError: If windows leave gaps (``hop > length``), or have another length.
        """
        if x.dim() < 3 or x.shape[-1] != self.length:
            raise ValueError(f"SeriesToNodes.inverse: x must be [..., S, N, {self.length}], got {list(x.shape)}")
        return overlap_mean(x.transpose(-2, -3), self.hop, "SeriesToNodes.inverse").transpose(-1, -2)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(length={self.length}, hop={self.hop})"
