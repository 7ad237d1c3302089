"""What a model of parts makes of MNIST: use of prototypes, error at a number of bits, shuffled pixels."""

from __future__ import annotations

import math
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scge_pyg import discover
from scge_pyg.datasets import FashionMNISTNodes, MNISTNodes
from scge_pyg.models.cgae import CGAE, Code, most_alike, usage_entropy
from scge_pyg.models.cgae.density.code_length import CodeLength, quantize

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
STEPS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)  # of a linear code, in standard deviations of its prior
VALIDATION = 2000  # last training images


@cache
def _dataset(data: str, train: bool) -> MNISTNodes:
    kind, folder = {"mnist": (MNISTNodes, "mnist"), "fashion": (FashionMNISTNodes, "fashion_mnist")}[data]
    return kind(_CACHE / folder, train=train)


def images(data: str, train: bool) -> Tensor:
    """All images ``[S, 28, 28]``."""
    return _dataset(data, train).x.view(-1, 28, 28)


def labels_of(data: str, train: bool) -> Tensor:
    """Their classes."""
    return _dataset(data, train).y


def error(model: CGAE, x: Tensor, code: Code) -> float:
    """Mean summed squared error."""
    with torch.no_grad():
        return float((model.decode(code) - x).square().flatten(1).sum(1).mean())


def collapse(prototypes: int, naive: bool, seed: int, count: int, epochs: int, tested: int) -> dict[str, Any]:
    """Usage entropy over log K, likeness and explained variance on test images.

    The naive variant starts from noise around the mean pixel, is not looked after, and draws codes by the mean
    error of a pixel in place of the sum, as the note's sketch does.
    """
    x, test = images("mnist", True)[:count], images("mnist", False)[:tested]
    model = CGAE((28, 28), prototypes, 8, 7)
    if naive:
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            noise = torch.randn(model.decoder.weight.shape, generator=generator)
            model.decoder.weight.copy_(x.mean() + 0.01 * noise)
    heat = 784.0 if naive else 1.0
    fit = model.fit(x, epochs=epochs, seed=seed, upkeep=not naive, restart=not naive, temperature=heat)
    code = model.encode(test)
    total = float((test - x.mean(0)).square().flatten(1).sum(1).mean())
    return {
        "entropy": usage_entropy(code.k, prototypes) / math.log(prototypes),
        "alike": float(most_alike(model.decoder.weight.detach()).max()),
        "explained": 1 - error(model, test, code) / total,
        "revived": sum(fit.revived),
        "seconds": fit.seconds,
    }


def rate(
    data: str, seed: int, count: int, epochs: int, tested: int, options: dict[str, Any], sweeps: int
) -> dict[str, Any]:
    """Error against bits on test images; each step of the linear codes is one point, counted by training codes."""
    x, test = images(data, True)[:count], images(data, False)[:tested]
    held = images(data, True)[-VALIDATION:]
    model = CGAE((28, 28), num_parts=8, **options)
    fit = model.fit(x, epochs=epochs, seed=seed)
    start = time.perf_counter()
    codes = [model.encode(part, sweeps=sweeps) for part in (held, test)]
    seconds = time.perf_counter() - start
    points = []
    for step in STEPS if model.num_linear else (None,):
        rounded = codes if step is None else [quantize(code, step) for code in codes]
        length = CodeLength(model.decoder.canvas.place_shape, model.num_prototypes, step=step).fit(rounded[0])
        bits, held_bits = (float(length.bits(code).mean()) for code in (rounded[1], rounded[0]))
        points.append({"step": step, "bits": bits, "error": error(model, test, rounded[1]),
                       "held": [held_bits, error(model, held, rounded[0])]})  # fmt: skip
    return {"points": points, "unquantised": error(model, test, codes[1]), "fit_seconds": fit.seconds,
            "encode_seconds": seconds, "images": len(held) + len(test)}  # fmt: skip


def shuffled(seed: int, count: int, epochs: int, tested: int) -> dict[str, Any]:
    """Test error with pixels in true order, and shuffled with the geometry that is found in all training images."""
    x, test = images("mnist", True), images("mnist", False)[:tested]
    order = torch.randperm(784, generator=torch.Generator().manual_seed(seed))
    mixed, mixed_test = x.flatten(1)[:, order], test.flatten(1)[:, order]
    graph = discover(mixed)
    found: dict[str, Any] = {"lattice": None if graph.lattice is None else list(graph.lattice.shape)}
    for name, nodes, train, held in (("true", (28, 28), x, test), ("shuffled", graph, mixed, mixed_test)):
        model = CGAE(nodes, 20, 8, 7)
        model.fit(train[:count], epochs=epochs, seed=seed)
        found[name] = error(model, held, model.encode(held))
    return found
