"""Samples of a user's arrays and files, and which column is the target."""

from __future__ import annotations

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
from scge_pyg.io.libraries import is_of
from scge_pyg.io.readers import SUFFIXES, format_of
from scge_pyg.tables.columns import Pick
from scge_pyg.train.labels import as_classes, read_labels
from scge_pyg.train.tables import is_table, place_of, read_frame, read_table
from scge_pyg.transforms import ShuffleNodes

__all__ = ["Array", "Source", "read_source", "shuffled"]

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


def read_source(
    x: Array,
    y: Array | None = None,
    target: str | int | None = None,
    *,
    columns: str | None = None,
    drop: str | None = None,
    header: bool | None = None,
) -> Source:
    """Arrays, or files: ``.csv`` of one sample a line, ``.npz`` with ``x`` and ``y``, and what ``scge_pyg.io`` reads.

    Args:
        x: Samples ``[S, N]`` or ``[S, N, C]``; numbers become PyTorch's default type.
        y: Classes ``[S]``.
        target: Name or number of the column of ``x`` that holds the classes, instead of ``y``.
        columns: Columns of a ``.csv`` to take.
        drop: Columns of a ``.csv`` to leave out.
        header: Whether the first line of a ``.csv`` names the columns. Default: judged.

    Raises:
        ValueError: If shapes disagree, or a column that is no target holds text.
        TypeError: If ``x`` is something else.
    """
    if y is not None and target is not None:
        raise ValueError(f"NodesDataModule: y and target={target!r} both name the classes; leave one of them out")
    labels: Any = y
    values: Any
    names: Sequence[str] | None
    if is_table(x):
        values, names, cells = read_table(Path(str(x)), Pick(columns, drop, target=target), header)
        labels = y if target is None else cells
    else:
        if any(option is not None for option in (columns, drop, header)):
            raise ValueError("NodesDataModule: columns, drop and header are about a .csv file, and x is none")
        values, names, labels = _values(x, y, target)
    samples = _samples(values)
    found, classes = (None, None) if labels is None else as_classes(read_labels(labels))
    if found is not None and len(found) != len(samples):
        raise ValueError(
            f"NodesDataModule: x and y must hold the same number of samples, got {len(samples)} and {len(found)}"
        )
    return Source(samples, found, classes, None if names is None else tuple(names))


def _values(x: Any, y: Any, target: str | int | None) -> tuple[Any, Sequence[str] | None, Any]:
    """Values, names and classes of what is no text table."""
    taken = None
    if is_of(x, "pandas", "DataFrame"):
        x, taken = read_frame(x, target)
    if isinstance(x, str | Path):
        if Path(x).exists() and (Path(x).is_dir() or format_of(x) is None):
            what = "a folder" if Path(x).is_dir() else f"of the unknown kind {Path(x).suffix!r}"
            raise ValueError(
                f"NodesDataModule: x: {x} is {what}; known are .csv, .csv.gz, {', '.join(SUFFIXES)}; save a sheet as "
                f".csv, one sample a line"
            )
        signals: Any = read(x, **({"key": "x"} if _holds(x, "x") else {}))
    else:
        plain = isinstance(x, Tensor | np.ndarray)
        signals = x if plain else np.asarray(x) if isinstance(x, list | tuple) else read(x)
    names: Sequence[str] | None = signals.names if isinstance(signals, Signals) else None
    values: Any = np.asarray(signals) if isinstance(signals, Signals) else signals
    if taken is not None:
        return values, names, taken
    if target is not None:
        if values.ndim != 2:
            raise ValueError(f"NodesDataModule: target needs a table [S, N], got x {list(values.shape)}")
        place = place_of(list(names or map(str, range(values.shape[1]))), target)
        names = None if names is None else [*names[:place], *names[place + 1 :]]
        return np.delete(np.asarray(values), place, 1), names, values[:, place]
    return values, names, x if y is None and isinstance(x, str | Path) and _holds(x, "y") else y


def _samples(values: Any) -> Tensor:
    """Samples ``[S, N, C]`` in PyTorch's default type."""
    samples = values if isinstance(values, Tensor) else torch.from_numpy(np.array(values, _as_floats(values)))
    if samples.dim() not in (2, 3) or not samples.numel():
        raise ValueError(f"NodesDataModule: x must be [S, N] or [S, N, C] with values, got {list(samples.shape)}")
    samples = samples.unsqueeze(2) if samples.dim() == 2 else samples
    cast = samples.to(torch.get_default_dtype())
    if samples.dtype == torch.float64 and bool((lost := torch.isinf(cast) & torch.isfinite(samples)).any()):
        raise ValueError(
            f"NodesDataModule: x holds {int(lost.sum())} values beyond the range of {str(cast.dtype)[6:]}, up to "
            f"{float(samples[lost].abs().max()):g}; scale them, or set them to NaN where they stand for nothing"
        )
    return cast


def _as_floats(values: Any) -> type:
    return np.float64 if np.asarray(values).dtype == np.float64 else np.float32


def _holds(path: str | Path, key: str) -> bool:
    """Whether a file is an archive with that array."""
    if Path(path).suffix != ".npz" or not Path(path).exists():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return f"{key}.npy" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False  # the reader says what is wrong
