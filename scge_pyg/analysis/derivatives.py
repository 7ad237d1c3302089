r"""Directional derivatives of a function of samples, by whichever mode of differentiation it supports.

A function :math:`r` that maps each sample of a batch by itself has one Jacobian :math:`J_b` a sample, and one pass over
the batch gives a product with all of them: :math:`J_b v_b` forwards or :math:`J_b^\top u_b` backwards. ``torch.func``
takes several directions at once. Layers with a custom ``autograd.Function`` often know neither ``vmap`` nor forward
mode; there backward passes are taken one by one, and :math:`J v` is the derivative of the linear map
:math:`u \mapsto J^\top u`, a backward pass through the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = [
    "DerivativeBlock",
    "Function",
    "SampleFunction",
    "check_chunk_size",
    "check_finite",
    "evaluate",
    "refuse_training",
]

Function = Callable[[Tensor], Tensor]
_Engine = Callable[[Function, Tensor, Tensor, int], Iterator[Tensor]]


class DerivativeBlock(NamedTuple):
    """Part of the Jacobians: ``values [V, b, ...]`` of the samples ``rows`` along the directions ``directions``."""

    rows: slice
    directions: slice
    values: Tensor


def check_finite(where: str, name: str, z: Tensor) -> None:
    """Raise a ``ValueError`` unless ``z`` is a floating tensor without NaN or infinity."""
    if not isinstance(z, Tensor) or not z.is_floating_point():
        got = f"{z.dtype} {list(z.shape)}" if isinstance(z, Tensor) else type(z).__name__
        raise ValueError(f"{where}: {name} must be a floating-point tensor, got {got}")
    if not bool(torch.isfinite(z).all()):
        raise ValueError(f"{where}: {name} holds NaN or infinity; look at the data, or at the training that led here")


def check_chunk_size(where: str, chunk_size: int) -> None:
    """Raise a ``ValueError`` unless ``chunk_size`` is a positive integer."""
    if isinstance(chunk_size, bool) or not isinstance(chunk_size, int) or chunk_size < 1:
        raise ValueError(f"{where}: chunk_size must be a positive integer, got {chunk_size!r}")


def refuse_training(where: str, function: Function) -> None:
    """Raise a ``ValueError`` for a module, or method of one, with batch normalisation or dropout in training mode."""
    owner = function if isinstance(function, torch.nn.Module) else getattr(function, "__self__", None)
    if not isinstance(owner, torch.nn.Module):
        return
    for name, module in owner.named_modules():
        kinds = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd)
        if isinstance(module, kinds) and module.training:
            raise ValueError(
                f"{where}: {type(module).__name__} {name!r} is in training mode, so samples do not map "
                "by themselves; call eval() on the model"
            )


@torch.no_grad()
def evaluate(where: str, function: Function, z: Tensor, chunk_size: int) -> Tensor:
    """Values ``[B, D]`` of samples ``[B, ...]``, ``chunk_size`` samples at once, without gradient."""
    check_chunk_size(where, chunk_size)
    refuse_training(where, function)
    parts = [_flat(where, function(part), part) for part in z.split(chunk_size)]
    return torch.cat(parts)


def _flat(where: str, y: Tensor, z: Tensor) -> Tensor:
    if not isinstance(y, Tensor) or y.dim() == 0 or y.shape[0] != z.shape[0]:
        got = list(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(f"{where}: the function must map [{z.shape[0]}, ...] to [{z.shape[0]}, ...], but gave {got}")
    return y.reshape(len(y), -1)


def _forward_mode(function: Function, z: Tensor, tangents: Tensor, at_once: int) -> Iterator[Tensor]:
    def one(tangent: Tensor) -> Tensor:
        return torch.func.jvp(function, (z,), (tangent,))[1]

    for part in tangents.split(at_once):
        yield torch.func.vmap(one)(part)


def _reverse_mode(function: Function, z: Tensor, cotangents: Tensor, at_once: int) -> Iterator[Tensor]:
    pull = torch.func.vjp(function, z)[1]
    for part in cotangents.split(at_once):
        yield torch.func.vmap(pull)(part)[0].flatten(2)


def _backward_passes(function: Function, z: Tensor, cotangents: Tensor, at_once: int) -> Iterator[Tensor]:
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        y = function(z)
    for cotangent in cotangents:
        yield torch.autograd.grad(y, z, cotangent, retain_graph=True)[0].flatten(1).unsqueeze(0)


def _double_backward(function: Function, z: Tensor, tangents: Tensor, at_once: int) -> Iterator[Tensor]:
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        y = function(z)
        cotangent = torch.zeros_like(y, requires_grad=True)
        (pulled,) = torch.autograd.grad(y, z, cotangent, create_graph=True)
    for tangent in tangents:
        yield torch.autograd.grad(pulled, cotangent, tangent, retain_graph=True)[0].unsqueeze(0)


class SampleFunction:
    r"""A function of samples, checked, and its products with Jacobians.

    Args:
        where: Name of the caller for error messages.
        function: Maps ``[B, ...]`` to ``[B, ...]``, each sample by itself; outputs are flattened to D numbers.
        z: Samples ``[B, ...]`` of E numbers each. One or two of them are passed through the function as a trial.

    Raises:
        ValueError: If ``z`` isn't finite, floating and at least ``[1, 1]``; if the function has no gradient with
            respect to it, mixes samples, or is a module with batch normalisation or dropout in training mode.
    """

    def __init__(self, where: str, function: Function, z: Tensor) -> None:
        check_finite(where, "z", z)
        if z.dim() < 2 or z.numel() == 0:
            raise ValueError(f"{where}: z must be [B, ...] with at least one sample and number, got {list(z.shape)}")
        refuse_training(where, function)
        self.where, self.function = where, function
        self.z = z.detach()
        with torch.enable_grad():
            trial = self.z[:2].clone().requires_grad_()
            y = _flat(where, function(trial), trial)
            self.inputs, self.outputs = trial[0].numel(), y.shape[1]
            self.probe = torch.randn(y.shape, generator=torch.Generator().manual_seed(0)).to(y)
            pulled = None
            if y.requires_grad:
                first = (y[0] * self.probe[0]).sum()
                pulled = torch.autograd.grad(first, trial, allow_unused=True, retain_graph=True)[0]
        if pulled is None:
            name = getattr(function, "__name__", type(function).__name__)
            raise ValueError(
                f"{where}: the function {name!r} has no gradient with respect to z; "
                "it must not detach, round or convert to NumPy"
            )
        if len(trial) == 2 and bool(pulled[1].any()):
            raise ValueError(f"{where}: the function mixes samples; it must map each one by itself")

    def _call(self, z: Tensor) -> Tensor:
        return _flat(self.where, self.function(z), z)

    def _agrees(self, engine: _Engine, tangents: bool) -> bool:
        """Whether a mode works on the trial samples, and agrees with one backward pass."""
        z = self.z[:2]
        direction = torch.randn(z.shape, generator=torch.Generator().manual_seed(1)).to(z)
        try:
            found = next(engine(self._call, z, (direction if tangents else self.probe).unsqueeze(0), 1))[0]
        except RuntimeError:  # what torch raises for a Function without vmap, forward mode or second derivative
            return False
        pulled = next(_backward_passes(self._call, z, self.probe.unsqueeze(0), 1))[0]
        along = pulled * direction.flatten(1)
        difference = along.sum(1) - (found * (self.probe if tangents else direction.flatten(1))).sum(1)
        size = along.abs().sum(1) + (found.norm(dim=1) * self.probe.norm(dim=1) if tangents else 0)
        return bool((difference.abs() <= 10 * torch.finfo(z.dtype).eps ** 0.5 * size).all())

    def backwards(self) -> tuple[_Engine, bool]:
        r"""The way to :math:`J^\top u`, and whether it takes several directions at once."""
        return (_reverse_mode, True) if self._agrees(_reverse_mode, False) else (_backward_passes, False)

    def forwards(self) -> tuple[_Engine, bool] | None:
        """The way to :math:`J v` and whether it takes several directions at once; None if there is none."""
        if self._agrees(_forward_mode, True):
            return _forward_mode, True
        return (_double_backward, False) if self._agrees(_double_backward, True) else None

    def products(self, directions: Tensor, way: tuple[_Engine, bool], rows: slice, at_once: int) -> Iterator[Tensor]:
        """Blocks ``[V, b, ...]`` of products with the Jacobians of some samples along directions ``[V, b, ...]``."""
        yield from way[0](self._call, self.z[rows], directions, at_once)

    def jacobian_blocks(self, mode: str, chunk_size: int) -> tuple[bool, Iterator[DerivativeBlock]]:
        """Whether blocks are columns ``[V, b, D]`` (or else rows ``[V, b, E]``) of the Jacobians, and the blocks."""
        check_chunk_size(self.where, chunk_size)
        if mode not in ("auto", "forward", "reverse"):
            raise ValueError(f"{self.where}: mode must be 'auto', 'forward' or 'reverse', got {mode!r}")
        way = None
        if mode == "forward" or (mode == "auto" and self.inputs < self.outputs):
            way = self.forwards()
            if way is None and mode == "forward":
                raise ValueError(
                    f"{self.where}: the function supports neither forward mode nor second derivatives; "
                    "use mode='reverse' or 'auto'"
                )
        columns = way is not None
        return columns, self._blocks(way or self.backwards(), columns, chunk_size)

    def _blocks(self, way: tuple[_Engine, bool], columns: bool, chunk_size: int) -> Iterator[DerivativeBlock]:
        number = self.inputs if columns else self.outputs
        at_once = min(number, chunk_size) if way[1] else 1
        samples = max(1, chunk_size // at_once)
        basis = torch.eye(number, dtype=self.z.dtype, device=self.z.device).unsqueeze(1)
        shape = self.z.shape[1:] if columns else (self.outputs,)
        for first in range(0, len(self.z), samples):
            rows = slice(first, min(first + samples, len(self.z)))
            directions = basis.expand(-1, rows.stop - rows.start, -1).unflatten(2, shape)
            done = 0
            for block in self.products(directions, way, rows, at_once):
                yield DerivativeBlock(rows, slice(done, done + len(block)), block)
                done += len(block)
