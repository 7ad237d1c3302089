"""The models of the compression benchmark: how each is built from training images alone, and how it is trained."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scge_pyg import HebbianLoss, NodeEmbedding, SharedGraph, discover, lower_to_conv
from scge_pyg.models.autoencoders import (
    AutoEncoder,
    AutoEncoderFit,
    ConvAutoEncoder,
    LinearAutoEncoder,
    LocallyConnectedAutoEncoder,
    LocallyLinearAutoEncoder,
    MLPAutoEncoder,
    PCAAutoEncoder,
    SCGEAutoEncoder,
    SecondOrderAutoEncoder,
    TransformerAutoEncoder,
    VariationalAutoEncoder,
    fit_autoencoder,
)
from scge_pyg.nn import WiringSchedule

__all__ = ["MODELS", "Model", "build", "train"]

_SHAPE = (28, 28)
_BATCH, _RATE = 32, 3e-3
_MEMORY = 4_096  # signals that the teacher of learned places keeps
_BETA = {"vae": 1.0, "beta-vae": 4.0}


@dataclass(frozen=True)
class Model:
    """One row of the table.

    Attributes:
        what: Name in the table.
        shuffled: Whether it gets the shuffled pixels. The others are told the grid, or no order matters to them.
        rate: Largest learning rate.
    """

    what: str
    shuffled: bool = False
    rate: float = _RATE


MODELS = {
    "pca": Model("PCA"),
    "linear": Model("linear, by gradient", rate=1e-2),
    "mlp": Model("MLP", rate=1.5e-3),
    "mlp-bn": Model("MLP with batch normalisation"),
    "local": Model("locally connected, true grid: sparse, nothing shared"),
    "conv": Model("convolutional, true grid"),
    "conv-shuffled": Model("convolutional, shuffled pixels", shuffled=True),
    "scge": Model("SCGE, shuffled pixels: discovered lattice, lowered", shuffled=True),
    "scge-free": Model("SCGE, shuffled pixels: discovered coordinates, never snapped", shuffled=True),
    "scge-learned": Model("SCGE, shuffled pixels: places learned from a random start", shuffled=True),
    "scge-content": Model('SCGE, shuffled pixels: discovered coordinates, `content="dot"`', shuffled=True),
    "scge-random": Model("SCGE on random places: shared, geometry wrong", shuffled=True),
    "locally-linear": Model("locally linear, 16 maps", rate=3e-3),
    "second-order": Model("second order", rate=1.5e-3),
    "transformer": Model("Transformer on 4x4 patches, true grid", rate=2e-3),
    "vae-mlp": Model("VAE, MLP", rate=1.5e-3),
    "vae-conv": Model("VAE, convolutional, true grid"),
    "vae-scge": Model("VAE, SCGE, shuffled pixels: discovered lattice, lowered", shuffled=True),
    "beta-vae-mlp": Model("VAE with beta = 4, MLP", rate=1.5e-3),
    "beta-vae-conv": Model("VAE with beta = 4, convolutional, true grid"),
    "beta-vae-scge": Model("VAE with beta = 4, SCGE, shuffled pixels: discovered lattice, lowered", shuffled=True),
}


def build(name: str, x: Tensor, latent: int, seed: int) -> tuple[AutoEncoder, dict[str, Any]]:
    """An untrained model from images of its modality ``[S, N, 1]``, and what to note about it."""
    kind, _, base = name.rpartition("-")
    if kind in _BETA:
        model, note = build(base, x, latent, seed)
        return VariationalAutoEncoder(model, beta=_BETA[kind]), note
    nodes, start = x.shape[1], time.perf_counter()
    if name in ("scge", "scge-free", "scge-content"):
        graph = discover(x, snap=name == "scge")
        note = {"discover_seconds": round(time.perf_counter() - start, 1), "graph": repr(graph)}
        torch.manual_seed(seed)
        model = SCGEAutoEncoder(graph, 1, latent, content="dot" if name == "scge-content" else None)
        return _lowered(model) if graph.lattice is not None else model, note
    torch.manual_seed(seed)
    makers: dict[str, Callable[[], AutoEncoder]] = {
        "pca": lambda: PCAAutoEncoder(nodes, 1, latent),
        "linear": lambda: LinearAutoEncoder(nodes, 1, latent),
        "mlp": lambda: MLPAutoEncoder(nodes, 1, latent),
        "mlp-bn": lambda: MLPAutoEncoder(nodes, 1, latent, batch_norm=True),
        "local": lambda: LocallyConnectedAutoEncoder(SharedGraph.from_grid(_SHAPE), 1, latent),
        "conv": lambda: ConvAutoEncoder(_SHAPE, 1, latent),
        "conv-shuffled": lambda: ConvAutoEncoder(_SHAPE, 1, latent),
        "scge-learned": lambda: SCGEAutoEncoder(NodeEmbedding(nodes, 2, live=_varying(x), seed=seed), 1, latent),
        "scge-random": lambda: SCGEAutoEncoder(_random_places(nodes, seed), 1, latent),
        "locally-linear": lambda: LocallyLinearAutoEncoder(nodes, 1, latent),
        "second-order": lambda: SecondOrderAutoEncoder(nodes, 1, latent),
        "transformer": lambda: TransformerAutoEncoder(_SHAPE, 1, latent),
    }  # fmt: skip
    return makers[name](), {}


def _lowered(model: SCGEAutoEncoder) -> AutoEncoder:
    dense = lower_to_conv(model, strict=True)
    assert isinstance(dense, AutoEncoder)
    return dense


def _random_places(nodes: int, seed: int) -> SharedGraph:
    return SharedGraph.from_pos(NodeEmbedding(nodes, 2, seed=seed)().detach())


def _varying(x: Tensor) -> Tensor:
    return (x.amax(0) > x.amin(0)).any(1).cpu()


def train(name: str, model: AutoEncoder, x: Tensor, modality: Tensor, *, epochs: int, seed: int) -> AutoEncoderFit:
    """Train one model by the common recipe; learned places get their Hebbian teacher, on images of the modality."""
    if isinstance(model, PCAAutoEncoder):
        start = time.perf_counter()
        model.fit(x)
        return AutoEncoderFit([], time.perf_counter() - start, diverged=False)
    wiring = None
    if name == "scge-learned":
        assert isinstance(model, SCGEAutoEncoder)
        assert isinstance(model.nodes, NodeEmbedding)
        teacher = HebbianLoss(model.nodes, memory=_MEMORY, seed=seed)
        wiring = WiringSchedule(teacher, model, samples=modality, seed=seed)
    rate = MODELS[name].rate
    return fit_autoencoder(model, x, epochs=epochs, batch_size=_BATCH, lr=rate, seed=seed, wiring=wiring, progress=name)
