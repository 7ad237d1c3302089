"""Assertions about layers and models on node sets, for any ``torch.nn.Module``.

Modules may return a tensor, or tuples, lists and dicts of them: every floating-point tensor in the result is checked.
Tolerances are those of :func:`torch.testing.assert_close` for the dtype, unless given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from scge_pyg.graph import Lattice, SharedGraph

__all__ = [
    "assert_batch_equals_loop",
    "assert_gradients_reach_all",
    "assert_permutation_equivariant",
    "permuted_graph",
]


def assert_batch_equals_loop(
    module: Callable[[Tensor], Any], x: Tensor, *, rtol: float | None = None, atol: float | None = None
) -> None:
    """A batch ``[B, N, C]`` gives what its samples give one at a time.

    Tensors with one row per sample are compared row by row, and tensors of the same shape for a batch as for one
    sample, such as the edges of a shared graph, with those of each sample. Others, such as the edges of disjoint
    copies, have no counterpart in the loop and are left out.

    Args:
        module: Maps ``[B, N, C]`` to one or several tensors.
        x: At least two samples.
        rtol: Relative tolerance, together with ``atol``. Default: by dtype.
        atol: Absolute tolerance.

    Raises:
        AssertionError: With the largest difference, or if no tensor of the result can be compared.
        ValueError: If ``x`` holds fewer than two samples.

    Example:
        >>> assert_batch_equals_loop(torch.nn.Linear(3, 4), torch.randn(2, 5, 3))
    """
    if x.dim() < 2 or x.shape[0] < 2:
        raise ValueError(f"assert_batch_equals_loop: x must hold at least two samples [B, N, C], got {list(x.shape)}")
    batch = _tensors(module(x.clone()))
    loop = [_tensors(module(sample.unsqueeze(0).clone())) for sample in x]
    for single in loop:
        if single.keys() != batch.keys():
            raise AssertionError(f"a batch gives {_listed(batch)}, a single sample {_listed(single)}")
    compared = 0
    for name, whole in batch.items():
        parts = [single[name] for single in loop]
        if whole.dim() and whole.shape[0] == x.shape[0] and all(part.shape[:1] == (1,) for part in parts):
            expected = torch.cat(parts)
        elif all(part.shape == whole.shape for part in parts):
            whole, expected = torch.stack([whole] * len(parts)), torch.stack(parts)
        else:
            continue
        compared += 1
        _assert_close(whole, expected, f"{name} of the batch differs from a loop over it", rtol, atol)
    if not compared:
        raise AssertionError(
            f"no tensor has one row per sample: a batch of {x.shape[0]} gives {_listed(batch)}, "
            f"a single sample {_listed(loop[0])}"
        )


def assert_gradients_reach_all(module: torch.nn.Module, x: Tensor) -> None:
    """Every trainable parameter, and the input, gets a finite gradient that is not zero throughout.

    The upstream gradient is random, from seed 0. Parameters with ``requires_grad=False`` are left out, and so is an
    input of integers.

    Raises:
        AssertionError: Names the parameters without one.

    Example:
        >>> assert_gradients_reach_all(torch.nn.Linear(3, 4), torch.randn(2, 5, 3))
    """
    leaves = {}
    with torch.enable_grad():
        given = x.detach().clone()
        if given.is_floating_point():
            leaves["the input"] = given.requires_grad_()
        outputs = [y for y in _tensors(module(given.clone())).values() if y.requires_grad]
    # after the call, so that lazy parameters have their shape
    leaves |= {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    generator = torch.Generator().manual_seed(0)
    upstream = [torch.randn(y.shape, generator=generator, dtype=y.dtype).to(y.device) for y in outputs]
    grads: tuple[Tensor | None, ...] = (None,) * len(leaves)
    if outputs and leaves:
        grads = torch.autograd.grad(outputs, list(leaves.values()), upstream, allow_unused=True)
    faults = [f"{name} ({fault})" for name, grad in zip(leaves, grads, strict=True) if (fault := _fault(grad))]
    if faults:
        raise AssertionError(f"no finite, nonzero gradient reaches {', '.join(faults)}")


def assert_permutation_equivariant(
    build: Callable[[Tensor], Callable[[Tensor], Any]],
    x: Tensor,
    generator: torch.Generator | None = None,
    *,
    rtol: float | None = None,
    atol: float | None = None,
) -> None:
    """Shuffling the nodes shuffles the result and changes nothing else.

    Tensors ``[B, N, ...]`` have to be shuffled like the input, and other tensors with one row per sample, such as
    logits, have to stay as they are; the rest, such as edges, is left out.

    Args:
        build: Gives the module for the nodes in a given order ``[N]``; each time with the same parameters.
        x: Input ``[B, N, C]`` of at least two nodes.
        generator: Of the order. Default: seed 0.
        rtol: Relative tolerance, together with ``atol``. Default: by dtype.
        atol: Absolute tolerance.

    Raises:
        AssertionError: With the largest difference, or if no tensor of the result can be compared.
        ValueError: If ``x`` has fewer than two nodes.

    Example:
        >>> linear = torch.nn.Linear(3, 4)
        >>> assert_permutation_equivariant(lambda order: linear, torch.randn(2, 5, 3))
    """
    if x.dim() < 2 or x.shape[1] < 2:
        raise ValueError(
            f"assert_permutation_equivariant: x must be [B, N, C] with at least two nodes, got {list(x.shape)}"
        )
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    samples, nodes = x.shape[:2]
    plain = torch.arange(nodes)
    order = plain
    while torch.equal(order, plain):  # the plain order would test nothing
        order = torch.randperm(nodes, generator=generator)
    before = _tensors(build(plain)(x.clone()))
    after = _tensors(build(order)(x[:, order].clone()))
    if before.keys() != after.keys():
        raise AssertionError(f"the result depends on the node order: {_listed(before)} became {_listed(after)}")
    compared = 0
    for name, expected in before.items():
        if expected.shape[:1] != (samples,):
            continue
        shuffled = expected[:, order] if expected.shape[:2] == (samples, nodes) else expected
        _assert_close(after[name], shuffled, f"{name} depends on the node order", rtol, atol)
        compared += 1
    if not compared:
        raise AssertionError(f"no tensor has one row per sample: {samples} samples give {_listed(before)}")


def permuted_graph(graph: SharedGraph, order: Tensor) -> SharedGraph:
    """The graph over the nodes ``order [N]`` of another, as ``discover(x[:, order])`` should find it.

    Example:
        >>> chain = permuted_graph(SharedGraph.from_grid((1, 3)), torch.tensor([1, 0, 2]))
        >>> chain.edge_index.tolist(), chain.lattice.cell[:, 1].tolist()
        ([[0, 0, 1, 2], [1, 2, 0, 0]], [1, 0, 2])
    """
    lattices = [Lattice(own.cell[order], own.shape, own.periodic, own.origin, own.stride) for own in graph.lattices]
    return SharedGraph(
        graph.pos[order],
        order.argsort()[graph.edge_index],
        graph.edge_weight,
        part_dim=graph.part_dim or None,
        dim=graph.dim,
        live=graph.live[order],
        confidence=graph.confidence[order],
        lattice=lattices[0] if lattices else None,
        other_lattices=lattices[1:],
        sign=graph.sign[order],
        lag=graph.lag,
    )


def _tensors(result: Any) -> dict[str, Tensor]:
    """The floating-point tensors in a result, by where they stand in it."""
    found = {}
    for path, value in pytree.tree_flatten_with_path(result)[0]:
        if isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex()):
            found[f"the result{pytree.keystr(path)}"] = value
    return found


def _listed(tensors: dict[str, Tensor]) -> str:
    return ", ".join(f"{name} {list(value.shape)}" for name, value in tensors.items()) or "no floating-point tensor"


def _assert_close(actual: Tensor, expected: Tensor, claim: str, rtol: float | None, atol: float | None) -> None:
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol, msg=lambda text: f"{claim}\n{text}")


def _fault(grad: Tensor | None) -> str | None:
    if grad is None:
        return "none"
    if not bool(grad.isfinite().all()):
        return "not finite"
    return None if bool(grad.any()) else "zero"
