"""Reading samples: any accepted input becomes a stream of checked blocks ``[S, N, C]``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, HeteroData

from scge_pyg.discovery.signals.fields import from_field, is_of_a_field
from scge_pyg.discovery.signals.graphs import from_graphs
from scge_pyg.discovery.signals.numbered import Numbered
from scge_pyg.discovery.signals.numbers import as_floating
from scge_pyg.discovery.signals.source import Source
from scge_pyg.discovery.signals.tables import from_array_like, from_table, is_array_like, is_table
from scge_pyg.io.readers import format_of

__all__ = ["Block", "blocks", "check_finite"]

_BLOCK_BYTES = 2**27
_ACCEPTED = "a tensor, an array, a table"


class Block(NamedTuple):
    """Values ``[S, N, C]``, ``NaN`` where missing, names of nodes, what was left out, and the samples' numbers."""

    values: Tensor
    names: tuple[str, ...] | None
    notes: tuple[str, ...] = ()
    number: Tensor | None = None


def blocks(x: Any, *, missing_value: float | None = None) -> Iterator[Block]:
    """Blocks of samples from a tensor, an array, a table, or an iterable of batches.

    A batch is a tensor, an array or a table ``[S, N]`` or ``[S, N, C]``, a tuple or list whose first item is one, or
    PyG ``Data`` or ``Batch``; with ``node_id`` later blocks may have more nodes than those before. All batches may be
    :class:`~scge_pyg.discovery.signals.numbered.Numbered`, in any order. Tables are those of
    pandas and polars, arrays those of numpy (masked ones too), xarray and whatever converts itself by ``__array__``;
    :mod:`scge_pyg.io` knows further objects. The iterable is read once.

    Args:
        x: The samples.
        missing_value: What marks a missing value, besides ``NaN`` and masks.

    Raises:
        TypeError: If ``x``, one of its batches or a column is nothing of the kind, or ``missing_value`` no number.
        ValueError: If ranks are wrong, batches disagree in N, C, names or in having numbers, or values are infinite.

    Example:
        >>> import torch
        >>> x = [torch.zeros(2, 5), torch.ones(3, 5, dtype=torch.int)]
        >>> [tuple(block.values.shape) for block in blocks(x)]
        [(2, 5, 1), (3, 5, 1)]
    """
    if missing_value is not None and not hasattr(missing_value, "__float__"):
        raise TypeError(f"discover: missing_value must be a number or None, got {missing_value!r}")
    before: Source | None = None
    names: tuple[str, ...] | None = None
    count = 0
    counted: bool | None = None
    single = isinstance(x, Numbered) or _is_batch(x) or sp.issparse(x)
    for place, item in enumerate([x] if single else _items(x)):
        where = "x" if single else f"batch {place} of x"
        own = item if isinstance(item, Numbered) else None
        source = _source(item if own is None else own.values, where)
        _check_shape(source, before, where)
        _check_names(source.names, names, where)
        if counted not in (None, own is None):
            raise ValueError(
                f"discover: either all batches must be Numbered or none, {where} differs from those before"
            )
        before, names, counted = source, source.names or names, own is None
        number = None if own is None else own.numbers(source.shape[0])
        rows = max(1, _BLOCK_BYTES // (8 * max(1, math.prod(source.shape[1:]))))
        for first in range(0, max(1, source.shape[0]), rows):
            values = as_floating(source.rows(first, min(first + rows, source.shape[0])), missing_value)
            values = values.unsqueeze(-1) if values.dim() == 2 else values
            these = None if number is None else number[first : first + rows]
            check_finite(
                values, torch.arange(count, count + len(values)) if these is None else these, source.names, where
            )
            count += values.shape[0]
            yield Block(values, source.names, source.notes, these)
    if before is None:
        raise ValueError("discover: x holds no batch; an iterator that was read before is empty the second time")


def _is_batch(x: Any) -> bool:
    return isinstance(x, Tensor | np.ndarray | Batch) or is_table(x) or is_array_like(x) or is_of_a_field(x)


def _items(x: Any) -> Iterable[Any]:
    hint = ""
    if isinstance(x, str | bytes) or hasattr(x, "__fspath__"):
        known = not isinstance(x, bytes) and format_of(x) is not None
        hint = "; pass scge_pyg.io.read(x)" if known else "; read the file first, or run `scge discover FILE`"
    elif hasattr(x, "data_vars"):
        hint = f"; pass one of its variables, x[{next(iter(x.data_vars), 'name')!r}]"
    elif hasattr(x, "collect") and hasattr(x, "lazy"):
        hint = "; pass x.collect()"
    elif isinstance(x, HeteroData):
        hint = "; pass the batches of one node type, [data[node_type].x for data in ...]"
    elif isinstance(x, Data):
        hint = ", which is one sample; pass a list of them or a DataLoader"
    elif isinstance(x, dict):
        hint = "; pass one of its values, x[key]"
    elif isinstance(x, Iterable):
        return x
    elif hasattr(x, "__getitem__") and hasattr(x, "__len__"):
        hint = "; a map-style dataset is read through a DataLoader"
    raise TypeError(f"discover: x must be {_ACCEPTED} or an iterable of batches, got {type(x).__name__}{hint}")


def _source(item: Any, where: str) -> Source:
    if isinstance(item, tuple | list) and item and (_is_batch(item[0]) or isinstance(item[0], Data | HeteroData)):
        item = item[0]
    if sp.issparse(item):
        raise TypeError(f"discover: {where} is a sparse matrix; use x.toarray()")
    if isinstance(item, HeteroData):
        raise TypeError(f"discover: {where} has several types of nodes; pass the x of one, data[node_type].x")
    if isinstance(item, Data):
        return from_graphs(item, where)
    if isinstance(item, Tensor):
        if item.is_nested:
            raise TypeError(
                f"discover: {where} is a nested tensor; use torch.nested.to_padded_tensor(x, float('nan')) if samples "
                f"end early"
            )
        if item.layout != torch.strided:
            raise TypeError(f"discover: {where} is a sparse tensor; use x.to_dense()")
    if isinstance(item, Tensor | np.ndarray):
        return Source(tuple(item.shape), lambda first, last: item[first:last])
    if is_table(item):
        return from_table(item, where)
    if is_of_a_field(item):
        return from_field(item)
    if is_array_like(item):
        return from_array_like(item, where)
    hint = "; convert lists of numbers with torch.tensor(x)" if isinstance(item, tuple | list | int | float) else ""
    raise TypeError(
        f"discover: a batch must be {_ACCEPTED}, a tuple that starts with one, or a PyG Batch, "
        f"got {type(item).__name__}{hint}"
    )


def _check_shape(source: Source, before: Source | None, where: str) -> None:
    shape = list(source.shape)
    if len(shape) not in (2, 3):
        if len(shape) < 2:
            single = "samples one by one are stacked with torch.stack(list(x)) or numpy.stack(x)"
            hint = "one signal alone has no geometry" if where == "x" else single
        else:
            hint = "flatten images first, for instance with transforms.ImageToNodes"
        raise ValueError(f"discover: {where} must be [S, N] or [S, N, C], got {shape}; {hint}")
    if 0 in shape[1:] and not source.numbered:
        raise ValueError(f"discover: {where} must have at least one node and one channel, got {shape}")
    if before is None:
        return
    if source.numbered != before.numbered:
        raise ValueError(f"discover: either all batches must have node_id or none, {where} differs from those before")
    first = 2 if source.numbered else 1
    if source.shape[first:] != before.shape[first:]:
        raise ValueError(
            f"discover: all batches must share N and C, got {shape[1:]} after {list(before.shape[1:])}; where PyG "
            f"samples hold some of the nodes only, Data(x=x, node_id=node_id) says which"
        )


def _check_names(names: tuple[str, ...] | None, before: tuple[str, ...] | None, where: str) -> None:
    if names is not None and len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise ValueError(
            f"discover: {where} has {names.count(twice)} columns named {twice!r}, and each node needs a name of its "
            f"own; rename them, or do without names, discover({where}.to_numpy())"
        )
    if names is None or before is None or names == before:
        return
    if sorted(names) == sorted(before):
        place = next(place for place in range(len(names)) if names[place] != before[place])
        raise ValueError(
            f"discover: {where} has its nodes in another order than the batches before, {names[place]!r} where "
            f"{before[place]!r} was; reorder it, batch[first_batch.columns]"
        )
    new = [name for name in names if name not in set(before)]
    gone = [name for name in before if name not in set(names)]
    raise ValueError(
        f"discover: {where} has other nodes than the batches before: {', '.join(map(repr, new[:5]))} instead of "
        f"{', '.join(map(repr, gone[:5]))}; rename its columns or read it on its own"
    )


def check_finite(values: Tensor, number: Tensor, names: tuple[str, ...] | None, where: str) -> None:
    """Refuse infinite ``values [S, N, C]`` of the samples ``number [S]``, naming nodes and samples."""
    infinite = values.isinf().any(-1)
    if not infinite.any():
        return
    nodes, samples = infinite.any(0).nonzero().squeeze(1).tolist(), infinite.any(1).nonzero().squeeze(1).tolist()
    named = ", ".join(str(node) if names is None else names[node] for node in nodes[:5])
    numbered = ", ".join(str(int(number[sample])) for sample in samples[:5])
    raise ValueError(
        f"discover: {where} has infinite values at {len(nodes)} nodes ({named}{', ...' if len(nodes) > 5 else ''}) in "
        f"{len(samples)} samples ({numbered}{', ...' if len(samples) > 5 else ''}); if they are missing values, make "
        f"them NaN, for instance with numpy.where(numpy.isinf(x), numpy.nan, x)"
    )
