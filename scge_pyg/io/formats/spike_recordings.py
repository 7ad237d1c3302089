"""Recordings of SpikeInterface, whatever the acquisition system."""

from __future__ import annotations

from typing import Any

import numpy as np

from scge_pyg.io.layouts.layout import Layout
from scge_pyg.io.libraries import is_of
from scge_pyg.io.signals import Signals

__all__ = ["NAME", "SUFFIXES", "matches", "read"]

NAME = "a recording of SpikeInterface"
SUFFIXES = ()


class _Traces:
    """The segments of a recording, one after the other, read when they are asked for."""

    def __init__(self, recording: Any, scaled: bool) -> None:
        self.recording, self.options = recording, {"return_in_uV": True} if scaled else {}
        self.ends = np.cumsum([recording.get_num_samples(k) for k in range(recording.get_num_segments())])
        self.shape = (int(self.ends[-1]), recording.get_num_channels())
        self.dtype = np.dtype("float32") if scaled else recording.get_dtype()

    def __getitem__(self, rows: slice) -> np.ndarray:
        first, last, _ = rows.indices(self.shape[0])
        blocks = []
        for segment, end in enumerate(self.ends.tolist()):
            begin = end - self.recording.get_num_samples(segment)
            low, high = max(first, begin), min(last, end)
            if low < high:
                window = {"start_frame": low - begin, "end_frame": high - begin}
                blocks.append(self.recording.get_traces(segment, **window, **self.options))
        return np.concatenate(blocks) if blocks else np.zeros((0, self.shape[1]), self.dtype)


def matches(source: Any) -> bool:
    """Whether ``source`` is a recording."""
    return is_of(source, "spikeinterface", "BaseRecording")


def read(recording: Any, scaled: bool | None = None) -> Signals:
    """Channels as nodes by their ids, segments one after the other, with the places of the probe.

    Args:
        recording: The recording.
        scaled: Give microvolts instead of the numbers as stored. Default: where the recording knows its gains.
    """
    scaled = bool(recording.has_scaleable_traces()) if scaled is None else scaled
    names = tuple(map(str, recording.channel_ids))
    rate = float(recording.get_sampling_frequency())
    several = recording.get_num_segments() > 1
    notes = (f"{recording.get_num_segments()} segments, one after the other",) if several else ()
    samples = _Traces(recording, scaled)
    return Signals(samples, names, rate, unit="uV" if scaled else None, layout=_layout(recording, names), notes=notes)


def _layout(recording: Any, names: tuple[str, ...]) -> Layout | None:
    """Places of the contacts in the order of the channels, micrometres."""
    if not recording.has_probe():
        return None
    axes = "xyz" if recording.is_probe_3d() else "xy"  # it looks at x and y alone otherwise
    places = np.asarray(recording.get_channel_locations(axes=axes), float)
    group = tuple(map(str, recording.get_channel_groups()))
    return Layout(names, places, "um", group if len(set(group)) > 1 else None)
