"""Exact k-nearest neighbours in plain torch, with faiss as an optional accelerator."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["knn", "safe_norm"]

_BLOCK_BYTES = 64 * 2**20


def safe_norm(offset: Tensor) -> Tensor:
    r"""Euclidean norm over the last axis whose gradient at the origin is zero instead of NaN.

    Args:
        offset: Vectors of shape ``[..., d]``.

    Returns:
        Norms of shape ``[...]``.

    Example:
        >>> import torch
        >>> v = torch.zeros(2, 3, requires_grad=True)
        >>> safe_norm(v).sum().backward()
        >>> v.grad.abs().max().item()
        0.0
    """
    square = offset.square().sum(-1)
    positive = square > 0
    return torch.where(positive, square, torch.ones_like(square)).sqrt() * positive


Search = Callable[[Tensor, int], tuple[Tensor, Tensor]]


def _torch_search(reference: Tensor) -> Search:
    half_square = reference.square().sum(1) / 2

    def search(query: Tensor, count: int) -> tuple[Tensor, Tensor]:
        # |q - r|^2 / 2 up to a constant per query: one matrix product and no [Q, M, d] tensor
        score, index = torch.addmm(half_square, query, reference.T, alpha=-1.0).topk(count, largest=False)
        return 2 * score + query.square().sum(1, keepdim=True), index

    return search


def _faiss_search(reference: Tensor) -> Search:
    import faiss  # type: ignore[import-not-found, import-untyped, unused-ignore]

    store = faiss.IndexFlatL2(reference.shape[1])
    store.add(reference.cpu().float().contiguous().numpy())

    def search(query: Tensor, count: int) -> tuple[Tensor, Tensor]:
        square, index = store.search(query.cpu().float().contiguous().numpy(), count)
        return torch.from_numpy(square).to(query), torch.from_numpy(index).to(query.device)

    return search


def _nearest(query: Tensor, reference: Tensor, index: Tensor, k: int, own: Tensor | None) -> tuple[Tensor, Tensor]:
    """The first ``k`` of ``index`` (ascending, ``[Q, m]``) by ``(squared distance, index)``, the own node left out."""
    square = (query.unsqueeze(1) - reference[index]).square().sum(-1)
    if own is not None:
        square = square.masked_fill(index == own.unsqueeze(1), torch.inf)
    square, order = square.sort(dim=1, stable=True)
    return square[:, :k], index.gather(1, order[:, :k])


def _exact_search(
    query: Tensor, reference: Tensor, k: int, exclude_self: bool, use_faiss: bool
) -> tuple[Tensor, Tensor]:
    """Squared distances and indices ``[Q, k]``, in blocks of queries."""
    points, dim = reference.shape
    # a few spare candidates absorb rounding in the matrix product, which may swap near-equal distances
    count = min(points, k + int(exclude_self) + 8)
    centre = reference.mean(0)
    centred = reference - centre
    search = (_faiss_search if use_faiss else _torch_search)(centred)
    slack = 4 * math.sqrt(dim) * torch.finfo(torch.float32 if use_faiss else query.dtype).eps
    reach = centred.square().sum(1).max().sqrt()
    everything = torch.arange(points, device=query.device)
    rows = max(1, _BLOCK_BYTES // (query.element_size() * max(points, count * dim)))
    direct_rows = max(1, _BLOCK_BYTES // (query.element_size() * points * dim))
    found = []
    for row in torch.arange(query.shape[0], device=query.device).split(rows):
        block, own = query[row], row if exclude_self else None
        rough, index = search(block - centre, count)
        square, index = _nearest(block, reference, index.sort(dim=1).values, k, own)
        if count < points:
            rounding = slack * ((block - centre).square().sum(1).sqrt() + reach).square()
            doubtful = (square[:, -1] >= rough[:, -1] - rounding).nonzero().squeeze(1)
            for some in doubtful.split(direct_rows):
                index_all = everything.expand(some.numel(), -1)
                square[some], index[some] = _nearest(
                    block[some], reference, index_all, k, None if own is None else own[some]
                )
        found.append((square, index))
    return torch.cat([square for square, _ in found]), torch.cat([index for _, index in found])


def knn(
    query: Tensor,
    reference: Tensor,
    k: int,
    *,
    exclude_self: bool = False,
    backend: str = "auto",
) -> tuple[Tensor, Tensor]:
    r"""The ``k`` nearest rows of ``reference`` for each row of ``query``.

    Candidates come from a blocked matrix product (or faiss); their distances are then computed again from
    the coordinates and sorted by ``(distance, index)``. A query whose last neighbour is not clear of the
    candidates' rounding error is compared with every point directly, so that both backends return the same
    answer, whatever the origin and unit of the coordinates and however many points coincide. Gradients of the
    distances are finite even between coinciding points.

    Cost: :math:`O(Q M d)` time and :math:`O(Q k + M d)` memory besides blocks of at most 64 MiB; where a gradient
    is asked for, :math:`O(Q k d)`.

    Args:
        query: Points of shape ``[Q, d]``.
        reference: Points of shape ``[M, d]``.
        k: Number of neighbours, from 1 to ``M`` (``M - 1`` with ``exclude_self``).
        exclude_self: ``query`` and ``reference`` are the same node set, and no node is its own neighbour.
        backend: ``"torch"``, ``"faiss"`` or ``"auto"`` (faiss where it is installed, for CPU tensors).

    Returns:
        Distances ``[Q, k]``, ascending and differentiable, and int64 indices ``[Q, k]``.

    Raises:
        TypeError: If the points aren't floating-point tensors of one dtype.
        ValueError: If shapes or ``k`` don't fit, or coordinates aren't finite.

    Example:
        >>> import torch
        >>> points = torch.tensor([[0.0], [1.0], [3.0]])
        >>> knn(points, points, 1, exclude_self=True)[1].squeeze(1).tolist()
        [1, 0, 1]
    """
    if query.dim() != 2 or reference.dim() != 2 or query.shape[1] != reference.shape[1]:
        raise ValueError(
            f"knn: query and reference must be [Q, d] and [M, d] with the same d, "
            f"got {list(query.shape)} and {list(reference.shape)}"
        )
    if not query.is_floating_point() or query.dtype != reference.dtype:
        raise TypeError(
            f"knn: query and reference must be floating-point tensors of one dtype, "
            f"got {query.dtype} and {reference.dtype}; convert them with .float()"
        )
    if exclude_self and query.shape != reference.shape:
        raise ValueError("knn: exclude_self=True needs query and reference to be the same node set")
    available = reference.shape[0] - int(exclude_self)
    if not 1 <= k <= available:
        raise ValueError(f"knn: k must lie in 1..{available} for {reference.shape[0]} points, got k={k}")
    if not (torch.isfinite(query).all() and torch.isfinite(reference).all()):
        raise ValueError("knn: query and reference must be finite; drop nodes that are not live first")
    if backend not in ("auto", "torch", "faiss"):
        raise ValueError(f"knn: backend must be 'auto', 'torch' or 'faiss', got {backend!r}")
    has_faiss = importlib.util.find_spec("faiss") is not None
    if backend == "faiss" and not has_faiss:
        raise ValueError("knn: backend='faiss' needs the extra 'approx': pip install 'scge-pyg[approx]'")

    use_faiss = backend == "faiss" or (backend == "auto" and has_faiss and query.device.type == "cpu")
    with torch.no_grad():
        square, index = _exact_search(query.detach(), reference.detach(), k, exclude_self, use_faiss)
    if torch.is_grad_enabled() and (query.requires_grad or reference.requires_grad):
        return safe_norm(query.unsqueeze(1) - reference[index]), index
    return square.sqrt(), index
