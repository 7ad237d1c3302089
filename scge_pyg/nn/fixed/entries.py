"""Sums over some entries of a table of neighbours, and what they are made of, on a CPU."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from scge_pyg.nn.fixed.sparse_rows import sparse_rows

__all__ = ["Adjoint", "Entries", "pair_entries", "suits", "tap_entries"]


class Entries(NamedTuple):
    """Sums to take: entry e adds a multiple of ``source [E]``, and sum r has entries ``pointer[r]`` to ``[r + 1] - 1``.

    They are the nonzero entries of a sparse matrix of ``len(pointer) - 1`` rows and ``width`` columns.
    """

    source: Tensor
    pointer: Tensor
    width: int

    def part(self, first: int, last: int) -> tuple[Entries, slice]:
        """The sums from ``first`` to ``last - 1`` alone, and where their entries are."""
        pointer = self.pointer[first : last + 1]
        own = slice(int(pointer[0]), int(pointer[-1]))
        return Entries(self.source[own], pointer - own.start, self.width), own

    def adjoints(self, step: int) -> list[Adjoint]:
        """The adjoint maps of each ``step`` sums, one after another."""
        row = torch.repeat_interleave(self.pointer.diff(), output_size=len(self.source))
        number = row // step
        key, order = _sorted(self.source + number * self.width)
        column, count = torch.unique_consecutive(key, return_counts=True)
        back = Entries((row - number * step).index_select(0, order), F.pad(count.cumsum(0), (1, 0)), step)
        begin = torch.arange(0, len(self.pointer) - 1 + step, step) // step * self.width
        edges = torch.searchsorted(column, begin).tolist()
        found = []
        for place, (first, last) in enumerate(itertools.pairwise(edges)):
            known, own = back.part(first, last)
            found.append(Adjoint(known, column[first:last] - place * self.width, order[own] - own.start))
        return found

    def times(self, samples: int) -> Entries:
        """The same sums for each of several samples, one after another."""
        if samples == 1:
            return self
        last = self.pointer.new_full((1,), samples * len(self.source))
        begin = _repeated(self.pointer[:-1], samples, len(self.source))
        return Entries(_repeated(self.source, samples, self.width), torch.cat([begin, last]), self.width * samples)

    def sums(self, rows: Tensor, value: Tensor) -> Tensor:
        """Sums of ``value [E]`` times ``rows [width, C]``."""
        rows, value = rows.detach(), value.detach()  # torch takes three times as long to sum what may need a gradient
        return F.embedding_bag(
            self.source, rows, self.pointer, mode="sum", per_sample_weights=value, include_last_offset=True
        )

    def products(self, left: Tensor, right: Tensor) -> Tensor:
        """Scalar products ``[E]`` of the rows of ``left [R, C]`` and ``right [width, C]`` that the entries join."""
        pattern = sparse_rows(self.pointer, self.source, left.new_zeros(len(self.source)), self.width)
        return torch.sparse.sampled_addmm(pattern, left, right.t(), beta=0.0).values()


class Adjoint(NamedTuple):
    """The sums back, one for each ``column`` that has entries, and the ``order`` in which they take the entries."""

    entries: Entries
    column: Tensor
    order: Tensor

    def add(self, total: Tensor, rows: Tensor, value: Tensor) -> None:
        """Add the sums of ``value [B * E]`` times ``rows`` to ``total [B, width, C]``."""
        samples, width, _ = total.shape
        value = value.reshape(samples, -1).index_select(1, self.order).flatten()
        column = _repeated(self.column, samples, width)
        total.flatten(0, 1).index_add_(0, column, self.entries.times(samples).sums(rows, value))


def _sorted(key: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers in order, equal ones as they stand: short integers, of which torch counts 2^15 or more, not compares."""
    short = key.int() if key.numel() and int(key.max()) < 2**31 - 1 else key
    padding = max(0, 2**15 - len(key)) if len(key) > 2**12 else 0
    value, order = torch.sort(F.pad(short, (0, padding), value=torch.iinfo(short.dtype).max), stable=True)
    return value[: len(key)].long(), order[: len(key)]


def tap_entries(index: Tensor, support: Tensor, width: int) -> tuple[Entries, Tensor, Tensor]:
    """The sums of each tap of each target over its neighbours ``index [N_t, K]`` in the ``support [N_t, P, K]``.

    Args:
        index: Neighbours.
        support: Which of them a tap meets.
        width: Number of sources.

    Returns:
        The entries, their places in ``index.flatten()`` and their taps ``[E]``.
    """
    taps, neighbors = support.shape[1:]
    place = support.flatten().nonzero().squeeze(1)
    row = place // neighbors
    target = row // taps
    pair = place - (row - target) * neighbors
    pointer = F.pad(torch.bincount(row, minlength=len(support) * taps).cumsum(0), (1, 0))
    return Entries(index.flatten().index_select(0, pair), pointer, width), pair, row - target * taps


def pair_entries(index: Tensor, width: int) -> Entries:
    """The sums of each target over all its neighbours ``index [N_t, K]``."""
    return Entries(index.flatten(), torch.arange(0, index.numel() + 1, index.shape[1]), width)


def suits(x: Tensor) -> bool:
    """Whether these products serve ``x``: eager, on a CPU, in single or double precision."""
    plain = not (torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active())
    return plain and x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)


def _repeated(index: Tensor, samples: int, width: int) -> Tensor:
    """An index into each of several samples of ``width`` rows, one after another."""
    if samples == 1:
        return index
    return (index + width * torch.arange(samples).unsqueeze(1)).flatten()
