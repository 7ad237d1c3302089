"""`trained_network`: the network of a run with its newest weights, without data or trainer."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor

from scge_pyg.nn import NodeEmbedding, lower_to_conv
from scge_pyg.train.building import DataSizes, build_model
from scge_pyg.train.graph_state import GRAPH, SIZES, graph_from_state
from scge_pyg.train.known import Known
from scge_pyg.train.run_folder import RunFolder

__all__ = ["DEFAULT_NAMES", "trained_network"]

DEFAULT_NAMES = {
    "classification": "SCGEClassifier",
    "autoencoding": "SCGEAutoEncoder",
    "forecasting": "SCGEForecaster",
}
"""The network of each task where none is named."""


def trained_network(folder: str | os.PathLike[str]) -> tuple[torch.nn.Module, DataSizes]:
    """The network of a run that ``scge fit`` made, with its newest weights, in evaluation mode.

    Args:
        folder: Of the run.

    Returns:
        The network, which takes samples as they came to :class:`NodesDataModule`, and the sizes of these data.

    Raises:
        ValueError: If the folder holds no such run, or no checkpoint that can be read.
    """
    run = RunFolder(folder)
    told = (run.config() or {}).get("model")
    if not isinstance(told, dict):
        raise ValueError(f"trained_network: {run.path} holds no configuration of a model; it is no run of scge fit")
    newest = run.newest()
    if newest is None or SIZES not in newest[1]:
        raise ValueError(f"trained_network: {run.checkpoints} holds no checkpoint that can be read; fit first")
    state: dict[str, Any] = newest[1]
    sizes = DataSizes(**state[SIZES])
    graph = graph_from_state(state[GRAPH]) if GRAPH in state else None
    name = told["name"] or DEFAULT_NAMES[(run.config() or {})["task"]]
    live = None if graph is None else graph.live
    table = None if told["places"] is None else NodeEmbedding(sizes.num_nodes, told["places"], live=live)
    network = build_model(name, told["options"], sizes, graph, table)
    if told["lowered"] == "always":
        network = lower_to_conv(network)
    weights = {key.removeprefix("model."): value for key, value in state["state_dict"].items() if "model." in key[:6]}
    network.load_state_dict(weights)
    known = Known.in_checkpoint(state)
    if known is not None and known.scale is not None:
        network = _Scaled(network, *known.scale)
    return network.eval(), sizes


class _Scaled(torch.nn.Module):
    """A network behind the scale that its data module took out."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: torch.nn.Module, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.network((x - self.mean) / self.deviation)
        return y
