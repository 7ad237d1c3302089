"""Exact k-nearest neighbours in plain torch, with faiss as an optional accelerator."""

from __future__ import annotations

import importlib.util

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


def _torch_candidates(query: Tensor, reference: Tensor, k: int) -> Tensor:
    rows = max(1, _BLOCK_BYTES // (reference.element_size() * max(1, reference.shape[0])))
    half_square = reference.square().sum(1) / 2
    found = []
    for block in query.split(rows):
        # |q - r|^2 / 2 up to a constant per query: one matrix product and no [rows, M, d] tensor
        score = torch.addmm(half_square, block, reference.T, alpha=-1.0)
        found.append(score.topk(k, largest=False).indices)
    return torch.cat(found)


def _faiss_candidates(query: Tensor, reference: Tensor, k: int) -> Tensor:
    import faiss  # type: ignore[import-not-found, import-untyped, unused-ignore]

    index = faiss.IndexFlatL2(reference.shape[1])
    index.add(reference.detach().cpu().float().contiguous().numpy())
    _, found = index.search(query.detach().cpu().float().contiguous().numpy(), k)
    return torch.from_numpy(found).to(query.device)


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
    the coordinates and sorted by ``(distance, index)``, so that both backends return the same answer and
    gradients of the distances are finite even between coinciding points.

    Cost: :math:`O(Q M d)` time and :math:`O(Q (k + d))` memory besides a block of at most 64 MiB.

    Args:
        query: Points of shape ``[Q, d]``.
        reference: Points of shape ``[M, d]``.
        k: Number of neighbours, from 1 to ``M`` (``M - 1`` with ``exclude_self``).
        exclude_self: ``query`` and ``reference`` are the same node set, and no node is its own neighbour.
        backend: ``"torch"``, ``"faiss"`` or ``"auto"`` (faiss where it is installed, for CPU tensors).

    Returns:
        Distances ``[Q, k]``, ascending and differentiable, and int64 indices ``[Q, k]``.

    Raises:
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

    # a few spare candidates absorb rounding in the matrix product, which may swap near-equal distances
    spare = min(reference.shape[0], k + int(exclude_self) + 8)
    use_faiss = backend == "faiss" or (backend == "auto" and has_faiss and query.device.type == "cpu")
    with torch.no_grad():
        index = (_faiss_candidates if use_faiss else _torch_candidates)(query, reference, spare)
        index = index.sort(dim=1).values
        square = (query.unsqueeze(1) - reference[index]).square().sum(-1)
        if exclude_self:
            own = index == torch.arange(query.shape[0], device=index.device).unsqueeze(1)
            square = square.masked_fill(own, torch.inf)
        order = square.sort(dim=1, stable=True).indices[:, :k]
        index = index.gather(1, order)
    return safe_norm(query.unsqueeze(1) - reference[index]), index
