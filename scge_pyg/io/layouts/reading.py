"""Which file of a layout is read by what."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from scge_pyg.io.layouts.caps import read_elc, read_locs, read_sfp
from scge_pyg.io.layouts.layout import Layout
from scge_pyg.io.layouts.prb import read_prb
from scge_pyg.io.layouts.probes import read_probe
from scge_pyg.io.layouts.tables import read_table

__all__ = ["read_layout"]

_READERS: dict[str, Callable[[Path], Layout]] = {
    ".json": read_probe,
    ".prb": read_prb,
    ".loc": read_locs,
    ".locs": read_locs,
    ".eloc": read_locs,
    ".elc": read_elc,
    ".sfp": read_sfp,
    ".tsv": read_table,
    ".csv": read_table,
}


def read_layout(path: str | os.PathLike[str]) -> Layout:
    """Read the places of channels from a file, by its suffix.

    * ``.json`` of probeinterface, ``.prb`` (klusta, SpyKING CIRCUS), both in micrometres;
    * ``.locs``, ``.loc``, ``.eloc`` (EEGLAB), ``.elc`` (ASA), ``.sfp`` (BESA, EGI): +x is right, +y the nose, +z up;
    * ``electrodes.tsv`` of BIDS, with the unit of its ``coordsystem.json`` if that lies beside it;
    * ``.csv``: columns ``x``, ``y``, ``z``, or latitude and longitude, which become metres; and a column of names.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If its suffix is unknown or its content no layout.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(
            f"read_layout: {path} has the unknown suffix {path.suffix!r}; known are {', '.join(_READERS)}; a table of "
            f"name, x and y under .csv is always read"
        )
    try:
        return reader(path)
    except UnicodeDecodeError as error:
        raise ValueError(f"read_layout: {path} is no text file ({error})") from error
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"read_layout: {path}: {str(error).removeprefix('Layout: ')}") from error
