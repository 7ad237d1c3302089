"""What a file of a `ModalityMixture` holds: components, limits, and the graph of each modality."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch

from scge_pyg.discovery.mixtures.factor_mixture import FactorMixture
from scge_pyg.discovery.mixtures.sorted_pile import SortedPile
from scge_pyg.graph.graph_file import pack, unpack
from scge_pyg.graph.shared_graph import SharedGraph
from scge_pyg.graph.tensor_file import read_tensors, write_tensors

__all__ = ["read_mixture", "write_mixture"]

_FORMAT = "scge_pyg.ModalityMixture"


def write_mixture(
    path: str | os.PathLike[str], piles: Sequence[SortedPile], graphs: Sequence[SharedGraph], header: dict[str, Any]
) -> None:
    """Write safetensors under a temporary name, then rename."""
    tensors: dict[str, torch.Tensor] = {}
    for number, pile in enumerate(piles):
        own = {**pile.mixture._asdict(), "modality": pile.modality, "limit": pile.limit}
        tensors |= {f"pile{number}.{name}": value for name, value in own.items()}
    headers = []
    for number, graph in enumerate(graphs):
        own, about = pack(graph)
        tensors |= {f"graph{number}.{name}": value for name, value in own.items()}
        headers.append(about)
    write_tensors(path, _FORMAT, tensors, header | {"piles": len(piles), "graphs": headers})


def read_mixture(path: str | os.PathLike[str]) -> tuple[list[SortedPile], list[SharedGraph], dict[str, Any]]:
    """What :func:`write_mixture` wrote; ``ValueError`` for a corrupt or foreign file."""
    tensors, header = read_tensors(path, _FORMAT, "a mixture written by ModalityMixture.save")
    try:
        piles = []
        for number in range(header["piles"]):
            own = _under(f"pile{number}.", tensors)
            piles.append(
                SortedPile(FactorMixture(*(own[name] for name in FactorMixture._fields)), own["modality"], own["limit"])
            )
        graphs = [
            SharedGraph(**unpack(_under(f"graph{number}.", tensors), about))
            for number, about in enumerate(header["graphs"])
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"load: {path} holds a damaged mixture ({error})") from error
    return piles, graphs, header


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
