"""Seconds of forward and backward passes, measured by turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch
from tqdm import tqdm


def step_of(module: torch.nn.Module, shape: tuple[int, ...], device: torch.device) -> Callable[[], None]:
    """One forward and backward pass on random input with a random upstream gradient."""
    module = module.to(device)
    x = torch.randn(shape, device=device, requires_grad=True)
    upstream = torch.randn_like(module(x))

    def step() -> None:
        x.grad = None
        module.zero_grad()
        module(x).backward(upstream)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


def paired(steps: dict[str, Callable[[], None]], repeats: int, title: str) -> dict[str, list[float]]:
    """Seconds of each step, by turns."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in tqdm(range(repeats + 2), desc=title, leave=False):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if repeat >= 2:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(seconds: dict[str, list[float]], name: str, reference: str) -> float:
    """Median of paired ratios."""
    return median(a / b for a, b in zip(seconds[name], seconds[reference], strict=True))
