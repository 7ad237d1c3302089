"""`couple`: which nodes of one modality go with which of another, from samples of both."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from scge_pyg.discovery.signals.tables import is_table
from scge_pyg.graph.checks import whole_number

__all__ = ["couple"]

_SHUFFLES = 19  # the largest of 20 equal ones is the true one in 5 of 100 cases


def couple(x_a: Any, x_b: Any, k: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    r"""Edges across two modalities that were recorded together.

    .. math:: r_{ij} = \operatorname{corr}(a_i, b_j)

    over the pairs of samples. An edge joins node i of a to node j of b where :math:`|r_{ij}|` is above the largest one
    that any two nodes have in 19 shuffles of the pairs, so that modalities without a link get any edge at all in 5 of
    100 cases, and where j is among the k best of i or i among the k best of j.

    Pairs must be independent of each other: of a recording, take moments that lie far apart. Cost:
    :math:`O(20 S N_a N_b)`, memory :math:`O(N_a N_b)`: pool large node sets first (:class:`scge_pyg.nn.ClusterPool`).

    Args:
        x_a: Samples ``[S, N_a]`` or ``[S, N_a, C]``, of which the mean over channels counts.
        x_b: Those of the other modality, ``[S, N_b]`` or ``[S, N_b, C]``, row by row of the same moments or things.
        k: Edges of a node in either direction; more where it is among the best of others.
        seed: Of the shuffles.

    Returns:
        ``edge_index [2, E]`` int64, from nodes of a to nodes of b, and ``edge_weight [E]``, :math:`|r_{ij}|`.

    Raises:
        TypeError: If samples are no real numbers, or ``k`` or ``seed`` is no integer.
        ValueError: If there are fewer than 8 pairs, their numbers differ, two frames have the same rows in another
            order, values are not finite, or ``k`` or ``seed`` is out of range.

    Example:
        >>> import torch
        >>> x = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
        >>> couple(x[:, :3], x[:, [5, 0, 1, 4]])[0].tolist()  # two of three nodes are there again
        [[0, 1], [1, 2]]
    """
    k, seed = whole_number("couple", "k", k, 1), whole_number("couple", "seed", seed, 0, 2**63 - 1)
    a, b = _standard(x_a, "x_a"), _standard(x_b, "x_b")
    if len(a) != len(b) or len(a) < 8:
        raise ValueError(f"couple: x_a and x_b must be at least 8 pairs, row by row, got {len(a)} and {len(b)} samples")
    _check_rows(x_a, x_b)
    generator = torch.Generator().manual_seed(seed)
    shuffles = [torch.randperm(len(a), generator=generator) for _ in range(_SHUFFLES)]
    chance = max(float((a.T @ b[order]).abs().max()) for order in shuffles)
    strength = (a.T @ b).abs()
    best = torch.zeros_like(strength, dtype=torch.bool)
    for axis in (0, 1):
        best.scatter_(axis, strength.topk(min(k, strength.shape[axis]), axis).indices, True)
    edge_index = (best & (strength > chance)).nonzero().T.contiguous()
    return edge_index, strength[edge_index[0], edge_index[1]].float()


def _standard(x: Any, name: str) -> Tensor:
    """Columns of length one, so that products of columns are correlations; zeros where nothing varies."""
    values = _numbers(x, name)
    if values.dim() not in (2, 3) or 0 in values.shape:
        raise ValueError(
            f"couple: {name} must be [S, N] or [S, N, C], one row a sample, got {list(values.shape)}; of one node make "
            f"it [S, 1], of images nodes with transforms.ImageToNodes"
        )
    values = values.double() if values.dim() == 2 else values.double().mean(2)
    if not bool(values.isfinite().all()):
        raise ValueError(f"couple: {name} has values that are not finite; leave such samples or nodes out")
    centred = values - values.mean(0)
    size = centred.norm(dim=0)
    noise = torch.finfo(values.dtype).eps * len(values) * values.abs().amax(0)
    return torch.where(size > noise, centred / size, 0.0)


def _numbers(x: Any, name: str) -> Tensor:
    """Real numbers as a dense tensor."""
    if isinstance(x, Tensor):
        if x.layout != torch.strided or x.is_meta or x.is_complex():
            what = "complex" if x.is_complex() else "on the meta device" if x.is_meta else "sparse"
            remedy = {"complex": "pass their magnitude", "sparse": "use to_dense()"}.get(what, "pass one with values")
            raise TypeError(f"couple: {name} must be a dense tensor of real numbers, got one that is {what}; {remedy}")
        return x.detach()
    try:
        values = np.asarray(x)
        if values.dtype.kind not in "fiub":
            values = values.astype(object).astype(float)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(_no_numbers(x, name, f" ({error})")) from error
    if x is None:
        raise TypeError(_no_numbers(x, name, ""))
    return torch.from_numpy(values.astype(float))


def _no_numbers(x: Any, name: str, why: str) -> str:
    hint = "use toarray()" if hasattr(x, "toarray") else "stack samples, leave out columns of text"
    return (
        f"couple: {name} must be a tensor, array or frame of real numbers, [S, N] or [S, N, C], got "
        f"{type(x).__name__}{why}; {hint}"
    )


def _check_rows(x_a: Any, x_b: Any) -> None:
    """Two frames whose rows have the same labels have them in the same order."""
    own, other = (getattr(x, "index", None) if is_table(x) else None for x in (x_a, x_b))
    if own is None or other is None or own.equals(other):
        return
    if own.sort_values().equals(other.sort_values()):
        raise ValueError(
            "couple: x_b has its rows in another order than x_a, as their indexes say; pass x_b.loc[x_a.index], or "
            "reset_index(drop=True) of both if row by row is right"
        )
