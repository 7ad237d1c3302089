"""METR-LA: a week of speeds at 207 loop detectors on the highways of Los Angeles."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from scge_pyg.datasets.packed import packed
from scge_pyg.datasets.recorded import RecordedNodes
from scge_pyg.io import read_layout

__all__ = ["METRLANodes"]

_SPEEDS, _ROADS, _PLACES = "los_speed.csv", "los_adj.csv", "graph_sensor_locations.csv"


class METRLANodes(RecordedNodes):
    """A week of METR-LA (Jagadish et al., 2014; Li et al., 2018): 2,016 steps of 5 minutes, 207 nodes, miles an hour.

    T-GCN's authors interpolated the missing values of this file, which has no zeros. ``names`` are the detectors'
    numbers, ``pos`` their places in metres, and ``edge_index`` the road graph of T-GCN without its loops. Arguments are
    those of :class:`RecordedNodes`.
    """

    name = "metr_la"
    url = "https://raw.githubusercontent.com/lehaifeng/T-GCN/8427128f04157e6fd0b239a8734a468d923cd0c9/data/"
    checksums: ClassVar = {
        _SPEEDS: "844f1a9e1c51d353f450bdd8f97f8fa9",
        _ROADS: "bb9c48421fded7407ea6f2cf98170562",
        _PLACES: "ecf7246e5aaddd5d971ef5886b9a8ae4",
    }

    @property
    def public_files(self) -> list[str]:
        """Speeds, road graph and places."""
        return [_SPEEDS, _ROADS, _PLACES]

    def url_of(self, name: str) -> str:
        """Places come from DCRNN's repository, the rest from T-GCN's."""
        places = "https://raw.githubusercontent.com/liyaguang/DCRNN/master/data/sensor_graph/"
        return (places if name == _PLACES else self.url) + name

    def read(self) -> dict[str, Tensor]:
        """Speeds ``x``, ``names``, places ``pos`` and ``edge_index``."""
        speeds, roads, places = map(Path, self.raw_paths)
        try:
            with speeds.open(newline="") as file:
                names = next(csv.reader(file))
                x = np.loadtxt(file, np.float32, delimiter=",", ndmin=2)
            linked = np.loadtxt(roads, delimiter=",", ndmin=2) > 0
            pos = read_layout(places).places_of(names)
        except (ValueError, StopIteration) as error:
            raise ValueError(f"METRLANodes: a file in {speeds.parent} is damaged ({error})") from error
        if x.shape[1] != len(names) or linked.shape != (len(names),) * 2 or np.isnan(pos).any():
            raise ValueError(
                f"METRLANodes: {speeds.parent} holds {len(names)} detectors, speeds {list(x.shape)}, a graph "
                f"{list(linked.shape)} and {int((~np.isnan(pos)).all(1).sum())} places; they don't belong together"
            )
        linked = (linked | linked.T) & ~np.eye(len(names), dtype=bool)
        return {
            "x": torch.from_numpy(x),
            "names": packed(names),
            "pos": torch.from_numpy(pos).float(),
            "edge_index": torch.from_numpy(np.stack(linked.nonzero())),
        }
