"""Contacts of chromosomes: ``.cool`` and ``.mcool::/resolutions/N``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from scge_pyg.importing import import_extra
from scge_pyg.io.libraries import suffix
from scge_pyg.io.signals import Signals

__all__ = ["NAME", "SUFFIXES", "matches", "read"]

NAME = "contacts of a cooler"
SUFFIXES = (".cool", ".mcool")


def matches(source: Any) -> bool:
    """Whether ``source`` is a ``.cool`` or ``.mcool`` file, with or without a group behind ``::``."""
    return isinstance(source, str | Path) and suffix(str(source).partition("::")[0]) in SUFFIXES


def read(path: Path, region: str | None = None) -> Signals:
    """Raw counts between bins, sparse and symmetric; bins are called ``chr1:0-2000000``.

    Bins without contacts, and those that balancing masked, are dead.

    Args:
        path: The file, with ``::`` and the group of one resolution for an ``.mcool``.
        region: A chromosome to which contacts are limited. Default: all.

    Raises:
        ValueError: If the file holds no such matrix, or the resolution or chromosome has to be named.
    """
    h5py = import_extra("h5py", "readers", "reading .cool")
    name, _, group = str(path).partition("::")
    with h5py.File(name, "r") as file:
        group = group.strip("/")
        held = file.get(group) if group else file
        if held is None or "pixels" not in held:
            known = [f"::/resolutions/{size}" for size in sorted(map(int, file.get("resolutions", {})))]
            hint = f"choose one of its resolutions, {name}{' or '.join(known[:8])}" if known else "it holds no matrix"
            raise ValueError(f"read: {path} names no matrix of contacts; {hint}")
        chroms = [one.decode() if isinstance(one, bytes) else str(one) for one in held["chroms/name"][()]]
        chrom, start, end = (held[f"bins/{column}"][()] for column in ("chrom", "start", "end"))
        first, second, count = (held[f"pixels/{column}"][()] for column in ("bin1_id", "bin2_id", "count"))
        weight = held["bins/weight"][()] if "bins/weight" in held else np.ones(len(start))
        square = held.attrs.get("storage-mode", "symmetric-upper") == "square"
    upper = sp.csr_matrix((count, (first, second)), (len(start), len(start)))
    matrix = upper if square else upper + sp.triu(upper, 1).T
    kept = np.arange(len(start))
    if region is not None:
        if region not in chroms:
            raise ValueError(f"read: region must be one of {', '.join(chroms)}, got {region!r}")
        kept = np.flatnonzero(chrom == chroms.index(region))
        matrix = sp.csr_matrix(matrix)[kept][:, kept]
    names = tuple(f"{chroms[chrom[k]]}:{start[k]}-{end[k]}" for k in kept.tolist())
    dead = np.isnan(weight[kept]) | (np.asarray(abs(matrix).sum(1)).ravel() == 0)
    return Signals(sp.csr_matrix(matrix), names, dead=dead, kind="affinity")
