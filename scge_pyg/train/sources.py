"""Samples of a user's arrays and files, and which column is the target."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scge_pyg.io import Signals, read
from scge_pyg.transforms import ShuffleNodes

__all__ = ["Array", "Source", "as_classes", "read_source", "shuffled"]

Array = Tensor | NDArray[Any] | str | Path


@dataclass
class Source:
    """Samples and what belongs to them.

    Args:
        x: Samples ``[S, N, C]``; NaN where missing.
        y: Class of each sample ``[S]``, or None.
        classes: What class k was called.
        names: One name a node.
        test: The samples that the source itself tests with, if it says so.
    """

    x: Tensor
    y: Tensor | None = None
    classes: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    test: Source | None = None


def shuffled(source: Source, seed: int) -> Source:
    """The same samples with their nodes, and names with them, in the order of :class:`ShuffleNodes`.

    Example:
        >>> source = shuffled(Source(torch.tensor([[[1.0], [2.0], [3.0]]]), names=("1", "2", "3")), 0)
        >>> [int(name) for name in source.names] == source.x.flatten().tolist()
        True
    """
    shuffle = ShuffleNodes(seed)
    order = shuffle.permutation(source.x.shape[1]).tolist()
    names = None if source.names is None else tuple(source.names[node] for node in order)
    test = None if source.test is None else replace(source.test, x=shuffle(source.test.x), names=names)
    return replace(source, x=shuffle(source.x), names=names, test=test)


def read_source(x: Array, y: Array | None = None, target: str | int | None = None) -> Source:
    """Arrays, or files: ``.csv`` of one sample a line, ``.npz`` with ``x`` and ``y``, and what ``scge_pyg.io`` reads.

    Args:
        x: Samples ``[S, N]`` or ``[S, N, C]``; numbers become PyTorch's default type.
        y: Classes ``[S]``.
        target: Name or number of the column of ``x`` that holds the classes, instead of ``y``.

    Raises:
        ValueError: If shapes disagree, or a column that is no target holds text.
        TypeError: If ``x`` is something else.
    """
    if y is not None and target is not None:
        raise ValueError(f"NodesDataModule: y and target={target!r} both name the classes; leave one of them out")
    names: Sequence[str] | None = None
    labels: Any = y
    if isinstance(x, str | Path) and Path(x).suffix == ".csv":
        names, columns = _read_csv(Path(x))
        if target is not None:
            labels = columns.pop(place := _place(names, target))
            names = [*names[:place], *names[place + 1 :]]
        values: Any = np.stack([_numbers(name, column, x) for name, column in zip(names, columns, strict=True)], 1)
    else:
        signals = _values(x)
        values, names = (np.asarray(signals), signals.names) if isinstance(signals, Signals) else (signals, None)
        if target is not None:
            if values.ndim != 2:
                raise ValueError(f"NodesDataModule: target needs a table [S, N], got x {list(values.shape)}")
            place = _place(names or [str(number) for number in range(values.shape[1])], target)
            labels, values = values[:, place], np.delete(np.asarray(values), place, 1)
            names = None if names is None else [*names[:place], *names[place + 1 :]]
        if labels is None and isinstance(x, str | Path) and _holds(x, "y"):
            labels = x
    samples = values if isinstance(values, Tensor) else torch.from_numpy(np.array(values, np.float32))
    if samples.dim() not in (2, 3) or not samples.numel():
        raise ValueError(f"NodesDataModule: x must be [S, N] or [S, N, C] with values, got {list(samples.shape)}")
    samples = samples.unsqueeze(2) if samples.dim() == 2 else samples
    samples = samples.to(torch.get_default_dtype())
    found, classes = (None, None) if labels is None else as_classes(_labels(labels))
    if found is not None and len(found) != len(samples):
        raise ValueError(
            f"NodesDataModule: x and y must hold the same number of samples, got {len(samples)} and {len(found)}"
        )
    return Source(samples, found, classes, None if names is None else tuple(names))


def as_classes(labels: Any) -> tuple[Tensor, tuple[str, ...]]:
    """Classes ``[S]`` from 0 in sorted order, and what they were called; whole numbers from 0 stay as they are.

    Example:
        >>> as_classes(["b", "a", "b"])
        (tensor([1, 0, 1]), ('a', 'b'))
    """
    values = np.asarray(labels.numpy(force=True) if isinstance(labels, Tensor) else labels).squeeze()
    if values.ndim != 1:
        raise ValueError(f"NodesDataModule: y must be one class a sample [S], got {list(values.shape)}")
    text = values.dtype.kind in "US"
    empty = (values == "") if text else np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
    if empty.any():
        raise ValueError(
            f"NodesDataModule: {int(empty.sum())} of {len(values)} samples have no class (the first is sample "
            f"{int(np.flatnonzero(empty)[0])}); leave them out"
        )
    if text:
        try:
            values = values.astype(np.float64)
        except ValueError:
            called, place = np.unique(values, return_inverse=True)
            return torch.from_numpy(place).long(), tuple(map(str, called))
    called, place = np.unique(values, return_inverse=True)
    whole = bool((called == np.round(called)).all())
    if not whole:
        raise ValueError(
            f"NodesDataModule: y must hold classes, whole numbers or words, got {called[0]}, {called[-1]} and "
            f"{len(called) - 2} more; bin the values first"
        )
    if 0 <= called[0] and called[-1] < 2 * len(called):
        return torch.from_numpy(values.astype(np.int64)), tuple(map(str, range(int(called[-1]) + 1)))
    return torch.from_numpy(place).long(), tuple(str(int(value)) for value in called)


def _values(x: Any) -> Any:
    """An array as it is, and what ``scge_pyg.io`` knows as its signals."""
    if isinstance(x, str | Path):
        return read(x, **({"key": "x"} if _holds(x, "x") else {}))
    return x if isinstance(x, Tensor | np.ndarray) else np.asarray(x) if isinstance(x, list | tuple) else read(x)


def _labels(y: Any) -> Any:
    if not isinstance(y, str | Path):
        return y
    if Path(y).suffix not in (".npy", ".npz"):
        raise ValueError(f"NodesDataModule: y must be an array or a .npy or .npz file, got {y}; or give target=")
    if not Path(y).exists():
        raise FileNotFoundError(f"NodesDataModule: {y} does not exist")
    try:
        found = np.load(y, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found:
            key = "y" if "y" in found.files else found.files[0]
            return found[key]
    except Exception as error:  # numpy and zipfile raise what they like on a damaged file
        raise ValueError(f"NodesDataModule: y: {y} is not a readable file of numpy ({error})") from error


def _holds(path: str | Path, key: str) -> bool:
    """Whether a file is an archive with that array."""
    if Path(path).suffix != ".npz" or not Path(path).exists():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return f"{key}.npy" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False  # the reader says what is wrong


def _read_csv(path: Path) -> tuple[list[str], list[list[str]]]:
    """Names and columns of a file, whose first line names them unless it holds numbers alone."""
    if not path.exists():
        raise FileNotFoundError(f"NodesDataModule: {path} does not exist")
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row]
    if rows and all(map(_is_number, rows[0])):
        rows = [[str(number) for number in range(len(rows[0]))], *rows]
    if len(rows) < 2:
        raise ValueError(f"NodesDataModule: {path} must hold a line of names and samples below, got {len(rows)} lines")
    uneven = next((place for place, row in enumerate(rows, 1) if len(row) != len(rows[0])), None)
    if uneven is not None:
        raise ValueError(
            f"NodesDataModule: line {uneven} of {path} has {len(rows[uneven - 1])} cells and the first {len(rows[0])}"
        )
    return rows[0], [list(column) for column in zip(*rows[1:], strict=True)]


def _is_number(cell: str) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return True


def _numbers(name: str, column: list[str], source: object) -> NDArray[np.float32]:
    try:
        return np.array([float(cell) if cell.strip() else np.nan for cell in column], np.float32)
    except ValueError as error:
        raise ValueError(
            f"NodesDataModule: column {name!r} of {source} holds text ({error}); name it as target, or leave it out"
        ) from error


def _place(names: Sequence[str], target: str | int) -> int:
    if isinstance(target, int) and not isinstance(target, bool) and -len(names) <= target < len(names):
        return target % len(names)
    if target in names:
        return list(names).index(str(target))
    shown = ", ".join(map(str, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    raise ValueError(f"NodesDataModule: x has no column {target!r} for target; it has {shown}")
