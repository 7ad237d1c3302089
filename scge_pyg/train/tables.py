"""Samples and classes of a text table or a data frame, by the rules of ``scge discover``."""

from __future__ import annotations

import warnings
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scge_pyg.tables.columns import Pick
from scge_pyg.tables.text import read_column, read_csv
from scge_pyg.usage import UsageError

__all__ = ["is_table", "place_of", "read_frame", "read_table"]


def is_table(x: object) -> bool:
    """Whether it names a text table."""
    return isinstance(x, str | Path) and str(x).lower().endswith((".csv", ".csv.gz"))


def read_table(
    path: Path, pick: Pick, header: bool | None = None
) -> tuple[Tensor, tuple[str, ...] | None, list[str] | None]:
    """Values ``[S, N]`` and names of the columns that are nodes, and the cells of the target.

    Row numbers and times are left out, separators, decimal commas and missing values are told, as ``scge discover``
    does (:func:`scge_pyg.tables.text.read_csv`).

    Args:
        path: The file.
        pick: What is said of its columns.
        header: Whether the first line names them. Default: judged.

    Raises:
        ValueError: If it is no table of numbers, or the columns don't fit.
        FileNotFoundError: If there is no such file.

    Warns:
        UserWarning: What was left out.
    """
    if not path.exists():
        raise FileNotFoundError(f"NodesDataModule: {path} does not exist")
    try:
        found = read_csv(path, header=header, pick=pick)
        values = torch.cat(list(found.read()))
        assert found.table is not None
        named = found.table.header is not None
        left = [column for column in found.table.left_out if column.why == "target"]
        labels = read_column(path, left[0].column, header=named) if left else None
    except UsageError as error:
        raise ValueError(f"NodesDataModule: {_spelled(str(error))}") from error
    except OSError as error:
        raise ValueError(f"NodesDataModule: {path} can't be read: {error.strerror or error}") from error
    for note in replace(found.table, told=()).notes():
        warnings.warn(f"NodesDataModule: {path}: {_spelled(note)}", UserWarning, stacklevel=2)
    return values, found.names, labels


def read_frame(frame: Any, target: str | int | None) -> tuple[Any, NDArray[Any] | None]:
    """A data frame of pandas without its target, and the target."""
    if target is None:
        return frame, None
    names = list(frame.columns)
    place = names.index(target) if target in names else place_of([str(name) for name in names], target)
    others = [number for number in range(len(names)) if number != place]
    return frame.iloc[:, others], np.asarray(frame.iloc[:, place])


def place_of(names: list[str], target: str | int) -> int:
    """Number of the column that is named by name or number.

    Raises:
        ValueError: If there is none.
    """
    if str(target) in names and not isinstance(target, int):
        return names.index(str(target))
    try:
        number = int(target)
    except ValueError:
        number = len(names)
    if isinstance(target, bool) or not -len(names) <= number < len(names):
        near = get_close_matches(str(target), names, n=3)
        shown = ", ".join(near or names[:8]) + (f" and {len(names) - 8} more" if not near and len(names) > 8 else "")
        raise ValueError(
            f"NodesDataModule: x has no column {target!r} for target; {'close to it' if near else 'it has'}: {shown}"
        )
    return number % len(names)


def _spelled(message: str) -> str:
    """What the command calls an option, as the argument that it is here."""
    message = message.replace("leave it out with --drop ", "name it as target, or leave it out with drop=")
    return message.replace("--no-header", "header=False").replace("--drop", "drop").replace("--columns", "columns")
