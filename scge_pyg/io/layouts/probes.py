"""Probes as probeinterface writes them: JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scge_pyg.io.layouts.layout import Layout

__all__ = ["probes_to_layout", "read_probe"]


def read_probe(path: Path) -> Layout:
    """All probes of a file of probeinterface, one below the other in its order.

    Contacts are called by their ids where they have some, by the channels that they are wired to where not, and else by
    their number. With several probes that share ids, each id gets the number of its probe in front.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    probes = found.get("probes") if isinstance(found, dict) else None
    if not isinstance(probes, list) or not probes or not all("contact_positions" in probe for probe in probes):
        raise ValueError(
            "it must hold 'probes' with 'contact_positions', as probeinterface.write_probeinterface writes"
        )
    return probes_to_layout(probes)


def probes_to_layout(probes: list[Mapping[str, Any]]) -> Layout:
    """One layout of probes as dictionaries (``probe.to_dict(array_as_list=True)``)."""
    dims, units = {int(probe.get("ndim", 2)) for probe in probes}, {probe.get("si_units", "um") for probe in probes}
    if len(dims) > 1 or len(units) > 1:
        raise ValueError(
            f"its probes differ in dimensions ({sorted(dims)}) or units ({sorted(map(str, units))}); give one at a time"
        )
    places = [np.asarray(probe["contact_positions"], float).reshape(-1, *dims) for probe in probes]
    sizes = list(map(len, places))
    wired = [_wired(probe, size) for probe, size in zip(probes, sizes, strict=True)]
    known = all(own is not None for own in wired)
    channel = np.concatenate([own for own in wired if own is not None]) if known else None
    names = [_names(probe, own, size) for probe, own, size in zip(probes, wired, sizes, strict=True)]
    every = [name for own in names for name in own]
    if len(set(every)) < len(every):
        every = [f"{number}:{name}" for number, own in enumerate(names) for name in own]
    group = [
        f"{number}:{shank}" if len(probes) > 1 else str(shank)
        for number, (probe, size) in enumerate(zip(probes, sizes, strict=True))
        for shank in _per_contact(probe, "shank_ids", size) or [""] * size
    ]
    several = len(set(group)) > 1
    return Layout(tuple(every), np.concatenate(places), units.pop(), tuple(group) if several else None, channel)


def _wired(probe: Mapping[str, Any], size: int) -> np.ndarray | None:
    """Channel of each contact, -1 where it is not connected."""
    own = _per_contact(probe, "device_channel_indices", size)
    return None if own is None else np.array(own, np.int64)


def _names(probe: Mapping[str, Any], wired: np.ndarray | None, size: int) -> list[str]:
    ids = _per_contact(probe, "contact_ids", size)
    if ids is not None and all(str(one) for one in ids):
        return list(map(str, ids))
    if wired is not None and (wired >= 0).all():
        return list(map(str, wired.tolist()))
    return list(map(str, range(size)))


def _per_contact(probe: Mapping[str, Any], key: str, size: int) -> list[Any] | None:
    values = probe.get(key)
    if values is None or not len(values):
        return None
    if len(values) != size:
        raise ValueError(f"{key} has {len(values)} entries for {size} contacts")
    return list(values)
