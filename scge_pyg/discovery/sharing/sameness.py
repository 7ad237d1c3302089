"""What makes results the same to the bit: the machine before, and the graph itself afterwards."""

from __future__ import annotations

import hashlib

import torch

from scge_pyg.discovery.sharing.workers import Workers
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["digest", "machine"]


def machine(workers: Workers) -> dict[str, str | int]:
    """What rounding depends on, for workers to agree in."""
    if workers.size == 1:
        return {}
    return {
        "the version of torch": torch.__version__,
        "the instructions of the processor": torch.backends.cpu.get_cpu_capability(),
        "torch.get_num_threads()": torch.get_num_threads(),
    }


def digest(graph: SharedGraph) -> str:
    """SHA-256 of all that a graph holds but its figures."""
    tensors = [graph.pos, graph.edge_index, graph.edge_weight, graph.live, graph.confidence, graph.sign, graph.lag]
    tensors += [lattice.cell for lattice in graph.lattices]
    content = hashlib.sha256(repr([list(tensor.shape) for tensor in tensors]).encode())
    for tensor in tensors:
        content.update(tensor.contiguous().numpy().tobytes())
    return content.hexdigest()
