"""Peak resident memory of a process."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["peak_gigabytes"]


def peak_gigabytes() -> float:
    """Peak resident memory of this process: python, torch, the samples and all."""
    status = Path("/proc/self/status")
    if status.exists():
        # not ru_maxrss, which on Linux a new process takes over from the one that started it
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024**2
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 ** (3 if sys.platform == "darwin" else 2)
