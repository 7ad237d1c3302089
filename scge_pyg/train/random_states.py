"""The states of all random numbers, as tensors and plain numbers, so that a checkpoint loads without running code."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

from scge_pyg.nn.trained.selection import Choice

__all__ = ["chooser_states", "random_states", "restore_chooser_states", "restore_random_states"]


def random_states() -> dict[str, Any]:
    """States of torch (CPU and every CUDA device), numpy and Python.

    Example:
        >>> states = random_states()
        >>> drawn = random.random(), np.random.rand(), torch.rand(()).item()
        >>> restore_random_states(states)
        >>> drawn == (random.random(), np.random.rand(), torch.rand(()).item())
        True
    """
    version, words, gauss = random.getstate()
    kind, keys, place, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "numpy": (str(kind), torch.from_numpy(np.asarray(keys, np.int64)), int(place), int(has_gauss), float(cached)),
        "python": (version, torch.tensor(words, dtype=torch.int64), gauss),
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Go on with the random numbers where :func:`random_states` was taken."""
    torch.set_rng_state(states["torch"].cpu())
    if states["cuda"] and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
    kind, keys, place, has_gauss, cached = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), place, has_gauss, cached))  # noqa: NPY002
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words.tolist()), gauss))


def chooser_states(model: torch.nn.Module) -> dict[str, dict[str, torch.Tensor]]:
    """States of the generators by which layers on trained places break ties and draw, by module and device."""
    return {
        name: {str(device): generator.get_state() for device, generator in part._generators.items()}
        for name, part in model.named_modules()
        if isinstance(part, Choice) and part._generators
    }


def restore_chooser_states(model: torch.nn.Module, states: dict[str, dict[str, torch.Tensor]]) -> None:
    """Go on where :func:`chooser_states` was taken."""
    parts = dict(model.named_modules())
    for name, kept in states.items():
        part = parts.get(name)
        if isinstance(part, Choice):
            for device, state in kept.items():
                part._generator(torch.device(device)).set_state(state.cpu())
