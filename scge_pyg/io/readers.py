"""`read`: any file or object of the field as `Signals`, by the format that knows it."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from scge_pyg.io.formats import (
    anndata_tables,
    contacts,
    counts,
    hdf5,
    matlab,
    mne_recordings,
    netcdf,
    numpy_files,
    pandas_frames,
    raw_binary,
    spike_recordings,
    wav,
    xarray_arrays,
)
from scge_pyg.io.libraries import suffix
from scge_pyg.io.signals import Signals

__all__ = ["SUFFIXES", "format_of", "read"]

_FORMATS: tuple[ModuleType, ...] = (
    numpy_files,
    raw_binary,
    matlab,
    wav,
    netcdf,
    hdf5,
    counts,
    contacts,
    xarray_arrays,
    pandas_frames,
    mne_recordings,
    anndata_tables,
    spike_recordings,
)

SUFFIXES = tuple(sorted({ending for form in _FORMATS for ending in form.SUFFIXES}))
_BY_OPTION: dict[str, ModuleType] = {"raw": raw_binary, "kind": counts}


def format_of(source: Any) -> ModuleType | None:
    """The module that reads ``source``; None where no format knows it."""
    return next((form for form in _FORMATS if form.matches(source)), None)


def read(source: Any, **options: Any) -> Signals:
    """Read samples, their nodes' names, their rate and which nodes are dead from an object or a file.

    The format is found by the class of the object or the suffix of the file, and its library is imported then. What
    can be read in blocks stays where it is.

    Args:
        source: An object of mne, SpikeInterface, anndata, xarray or pandas, or the path of a file.
        options: What the format takes beside: ``raw="int16", channels=64, rate=30000`` for a file of bare numbers,
            ``kind="counts"`` for a table of triplets, ``key=`` for one of several arrays, ``node_dims=("lat", "lon")``
            for a field; the modules of :mod:`scge_pyg.io.formats` say what each means.

    Raises:
        TypeError: If no format knows the object, or the format doesn't take an option.
        ValueError: If the content is not what the format says.
        FileNotFoundError: If there is no such file.
        ImportError: If a library is missing; the message names the extra.

    Example:
        >>> import pandas
        >>> read(pandas.DataFrame({"a": [1.0, 2.0], "b": [3.0, 5.0]}))
        Signals(samples=[2, 2])
    """
    is_path = isinstance(source, str | os.PathLike)
    said = next((form for option, form in _BY_OPTION.items() if option in options), None) if is_path else None
    form = said or format_of(source)
    if form is None:
        what = f"the suffix {suffix(source)!r} of {source}" if is_path else f"an object of {type(source).__name__}"
        raise TypeError(
            f"read: no format knows {what}; known are files with {', '.join(SUFFIXES)}, and "
            f"objects of pandas, xarray, mne, anndata and SpikeInterface; bare numbers need raw='int16' and channels="
        )
    taken = list(inspect.signature(form.read).parameters)[1:]
    if foreign := [name for name in options if name not in taken]:
        raise TypeError(
            f"read: {form.NAME} takes no {foreign[0]}; it takes {', '.join(taken) if taken else 'no options'}"
        )
    if is_path and not Path(os.fspath(source).partition("::")[0]).exists():
        raise FileNotFoundError(f"read: {source} does not exist")
    if not is_path:
        return _made(form.read(source, **options))
    try:
        return _made(form.read(Path(source), **options))
    except ImportError:
        raise
    except Exception as error:  # libraries raise what they like on a damaged file
        if isinstance(error, ValueError) and str(error).startswith("read: "):
            raise
        raise ValueError(f"read: {source} can't be read as {form.NAME} ({type(error).__name__}: {error})") from error


def _made(signals: Any) -> Signals:
    assert isinstance(signals, Signals)
    return signals
