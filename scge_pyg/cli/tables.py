"""Measurements in tables: rows are samples, columns are nodes."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from scge_pyg.cli.errors import UsageError, need
from scge_pyg.cli.measurements import Measurements, rows_per_block, to_tensor

__all__ = ["read_csv", "read_parquet"]


def read_csv(path: Path, *, header: bool | None = None) -> Measurements:
    """A text table with comma, semicolon or tab between the columns, read in blocks of lines.

    Args:
        path: The file, UTF-8.
        header: Whether the first line names the columns. Default: it does if any of its fields is not a number.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            delimiter = max(",;\t", key=first.count)
            fields = next(csv.reader([first], delimiter=delimiter), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} is not a readable text table ({error})") from error
    if not fields:
        raise UsageError(f"{path} is empty: its first line holds no columns")
    if header is None:
        header = any(np.isnan(_number(field)) and field.strip().lower() != "nan" for field in fields)
    names = tuple(field.strip() for field in fields) if header else None
    step = rows_per_block(len(fields), 16)

    def read() -> Iterator[Tensor]:
        with path.open(encoding="utf-8-sig", newline="") as file:
            numbered = enumerate(file, 1)
            if header:
                next(numbered)
            lines = ((number, line) for number, line in numbered if line.strip())
            try:
                while block := list(islice(lines, step)):
                    yield to_tensor(_parse(block, names, len(fields), delimiter, path))
            except (UnicodeDecodeError, csv.Error) as error:
                raise UsageError(f"{path} is not a readable text table ({error})") from error

    blocks = read()
    if next(blocks, None) is None:
        raise UsageError(f"{path} has column names but no rows")
    return Measurements(read, len(fields), names=names)


def _parse(
    block: list[tuple[int, str]], names: Sequence[str] | None, width: int, delimiter: str, path: Path
) -> NDArray[np.float64]:
    try:
        values = np.loadtxt([line for _, line in block], delimiter=delimiter, comments=None, quotechar='"', ndmin=2)
        if values.shape[1] == width:
            return values
    except ValueError:
        pass
    # the careful way: missing values become NaN, and what is wrong is named
    rows = list(csv.reader((line for _, line in block), delimiter=delimiter))
    for (number, _), row in zip(block, rows, strict=False):
        if len(row) != width:
            raise UsageError(f"{path}, line {number}: {len(row)} columns, but the first line has {width}")
    text = [j for j in range(width) if any(_is_text(row[j]) for row in rows)]
    if text:
        raise _text_columns([repr(names[j]) if names else f"number {j + 1}" for j in text], path)
    return np.array([[_number(field) for field in row] for row in rows])


def _is_text(field: str) -> bool:
    return field.strip().lower() not in ("", "nan", "na", "null") and np.isnan(_number(field))


def _number(field: str) -> float:
    try:
        return float(field)
    except ValueError:
        return float("nan")


def _text_columns(names: Sequence[str], path: Path) -> UsageError:
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return UsageError(f"{path}: columns are nodes and must hold numbers; text in column {shown}; remove it first")


def read_parquet(path: Path) -> Measurements:
    """A Parquet table, read in batches of rows; index columns that pandas adds are left out."""
    need("pyarrow.parquet", extra="io", purpose="reading .parquet files")
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise UsageError(f"{path} is not a readable Parquet file ({error})") from error
    fields = [field for field in file.schema_arrow if not field.name.startswith("__index_level_")]
    kinds = pyarrow.types
    checks = (kinds.is_integer, kinds.is_floating, kinds.is_boolean, kinds.is_decimal)
    other = [f"'{field.name}' ({field.type})" for field in fields if not any(check(field.type) for check in checks)]
    if other:
        raise _text_columns(other, path)
    num_samples = file.metadata.num_rows
    if not fields or not num_samples:
        raise UsageError(f"{path} is empty: {num_samples} rows, {len(fields)} columns")
    names = tuple(field.name for field in fields)
    step = rows_per_block(len(names), 8)

    def columns(batch: Any) -> Iterator[NDArray[np.float64]]:
        for column in batch.columns:
            values = column.cast(pyarrow.float64()) if not kinds.is_boolean(column.type) else column.cast("int8")
            yield values.to_numpy(zero_copy_only=False).astype(np.float64)

    def read() -> Iterator[Tensor]:
        # a file of its own per pass: ParquetFile keeps the state of its iterators
        batches = pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=step, columns=list(names))
        for batch in batches:
            yield to_tensor(np.stack(list(columns(batch)), 1))

    return Measurements(read, len(names), num_samples=num_samples, names=names)
