"""Peak memory: of a process, and of what one step allocates."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch

__all__ = ["peak_allocation", "peak_gigabytes"]

_TRIES = 5


def peak_gigabytes() -> float:
    """Peak resident memory of this process: python, torch, the samples and all."""
    status = Path("/proc/self/status")
    if status.exists():
        # not ru_maxrss, which on Linux a new process takes over from the one that started it
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024**2
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 ** (3 if sys.platform == "darwin" else 2)


def peak_allocation(step: Callable[[], None], device: torch.device) -> int:
    """Bytes that ``step`` allocates at its peak, beyond what was there before."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        step()
        return int(torch.cuda.max_memory_allocated(device) - before)
    return next((peak for _ in range(_TRIES) if (peak := _profiled(step)) > 0), 0)


def _profiled(step: Callable[[], None]) -> int:
    """The same on the CPU by torch's profiler, which now and then hands over no events."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    changes: list[tuple[int, int]] = []
    pending = list(profiler.profiler.kineto_results.experimental_event_tree())  # type: ignore[union-attr]
    while pending:
        event = pending.pop()
        pending.extend(event.children)
        if event.tag == torch._C._profiler._EventType.Allocation:
            changes.append((event.start_time_ns, event.extra_fields.alloc_size))
    total = peak = 0
    for _, size in sorted(changes):
        total += size
        peak = max(peak, total)
    return peak
