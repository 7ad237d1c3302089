"""Weekly cases of chickenpox in the counties of Hungary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from torch_geometric.utils import remove_self_loops, to_undirected

from scge_pyg.datasets.packed import packed
from scge_pyg.datasets.recorded import RecordedNodes

__all__ = ["ChickenpoxNodes"]

_FILE = "chickenpox.json"


class ChickenpoxNodes(RecordedNodes):
    """Chickenpox in Hungary (Rozemberczki et al., 2021): 521 weeks, 20 counties, standardised counts.

    ``names`` are the counties, ``edge_index`` joins those with a common border. Arguments are those of
    :class:`RecordedNodes`.
    """

    name = "timeseries"
    url = "https://raw.githubusercontent.com/benedekrozemberczki/pytorch_geometric_temporal/master/dataset/"
    checksums: ClassVar = {_FILE: "048e5cf791fa6cc0f7b05b6f4bf36ded"}

    @property
    def public_files(self) -> list[str]:
        """The one file."""
        return [_FILE]

    def read(self) -> dict[str, Tensor]:
        """Counts ``x``, ``names`` and ``edge_index``."""
        path = Path(self.raw_paths[0])
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            names = sorted(held["node_ids"], key=held["node_ids"].get)
            x, edges = torch.tensor(held["FX"]), torch.tensor(held["edges"])
            edge_index = remove_self_loops(to_undirected(edges.T.contiguous(), num_nodes=len(names)))[0]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"ChickenpoxNodes: {path} is damaged ({error})") from error
        if x.dim() != 2 or x.shape[1] != len(names):
            raise ValueError(f"ChickenpoxNodes: {path} holds {len(names)} counties, but counts {list(x.shape)}")
        return {"x": x, "names": packed(names), "edge_index": edge_index}
