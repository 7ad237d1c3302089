"""Measurements in text tables: rows are samples, columns are nodes."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from scge_pyg.tables.column_kinds import as_values, is_text, number
from scge_pyg.tables.columns import Pick, check_times, choose, text_columns
from scge_pyg.tables.header import NAMES, NUMERIC_IDS, what_first_line_is
from scge_pyg.tables.measurements import Measurements, Table, rows_per_block, to_tensor
from scge_pyg.usage import UsageError

__all__ = ["read_column", "read_csv"]

_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_HEAD_CELLS, _HEAD_ROWS = 1_000_000, 1000
_NOT_READABLE = (UnicodeDecodeError, csv.Error, EOFError, zlib.error)


def read_csv(path: Path, *, header: bool | None = None, pick: Pick | None = None) -> Measurements:
    """A text table with comma, semicolon or tab between the columns, read in blocks of lines.

    Between semicolons numbers may have a decimal comma.

    Args:
        path: The file, UTF-8, or such a file under gzip.
        header: Whether the first line names the columns. Default: judged by what stands below it.
        pick: Which columns to take. Default: all but row numbers and times.

    Raises:
        UsageError: If the file is no table of numbers, or the columns don't fit.
    """
    try:
        text = _Text(path, *_first_line(path))
        return _opened(text, header, pick or Pick())
    except _NOT_READABLE as error:
        raise UsageError(f"{path} is not a readable text table ({error})") from error


def read_column(path: Path, place: int, *, header: bool) -> list[str]:
    """The cells of one column of such a table as they stand, below its names if it has some."""
    return [cell.strip() for cell in _Text(path, *_first_line(path)).column(place, int(header))]


def _opened(text: _Text, header: bool | None, pick: Pick) -> Measurements:
    path, width = text.path, len(text.fields)
    shown = max(8, min(_HEAD_ROWS, _HEAD_CELLS // width))
    below = list(islice(text.lines(skip=1), shown))
    rows = text.split(below)
    commented = text.fields[0].lstrip().startswith("#")
    kind: str | None
    if header is None:
        quoted = text.quoted and not any('"' in line for _, line in below)
        kind = NAMES if commented else what_first_line_is(text.fields, rows, quoted=quoted)
    else:
        kind = (NAMES if any(map(is_text, text.fields)) else NUMERIC_IDS) if header else None
    names = None if kind is None else tuple(field.lstrip("#" if commented else "").strip() for field in text.fields)
    if kind is None:
        rows.insert(0, text.fields)
    elif not rows:
        raise UsageError(f"{path} has column names but no rows")
    chosen = choose(names, width, [as_values(column) for column in zip(*rows, strict=True)], pick, path)
    skip = 0 if names is None else 1
    for left in chosen.left_out:
        if left.why == "time":
            check_times(text.column(left.column, skip), left, path)
    step = rows_per_block(width, 16)

    def read() -> Iterator[Tensor]:
        lines = text.lines(skip)
        try:
            while block := list(islice(lines, step)):
                yield to_tensor(text.numbers(block, chosen.kept, names))
        except _NOT_READABLE as error:
            raise UsageError(f"{path} is not a readable text table ({error})") from error

    return Measurements(read, len(chosen.kept), names=chosen.names, table=Table(kind, chosen.left_out, names))


def _open(path: Path) -> TextIO:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _first_line(path: Path) -> tuple[list[str], str, bool, bool]:
    """Cells of the first line, what separates them, whether each stands in quotes, and whether commas are decimal."""
    with _open(path) as file:
        first = file.readline()
        cells = (file.readline().strip() or first.strip()).split(";")
    commas = [cell.strip() for cell in cells if "," in cell]
    decimal_comma = len(cells) > 1 and bool(commas) and all(map(_DECIMAL_COMMA.fullmatch, commas))
    delimiter = ";" if decimal_comma else max(",;\t", key=first.count)
    fields = next(csv.reader([first], delimiter=delimiter), [])
    if decimal_comma:
        fields = [field.replace(",", ".") if _DECIMAL_COMMA.fullmatch(field.strip()) else field for field in fields]
    if not fields:
        raise UsageError(f"{path} is empty: its first line holds no columns")
    return fields, delimiter, first.count('"') >= 2 * len(fields), decimal_comma


@dataclass(frozen=True)
class _Text:
    """A text table and what its first line shows."""

    path: Path
    fields: list[str]
    delimiter: str
    quoted: bool
    decimal_comma: bool

    def lines(self, skip: int) -> Iterator[tuple[int, str]]:
        """Lines that are not blank after the first ``skip``, with their numbers in the file."""
        with _open(self.path) as file:
            for count, line in enumerate(file, 1):
                if count > skip and line.strip():
                    yield count, line.replace(",", ".") if self.decimal_comma else line

    def split(self, block: Sequence[tuple[int, str]]) -> list[list[str]]:
        """The cells of lines; all must have as many as the first line."""
        rows = list(csv.reader((line for _, line in block), delimiter=self.delimiter))
        for (count, _), row in zip(block, rows, strict=False):
            if len(row) != len(self.fields):
                raise UsageError(
                    f"{self.path}, line {count}: {len(row)} columns, but the first line has {len(self.fields)}"
                )
        return rows

    def column(self, place: int, skip: int) -> Iterator[str]:
        """The cells of one column, empty where a line is too short."""
        for count, line in self.lines(skip):
            plain = '"' not in line
            cells = line.rstrip("\r\n").split(self.delimiter, place + 1) if plain else self.split([(count, line)])[0]
            yield cells[place] if place < len(cells) else ""

    def numbers(
        self, block: Sequence[tuple[int, str]], kept: Sequence[int], names: Sequence[str] | None
    ) -> NDArray[np.float64]:
        """Numbers ``[rows, kept]``, NaN where missing."""
        if all(line.count(self.delimiter) == len(self.fields) - 1 for _, line in block):
            lines = [line for _, line in block]
            try:
                return np.loadtxt(
                    lines, delimiter=self.delimiter, comments=None, quotechar='"', ndmin=2, usecols=tuple(kept)
                )
            except ValueError:
                pass
        # the careful way: missing values become NaN, and what is wrong is named
        rows = self.split(block)
        if text := [j for j in kept if any(is_text(row[j]) for row in rows)]:
            raise text_columns(text, names, self.path, every=len(text) == len(kept))
        return np.array([[number(row[j]) for j in kept] for row in rows])
