"""Which groups of samples share a wiring: the partners of one predict the other as well as its own do."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from scipy.cluster.hierarchy import cut_tree, fcluster, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

__all__ = ["ALIKE", "agreement", "joined"]

_PARTNERS, _AMONG = 8, 8  # partners of a node, at most, and at most one in as many nodes
_PROBES = 256  # nodes at which wirings are compared
_RIDGE = 0.03
_LEAST = 1e-3  # share of a node's variance that no prediction is believed to go below
_SURE, _DOUBT = 3.0, 2.0  # standard errors over nodes: that there is a wiring, and that two differ
ALIKE = 0.5  # midway between partners at random and a group's own


def agreement(groups: Sequence[Tensor], generator: torch.Generator) -> tuple[Tensor, Tensor]:
    r"""How well the wiring of each group serves each other, from 0, chance, to 1, as its own.

    The wiring of a group are the partners that each node is most correlated with in one half of its samples, eight, or
    one in eight of fewer than 64 nodes. In another group, node i is regressed on the partners that wiring names, with
    coefficients from one half of that group, and :math:`g_{ab} = -\frac12 \overline{\log(1 - R^2)}` is its held-out
    gain on the other, mean over nodes. Of the wiring a on the samples b

    .. math::
        A_{ab} = \frac{g_{ab} - g_{0b}}{g_{bb} - g_{0b}}, \qquad g_{0b} \text{ with partners at random,}

    and the mean of both directions is taken, each as high as it may be by two standard errors over the nodes: groups
    are told apart where that is proven. Classes share a wiring: digits of all kinds have the same neighbours.

    Cost: :math:`O(S N P + K S P m^2)` for P = 256 nodes and m = 8 partners.

    Args:
        groups: Samples ``[S_k, N]`` of each group.
        generator: Of the nodes that are compared and of random partners.

    Returns:
        The agreement ``[K, K]``, and for which groups it says something ``[K]``: a group's own wiring must gain more
        than chance by three standard errors over the nodes.
    """
    nodes = groups[0].shape[1]
    partners = min(_PARTNERS, max(1, nodes // _AMONG))
    probe = torch.randperm(nodes, generator=generator)[:_PROBES]
    chance = (probe.unsqueeze(1) + torch.randint(1, nodes, (len(probe), partners), generator=generator)) % nodes
    halves = [(_unit(group[::2]), _unit(group[1::2])) for group in groups]
    wirings = [_wiring(fit, probe, partners) for fit, _ in halves]
    gain = torch.stack([_gains(fit, check, probe, [*wirings, chance]) for fit, check in halves], 1)
    excess = gain[:-1] - gain[-1]
    own = excess.diagonal().T
    told = own.mean(1) > _SURE * own.std(1) / len(probe) ** 0.5
    doubt = _DOUBT * (excess - ALIKE * own).std(2) / len(probe) ** 0.5
    served = ((excess.mean(2) + doubt) / own.mean(1).clamp_min(1e-6)).clamp(0, 1)
    return (served + served.T) / 2, told


def joined(alike: Tensor, count: int | None = None) -> Tensor:
    """The wiring that each group has ``[K]``: groups that agree by more than half, at one or more removes, share one.

    Args:
        alike: Agreement of groups ``[K, K]``.
        count: Number of wirings, if it is known: of more than these, the most alike are joined, too.
    """
    if len(alike) == 1:
        return torch.zeros(1, dtype=torch.long)
    tree = linkage(squareform((1 - alike.double()).clamp_min(0).numpy(), checks=False), "single")
    found = fcluster(tree, 1 - ALIKE, "distance") - 1
    if count is not None and count <= found.max():
        found = cut_tree(tree, count)[:, 0]
    return torch.from_numpy(found).long()


def _unit(x: Tensor) -> Tensor:
    """Samples with mean 0 and variance 1 in each node; 0 where a node is constant."""
    offset = x - x.mean(0)
    scale = offset.square().mean(0).sqrt()
    return torch.where(scale > 1e-6 * scale.mean(), offset / scale.clamp_min(1e-30), 0.0)


def _wiring(x: Tensor, probe: Tensor, count: int) -> Tensor:
    similar = (x[:, probe].T @ x).abs()
    similar[torch.arange(len(probe)), probe] = -1.0
    return similar.topk(count, dim=1).indices


def _gains(fit: Tensor, check: Tensor, probe: Tensor, wirings: Sequence[Tensor]) -> Tensor:
    """Held-out gain of each wiring at each node ``[W, P]``, 0 where the node is constant."""
    varies = (fit[:, probe].square().sum(0) > 0) & (check[:, probe].square().sum(0) > 0)
    gains = []
    for wiring in wirings:
        (gram, with_node, _), (gram_held, with_held, own) = (_moments(x, probe, wiring) for x in (fit, check))
        ridge = _RIDGE * torch.eye(wiring.shape[1], dtype=fit.dtype)
        weight = torch.linalg.solve(gram + ridge, with_node)
        left = own - 2 * (weight * with_held).sum(1) + torch.einsum("pi,pij,pj->p", weight, gram_held, weight)
        gains.append(torch.where(varies, -0.5 * left.clamp_min(_LEAST).log(), 0.0))
    return torch.stack(gains)


def _moments(x: Tensor, probe: Tensor, wiring: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Products among the partners of each node ``[P, m, m]``, with it ``[P, m]``, and of it ``[P]``."""
    near, node = x[:, wiring], x[:, probe]
    scale = 1 / len(x)
    gram = torch.einsum("spi,spj->pij", near, near) * scale
    return gram, torch.einsum("spi,sp->pi", near, node) * scale, node.square().sum(0) * scale
