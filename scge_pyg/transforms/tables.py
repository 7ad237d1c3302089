"""Tables with numeric and categorical columns as node sets."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.transforms import BaseTransform

__all__ = ["TableToNodes"]

_POLICIES = ("drop", "fill", "keep")


@dataclass(frozen=True)
class _Column:
    """A column as :meth:`TableToNodes.fit` saw it: its categories if it has any, and what fills gaps."""

    name: Any
    dtype: Any
    categories: Any
    fill: Any

    @property
    def nodes(self) -> list[str]:
        return [str(self.name)] if self.categories is None else [f"{self.name}={c}" for c in self.categories]


class TableToNodes(BaseTransform):
    """Columns of a pandas data frame become nodes: ``[S, N, 1]``.

    A numeric or boolean column is one node that holds its values as they are; a categorical one is a node for each
    category, 1 in the rows that hold it and 0 elsewhere. :meth:`fit` learns columns, categories and fillings from
    training rows. A table of numbers alone can go to ``discover`` as it is.

    Args:
        categorical: Columns that hold categories, beside those that pandas knows as such.
        missing: What to do with empty cells: ``"drop"`` leaves out their rows, as ``frame.dropna()`` does, ``"fill"``
            puts the mean of the training rows, or their most frequent category, into them, and ``"keep"`` gives NaN,
            which ``discover`` takes as missing but models don't. Default: an error.

    Attributes:
        names: Names of the nodes: columns, and ``column=category``.

    Raises:
        TypeError: If the table is no data frame, or a column holds neither numbers nor declared categories.
        ValueError: If cells are empty and ``missing`` doesn't say what then, or columns or categories are new.

    Example:
        >>> import pandas
        >>> frame = pandas.DataFrame({"age": [31, 47, 20], "city": ["Rome", "Oslo", "Rome"]})
        >>> convert = TableToNodes(categorical=["city"]).fit(frame)
        >>> convert.names
        ('age', 'city=Oslo', 'city=Rome')
        >>> convert(frame)[:, :, 0].tolist()
        [[31.0, 0.0, 1.0], [47.0, 1.0, 0.0], [20.0, 0.0, 1.0]]
        >>> convert.inverse(convert(frame)).equals(frame)
        True
    """

    def __init__(self, categorical: Sequence[Any] = (), missing: str | None = None) -> None:
        if isinstance(categorical, str):
            raise TypeError(
                f"TableToNodes: categorical must be a list of columns, got {categorical!r}; put it in a list"
            )
        if missing is not None and missing not in _POLICIES:
            raise ValueError(f"TableToNodes: missing must be one of {', '.join(map(repr, _POLICIES))}, got {missing!r}")
        self.categorical = tuple(categorical)
        self.missing = missing
        self.columns: tuple[_Column, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the nodes."""
        return tuple(name for column in self.columns for name in column.nodes)

    def fit(self, frame: Any) -> TableToNodes:
        """Learn columns, categories and fillings from training rows."""
        _check_frame(frame)
        if unknown := [name for name in self.categorical if name not in frame.columns]:
            raise ValueError(f"TableToNodes: categorical names columns that aren't there: {_listed(unknown)}")
        is_numeric = sys.modules["pandas"].api.types.is_numeric_dtype
        chosen = {name: name in self.categorical or hasattr(frame[name].dtype, "categories") for name in frame.columns}
        if text := [name for name in frame.columns if not chosen[name] and not is_numeric(frame[name].dtype)]:
            raise TypeError(
                f"TableToNodes: columns that hold no numbers: {_listed(text)}; if they hold categories, give "
                f"categorical={text[:5]!r}, otherwise convert them or leave them out, frame.drop(columns={text[:5]!r})"
            )
        self.columns = tuple(_fitted(frame[name], chosen[name]) for name in frame.columns)
        return self

    def forward(self, frame: Any) -> Tensor:
        """Values ``[S, N, 1]`` of the rows of a table."""
        _check_frame(frame)
        if not self.columns:
            raise ValueError("TableToNodes: columns aren't known yet; call fit(frame) with the training rows")
        known = [column.name for column in self.columns]
        if lacking := [name for name in known if name not in frame.columns]:
            raise ValueError(f"TableToNodes: columns that fit saw lack: {_listed(lacking)}")
        if new := [name for name in frame.columns if name not in known]:
            raise ValueError(f"TableToNodes: columns that fit didn't see: {_listed(new)}; drop them")
        empty = frame[known].isna()
        if bool(empty.any(axis=None)):
            frame = self._without_gaps(frame, empty)
        parts = [_values(frame[column.name], column, self.missing == "fill") for column in self.columns]
        return torch.from_numpy(np.concatenate(parts, 1)).float().unsqueeze(2)

    def _without_gaps(self, frame: Any, empty: Any) -> Any:
        """The table as the policy for missing values has it."""
        if self.missing is None:
            some = ", ".join(f"{name!r} ({count})" for name, count in empty.sum().items() if count)
            raise ValueError(
                f"TableToNodes: empty cells in columns {some}; say what to do with them: missing='drop' leaves out "
                "their rows, 'fill' takes the mean or the most frequent category, 'keep' gives NaN"
            )
        if self.missing == "drop":
            return frame[~empty.any(axis=1)]
        return frame

    def inverse(self, x: Tensor) -> Any:
        """The table of values ``[S, N, 1]``: numbers in the type of their column, the category of the largest value.

        Numbers have passed through float32. A category is missing where all its nodes are NaN.
        """
        if x.dim() != 3 or x.shape[1:] != (len(self.names), 1):
            raise ValueError(f"TableToNodes.inverse: x must be [S, {len(self.names)}, 1], got {list(x.shape)}")
        values = x[:, :, 0].double().cpu().numpy()
        starts = np.cumsum([len(column.nodes) for column in self.columns])[:-1]
        parts = np.split(values, starts, 1)
        frame = sys.modules["pandas"].DataFrame
        return frame({c.name: _restored(part, c) for c, part in zip(self.columns, parts, strict=True)})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.columns)} columns, missing={self.missing!r})"


