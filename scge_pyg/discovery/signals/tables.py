"""Tables and labelled arrays of other packages as sources; none of those packages is imported."""

from __future__ import annotations

from typing import Any

import numpy as np

from scge_pyg.discovery.signals.source import Source

__all__ = ["from_array_like", "from_table", "is_array_like", "is_table"]


def is_table(x: Any) -> bool:
    """Whether ``x`` is a table with named columns, as of pandas or polars."""
    return hasattr(x, "to_numpy") and hasattr(x, "columns") and hasattr(x, "dtypes")


def is_array_like(x: Any) -> bool:
    """Whether ``x`` converts itself to an array, as those of xarray, h5py or JAX do."""
    return not isinstance(x, type) and not hasattr(x, "data_vars") and hasattr(x, "__array__")


def from_table(x: Any, where: str) -> Source:
    """Columns are nodes, rows are samples, empty cells are missing; the index of the rows is left out.

    Raises:
        TypeError: If columns hold no numbers.
    """
    names = tuple(map(_name, x.columns))
    dtypes = list(x.dtypes)
    other = [place for place, dtype in enumerate(dtypes) if not _numeric(dtype)]
    if other:
        some = ", ".join(f"{names[place]!r} ({dtypes[place]})" for place in other[:5])
        columns = [x.columns[place] for place in other]
        listed = repr(columns[:5])[:-1] + (", ...]" if len(columns) > 5 else "]")
        pandas = hasattr(x, "select_dtypes")
        call = f"x.drop(columns={listed}), or x.select_dtypes('number')" if pandas else f"x.drop({listed})"
        raise TypeError(
            f"discover: {where} has columns that hold no numbers: {some}{', ...' if len(other) > 5 else ''}; "
            f"leave them out, {call}"
        )
    plain = [getattr(dtype, "numpy_dtype", dtype) for dtype in dtypes]
    known = all(isinstance(dtype, np.dtype) for dtype in plain)
    precision = np.result_type(np.float32, *plain) if known else np.dtype(np.float64)

    def rows(first: int, last: int) -> np.ndarray:
        part = x[first:last]
        if hasattr(part, "select_dtypes"):
            return np.asarray(part.to_numpy(dtype=precision, na_value=np.nan))
        values = np.asarray(part.to_numpy())
        return values.astype(np.float64) if values.dtype.kind == "O" else values

    return Source((len(x), len(names)), rows, names)


def from_array_like(x: Any, where: str) -> Source:
    """The array that ``x`` converts itself to, block by block where it can be cut; names from its second coordinate.

    Raises:
        TypeError: If the conversion fails.
    """

    def convert(part: Any) -> np.ndarray:
        try:
            return np.asanyarray(part)
        except Exception as error:
            raise TypeError(
                f"discover: {where} can't be read as an array ({type(error).__name__}: {error}); convert the "
                f"{type(x).__name__} to a dense array on the CPU first"
            ) from error

    names = _names_of(x)
    shape: tuple[int, ...] = tuple(getattr(x, "shape", ()))
    if hasattr(x, "__getitem__") and len(shape) > 1:
        return Source(shape, lambda first, last: convert(x[first:last]), names)
    whole = convert(x)
    return Source(tuple(whole.shape), lambda first, last: whole[first:last], names)


def _names_of(x: Any) -> tuple[str, ...] | None:
    """Names of the columns of an Arrow table, or the coordinate of the second dimension of an xarray."""
    if hasattr(x, "column_names"):
        return tuple(map(_name, x.column_names))
    dims: tuple[Any, ...] = tuple(getattr(x, "dims", ()))
    coords = getattr(x, "coords", {})
    if len(dims) < 2 or dims[1] not in coords:
        return None
    return tuple(map(_name, np.asarray(coords[dims[1]]).tolist()))


def _name(label: Any) -> str:
    return "/".join(map(str, label)) if isinstance(label, tuple) else str(label)


def _numeric(dtype: Any) -> bool:
    """Whether a column of this dtype, of numpy, pandas or polars, holds real numbers or booleans."""
    kind = getattr(dtype, "kind", None)
    if isinstance(kind, str):
        return kind in "fiub"
    return str(dtype) == "Boolean" or bool(getattr(dtype, "is_numeric", lambda: False)())
