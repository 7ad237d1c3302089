"""Measurements in Parquet tables: rows are samples, columns are nodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from scge_pyg.tables.column_kinds import Values
from scge_pyg.tables.columns import LeftOut, Pick, check_times, choose
from scge_pyg.tables.header import NAMES
from scge_pyg.tables.measurements import Measurements, Table, rows_per_block, to_tensor
from scge_pyg.usage import UsageError, need

__all__ = ["read_parquet"]

_HEAD_ROWS = 1000


def read_parquet(path: Path, *, pick: Pick | None = None) -> Measurements:
    """A Parquet table, read in batches of rows; index columns that pandas adds are left out.

    Args:
        path: The file.
        pick: Which columns to take. Default: all but row numbers and times.

    Raises:
        UsageError: If the file is no table of numbers, or the columns don't fit.
    """
    need("pyarrow.parquet", extra="io", purpose="reading .parquet files")
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        names = tuple(file.schema_arrow.names)
        num_samples = file.metadata.num_rows
        if not names or not num_samples:
            raise UsageError(f"{path} is empty: {num_samples} rows, {len(names)} columns")
        head = [_values(column) for column in next(file.iter_batches(batch_size=_HEAD_ROWS)).columns]
    except (pyarrow.ArrowException, OSError) as error:
        raise UsageError(f"{path} is not a readable Parquet file ({error})") from error
    chosen = choose(names, len(names), head, pick or Pick(), path)
    step = rows_per_block(len(chosen.kept), 8)

    def batches(columns: list[str]) -> Iterator[Any]:
        # a file of its own per pass: ParquetFile keeps the state of its iterators
        yield from pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=step, columns=columns)

    def times(left: LeftOut) -> Iterator[str | float]:
        for batch in batches([names[left.column]]):
            yield from _values(batch.columns[0])

    for left in chosen.left_out:
        if left.why == "time":
            check_times(times(left), left, path)

    def read() -> Iterator[Tensor]:
        kept = [names[j] for j in chosen.kept]
        for batch in batches(kept):
            yield to_tensor(np.stack([_numbers(batch.column(name)) for name in kept], 1))

    return Measurements(
        read,
        len(chosen.kept),
        num_samples=num_samples,
        names=chosen.names,
        table=Table(NAMES, chosen.left_out, names),
    )


def _values(column: Any) -> Values:
    """Numbers where the column holds such, dates as ISO 8601, and all else as text."""
    import pyarrow

    kinds = pyarrow.types
    checks = (kinds.is_integer, kinds.is_floating, kinds.is_boolean, kinds.is_decimal)
    if any(check(column.type) for check in checks):
        return _numbers(column)
    if kinds.is_duration(column.type):
        return _numbers(column.cast(pyarrow.int64()))
    if kinds.is_temporal(column.type):
        return ["" if cell is None else cell for cell in column.cast(pyarrow.string()).to_pylist()]
    return [str(cell) for cell in column.to_pylist()]


def _numbers(column: Any) -> NDArray[np.float64]:
    import pyarrow

    narrow = column.cast(pyarrow.int8()) if pyarrow.types.is_boolean(column.type) else column
    numbers: NDArray[np.float64] = narrow.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers
