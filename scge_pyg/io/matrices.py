"""Matrices of counts or affinities in files: triplets, dense tables, and those of numpy and scipy."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import scipy.sparse as sp

from scge_pyg.io.signals import Signals

__all__ = ["read_matrix"]

_TRIPLET = 3
_Names = tuple[str, ...] | None
_Found = tuple[Any, _Names, _Names]


def read_matrix(path: Path, *, key: str | None = None, kind: str = "counts") -> Signals:
    """Read a matrix by the suffix of its file, with the names of its rows and columns if they have any.

    * ``.csv``, ``.tsv`` and ``.txt``, also with ``.gz``: three columns are row, column and value of each entry, whole
      numbers are counted from 0 and anything else is a name; other tables are dense, with or without names.
    * ``.mtx``, also with ``.gz``: Matrix Market.
    * ``.npz``: of :func:`scipy.sparse.save_npz`, or an archive of arrays. ``.npy``: one array.

    Args:
        path: The file.
        key: Name of the array in an archive.
        kind: ``"counts"``, or ``"affinity"`` where rows and columns are the same nodes; entries on one side of the
            diagonal then stand for both.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of no known kind, or no matrix.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist or is no file")
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    symmetric = kind == "affinity"
    readers: dict[str, Callable[[], _Found]] = {
        ".mtx": lambda: (sp.csr_matrix(scipy.io.mmread(path)), None, None),
        ".npz": lambda: (_of_archive(path, key), None, None),
        ".npy": lambda: (np.load(path, allow_pickle=False), None, None),
    }
    readers |= dict.fromkeys((".csv", ".tsv", ".txt"), lambda: _of_table(path, symmetric))
    if ending not in readers:
        raise ValueError(
            f"{path} has the unknown suffix '{path.suffix}'; expected .csv, .tsv, .txt, .mtx, .npz or .npy"
        )
    if key is not None and ending != ".npz":
        raise ValueError(f"--key applies to .npz input, {path} is a {ending}")
    try:
        values, rows, cols = readers[ending]()
    except Exception as error:  # numpy, scipy, csv and zlib raise what they like on a damaged file
        raise ValueError(f"{path} is not a readable matrix ({error})") from error
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"{path} must hold a matrix of two axes, got shape {list(values.shape)}")
    return Signals(values, rows, kind=kind, partners=cols)


def _of_archive(path: Path, key: str | None) -> Any:
    with np.load(path, allow_pickle=False) as archive:
        if {"format", "shape", "data"} <= set(archive.files):
            return sp.load_npz(path)
        if key is None and len(archive.files) != 1:
            raise ValueError(f"it holds {len(archive.files)} arrays ({', '.join(archive.files)}); choose with --key")
        if key is not None and key not in archive.files:
            raise ValueError(f"there is no array '{key}'; it holds {', '.join(archive.files)}")
        return archive[archive.files[0] if key is None else key]


def _of_table(path: Path, symmetric: bool) -> _Found:
    raw = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    text = raw.decode("utf-8-sig")
    head = text[: text.find("\n")]
    mark = next((mark for mark in ("\t", ",", ";") if mark in head), " ")
    lines = [line for line in csv.reader(io.StringIO(text), delimiter=mark, skipinitialspace=True) if any(line)]
    if not lines:
        raise ValueError("it is empty")
    width = len(lines[0])
    wrong = next((k for k, line in enumerate(lines, 1) if len(line) not in (width, width + (k > 1) * 1)), None)
    if wrong is not None:
        raise ValueError(f"line {wrong} has {len(lines[wrong - 1])} cells where the first has {width}")
    return _triplets(lines, symmetric) if width == _TRIPLET else _dense(lines)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _triplets(lines: list[list[str]], symmetric: bool) -> _Found:
    """Entries of a sparse matrix; of two that name the same place, the values add up."""
    body = lines if _number(lines[0][2]) is not None else lines[1:]
    if not body:
        raise ValueError("it has a header but no entries")
    try:
        value = np.array([float(line[2]) for line in body])
    except ValueError as error:
        raise ValueError(f"the third of three columns must be numbers ({error})") from error
    ends = [[line[axis].strip() for line in body] for axis in (0, 1)]
    numbered = all(cell.isdigit() for cell in (*ends[0], *ends[1]))
    if numbered:
        index = [np.array(list(map(int, end))) for end in ends]
        names: list[_Names] = [None, None]
        shape = [int(own.max()) + 1 for own in index]
    else:
        labels = [sorted(set(ends[0]) | set(ends[1]))] * 2 if symmetric else [sorted(set(end)) for end in ends]
        places = [{label: k for k, label in enumerate(own)} for own in labels]
        index = [np.array([place[cell] for cell in end]) for place, end in zip(places, ends, strict=True)]
        names = [tuple(own) for own in labels]
        shape = [len(own) for own in labels]
    shape = [max(shape)] * 2 if symmetric else shape
    matrix = sp.csr_matrix((value, (index[0], index[1])), tuple(shape))
    if symmetric and (not sp.tril(matrix, -1).nnz or not sp.triu(matrix, 1).nnz):
        matrix = sp.csr_matrix(matrix + matrix.T - sp.diags(matrix.diagonal()))
    return matrix, names[0], names[1]


def _dense(lines: list[list[str]]) -> _Found:
    """A table of numbers; a first line or a first column that isn't one holds names."""
    first = [_number(cell) for cell in lines[0]]
    counted = len(lines) > 1 and first[-len(lines[1]) :] == list(map(float, range(len(first))))
    headed = (
        not lines[0][0].strip() or any(cell is None for cell in first[1:]) or counted or len(lines[0]) < len(lines[-1])
    )
    body = lines[1:] if headed else lines
    if not body:
        raise ValueError("it has a header but no rows")
    named = any(_number(line[0]) is None for line in body) or (headed and lines[0][0].strip() == "")
    try:
        values = np.array([[float(cell) for cell in line[named:]] for line in body])
    except ValueError as error:
        raise ValueError(f"it must hold numbers beside the names of rows and columns ({error})") from error
    cols = tuple(lines[0][-values.shape[1] :]) if headed and not counted else None
    return values, tuple(line[0] for line in body) if named else None, cols
