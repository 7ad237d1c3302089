"""Tables and labelled arrays of other packages as sources; none of those packages is imported."""

from __future__ import annotations

from typing import Any

import numpy as np

from scge_pyg.discovery.signals.source import Source

__all__ = ["from_array_like", "from_table", "is_array_like", "is_table"]

_LOOKED_AT = 1000  # rows


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
        raise TypeError(f"discover: {where} has columns that hold no numbers: {_not_numeric(x, names, dtypes, other)}")
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


def _not_numeric(x: Any, names: tuple[str, ...], dtypes: list[Any], other: list[int]) -> str:
    """Which columns hold no numbers, and what to do: convert them, spread a long table, or leave them out."""
    some = ", ".join(f"{names[place]!r} ({dtypes[place]})" for place in other[:5]) + (", ..." if len(other) > 5 else "")
    head = np.asarray(x[:_LOOKED_AT].to_numpy()).astype(object)
    dated = [getattr(dtype, "kind", "") in ("M", "m") for dtype in dtypes]
    text = [place for place in other if dated[place] or not all(map(_holds_number, head[:, place]))]
    pandas = hasattr(x, "select_dtypes")
    convert = "x.apply(pandas.to_numeric)" if pandas else "x.cast(polars.Float64)"
    if not text:
        return f"{some}; their cells do, convert them, {convert}{_long(x, head, other)}"
    listed = repr([x.columns[place] for place in text[:5]])[:-1] + (", ...]" if len(text) > 5 else "]")
    call = f"x.drop(columns={listed})" if pandas else f"x.drop({listed})"
    if len(text) < len(other):
        return f"{some}; leave out those of text, x = {call}, and convert the others, {convert}"
    call += ", or x.select_dtypes('number')" if pandas else ""
    return f"{some}; leave them out, {call}{_long(x, head, other)}"


def _long(x: Any, head: np.ndarray, other: list[int]) -> str:
    """What to do with a table of one reading a row: time, sensor and value."""
    kinds = [len(set(head[:, place].tolist())) for place in other]
    if len(x.columns) != 3 or len(other) == 3 or min(kinds) > len(head) / 2:
        return ""
    sensor = other[kinds.index(min(kinds))]
    value = next(place for place in (2, 1, 0) if place not in other)
    index = 3 - sensor - value
    names = [x.columns[place] for place in (index, sensor, value)]
    call = (
        "x.pivot(index={!r}, columns={!r}, values={!r})"
        if hasattr(x, "select_dtypes")
        else "x.pivot({1!r}, index={0!r}, values={2!r})"
    )
    return f"; if each row is one reading of one sensor, make sensors columns first, {call.format(*names)}"


def _holds_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return cell is None
    return True


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
