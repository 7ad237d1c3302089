"""Which channels of an EDF or BDF file share a rate, as its header says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from scge_pyg.io.signals import listed

__all__ = ["channels_of_one_rate", "rates"]

_ANNOTATIONS = ("EDF Annotations", "BDF Annotations")


def rates(path: Path) -> list[tuple[str, float]]:
    """Name and rate of each channel; those of annotations are left out.

    Raises:
        ValueError: If the header is none.
    """
    with path.open("rb") as file:
        head = file.read(256)
        count = int(head[252:256])
        seconds = float(head[244:252])
        signals = file.read(256 * count)
    if len(signals) < 256 * count or count < 1:
        raise ValueError("its header ends early")
    names = [signals[16 * k : 16 * k + 16].decode("latin-1").strip() for k in range(count)]
    sizes = [int(signals[216 * count + 8 * k : 216 * count + 8 * k + 8]) for k in range(count)]
    duration = seconds if seconds > 0 else 1.0  # of files that hold annotations alone
    return [(name, size / duration) for name, size in zip(names, sizes, strict=True) if name not in _ANNOTATIONS]


def channels_of_one_rate(path: Path, wanted: Sequence[str] | None = None) -> tuple[list[str], list[str]]:
    """Names of the channels to leave out so that the others share one rate, and what to say about it.

    Args:
        path: The file.
        wanted: Channels that are asked for. Default: those of the commonest rate, the highest of equally common ones.

    Raises:
        ValueError: If channels that are asked for differ in their rates.
    """
    channels = rates(path)
    if wanted is not None:
        own = {name: rate for name, rate in channels if name in set(wanted)}
        if len(set(own.values())) > 1:
            shown = listed([f"{name} at {rate:g} Hz" for name, rate in own.items()])
            raise ValueError(f"read: picks= names channels of different rates ({shown}); choose channels of one rate")
        return [name for name, _ in channels if name not in own], []
    counts = Counter(rate for _, rate in channels)
    if len(counts) < 2:
        return [], []
    kept = max(counts, key=lambda rate: (counts[rate], rate))
    left = [(name, rate) for name, rate in channels if rate != kept]
    shown = listed([f"{name} ({rate:g} Hz)" for name, rate in left])
    return [name for name, _ in left], [f"left out {len(left)} channels whose rate is not {kept:g} Hz: {shown}"]
