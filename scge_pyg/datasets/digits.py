"""scikit-learn's handwritten digits, 8x8."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch_geometric.data import Data

from scge_pyg.datasets.node_dataset import NodeDataset
from scge_pyg.importing import import_extra

__all__ = ["DigitsNodes"]


class DigitsNodes(NodeDataset):
    """The 1,797 digits that ship inside scikit-learn (Alpaydin and Kaynak, 1998), 64 nodes with values in [0, 1].

    Args:
        transform: Applied to each ``Data`` on access.

    Raises:
        ImportError: Without the extra ``demo``.

    Example:
        >>> ds = DigitsNodes()
        >>> ds.x.shape, float(ds.x.max()), ds.num_classes
        (torch.Size([1797, 64, 1]), 1.0, 10)
    """

    def __init__(self, transform: Callable[[Data], Data] | None = None) -> None:
        digits = import_extra("sklearn.datasets", "demo", "DigitsNodes").load_digits()
        x = torch.from_numpy(digits.data).float().div_(16).unsqueeze(2)
        cells = torch.cartesian_prod(torch.arange(8), torch.arange(8))
        super().__init__(x, torch.from_numpy(digits.target), cells, transform=transform)