def _check_frame(frame: Any) -> None:
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(frame, pandas.DataFrame):
        raise TypeError(
            f"TableToNodes: expected a pandas data frame, got {type(frame).__name__}; "
            "convert it, as by pandas.DataFrame(x) or x.to_pandas()"
        )
    if not frame.columns.is_unique:
        raise ValueError("TableToNodes: several columns have the same name; rename them")


def _fitted(column: Any, categorical: bool) -> _Column:
    mode = column.mode()
    if mode.empty:
        raise ValueError(f"TableToNodes: column {column.name!r} is empty; drop it")
    if categorical:
        categories = sys.modules["pandas"].Categorical(column).categories
        return _Column(column.name, column.dtype, categories, mode.iloc[0])
    return _Column(column.name, column.dtype, None, float(column.astype(float).mean()))


def _values(column: Any, known: _Column, fill: bool) -> np.ndarray:
    """Values ``[S, n]`` of a column: numbers, or one of its categories."""
    gap = column.isna().to_numpy()
    if known.categories is None:
        try:
            number = column.to_numpy(dtype=float, na_value=np.nan)
            return np.asarray(np.where(gap & fill, known.fill, number))[:, None]
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"TableToNodes: column {known.name!r} held numbers when it was fitted, but now {column.dtype} ({error})"
            ) from error
    code = known.categories.get_indexer(column)
    if (new := (code < 0) & ~gap).any():
        raise ValueError(
            f"TableToNodes: column {known.name!r} holds categories that fit didn't see: "
            f"{_listed(list(dict.fromkeys(column[new])))}; fit on rows that have them, or leave these rows out"
        )
    one = (code[:, None] == np.arange(len(known.categories))).astype(float)
    one[gap] = known.categories == known.fill if fill else np.nan
    return one


def _restored(values: np.ndarray, known: _Column) -> Any:
    """A column of values ``[S, n]``, in the type in which it was fitted where that has a place for gaps."""
    pandas = sys.modules["pandas"]
    if known.categories is None:
        column = pandas.Series(values[:, 0])
        if known.dtype.kind in "iub":
            column = column.round()
            if isinstance(known.dtype, np.dtype) and column.isna().any():
                return column
        return column.astype(known.dtype)
    score = np.where(np.isnan(values), -np.inf, values)
    code = np.where(np.isnan(values).all(1), -1, score.argmax(1))
    return pandas.Series(pandas.Categorical.from_codes(code, categories=known.categories)).astype(known.dtype)


def _listed(names: list[Any]) -> str:
    return ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
