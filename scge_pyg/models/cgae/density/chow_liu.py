"""The tree of Chow and Liu: the edges on which variables tell most of each other."""

from __future__ import annotations

import numpy as np
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from torch import Tensor

__all__ = ["chow_liu_tree"]


def chow_liu_tree(information: Tensor) -> tuple[int, ...]:
    r"""The spanning tree with the largest sum of mutual informations, as the parent of each node.

    "Approximating discrete probability distributions with dependence trees" (Chow and Liu, 1968): among all densities
    :math:`\prod_v p(z_v \mid z_{u(v)})` on trees the one nearest to given data has the pairwise marginals of the data,
    and the tree that maximises :math:`\sum_v I(z_v; z_{u(v)})`. The root is the node whose informations sum to most;
    the density does not depend on it.

    Args:
        information: Symmetric ``[H, H]``, of any sign, as estimates of small informations are; the diagonal is not
            read.

    Returns:
        The parent of each node, -1 for the root.

    Example:
        >>> import torch
        >>> chow_liu_tree(torch.tensor([[0.0, 2.0, 1.0], [2.0, 0.0, 3.0], [1.0, 3.0, 0.0]]))
        (1, -1, 1)
    """
    gain = information.double().numpy().copy()
    np.fill_diagonal(gain, 0)
    cost = gain.max() + 1 - gain  # above 0: an edge of cost 0 is none to scipy
    np.fill_diagonal(cost, 0)
    root = int(gain.sum(1).argmax())
    _, parent = breadth_first_order(minimum_spanning_tree(cost), root, directed=False)
    return tuple(-1 if v == root else int(u) for v, u in enumerate(parent))
