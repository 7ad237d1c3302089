"""Recordings of the brain: objects of mne, and the files that mne reads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scge_pyg.importing import import_extra
from scge_pyg.io.edf_header import channels_of_one_rate
from scge_pyg.io.layouts.layout import Layout
from scge_pyg.io.libraries import is_of, suffix
from scge_pyg.io.signals import Signals, listed

__all__ = ["NAME", "SUFFIXES", "matches", "read"]

NAME = "a recording of mne"
SUFFIXES = (".edf", ".bdf", ".vhdr", ".set", ".fif")

_KINDS = ("eeg", "seeg", "ecog", "dbs", "mag", "grad", "hbo", "hbr", "fnirs_od", "fnirs_cw_amplitude", "csd", "ref_meg")
_OF_OTHERS = re.compile(
    r"[VH]?EOG|E[CK]G|EMG|RESP|SP?AO2|SPO2|GSR|EDA|TEMP|STATUS|TRIG|STI|EVENT|MARKER|LIGHT|PULSE", re.IGNORECASE
)
_UNITS = {107: "V", 112: "T", 201: "T/m", 6: "mol/l"}


def matches(source: Any) -> bool:
    """Whether ``source`` is a ``Raw`` or ``Epochs``, or a file of EDF, BDF, BrainVision, EEGLAB or FIF."""
    return is_of(source, "mne", "BaseRaw", "BaseEpochs") or suffix(source) in SUFFIXES


def read(source: Any, picks: str | Sequence[str] | None = None) -> Signals:
    """Channels as nodes, in SI units; bad channels are dead, spans that are annotated as bad are missing.

    Files are read whole, as mne reads EDF wrong off the borders of records otherwise. Of a file whose channels have
    several rates, those of the commonest are read, which mne would resample to the highest.

    Args:
        source: The object or the file. Epochs follow each other as they are.
        picks: Channels to take, a type such as ``"mag"`` or names. Default: the EEG channels, but for those whose name
            says that they are something else, as files of EDF and EEGLAB give all channels that type; or where there
            are none, those of the first type that there is of seeg, ecog, dbs, mag, grad and fNIRS.

    Raises:
        ValueError: If no channel is left, or chosen channels differ in their rates.
    """
    notes: list[str] = []
    if isinstance(source, Path):
        source = _opened(source, picks, notes)
    names: list[str] = list(source.ch_names)
    kinds: list[str] = source.get_channel_types()
    chosen = _chosen(names, kinds, picks)
    if len(chosen) < len(names):
        left = [
            f"{name} ({kind})" for k, (name, kind) in enumerate(zip(names, kinds, strict=True)) if k not in set(chosen)
        ]
        notes.append(f"left out {len(left)} channels: {listed(left)}; picks= chooses others")
    own = [source.info["chs"][k] for k in chosen]
    units = {_UNITS.get(int(channel["unit"])) for channel in own}
    kept = tuple(names[k] for k in chosen)
    bad = set(source.info["bads"])
    return Signals(
        _values(source, chosen),
        kept,
        float(source.info["sfreq"]),
        np.array([name in bad for name in kept]),
        units.pop() if len(units) == 1 else None,
        layout=_layout(source, kept, own),
        notes=tuple(notes),
    )


def _opened(path: Path, picks: str | Sequence[str] | None, notes: list[str]) -> Any:
    mne = import_extra("mne", "readers", f"reading {path.suffix} files")
    if path.name.removesuffix(".gz").endswith(("-epo.fif", "_epo.fif")):
        return mne.read_epochs(path, preload=True, verbose="WARNING")
    options: dict[str, Any] = {}
    if suffix(path) in (".edf", ".bdf"):
        named = None if picks is None or isinstance(picks, str) else list(picks)
        options["exclude"], told = channels_of_one_rate(path, named)
        notes += told
    try:
        return mne.io.read_raw(path, preload=True, verbose="WARNING", **options)
    except TypeError as error:  # a .set of several trials
        if suffix(path) != ".set":
            raise error
        return mne.read_epochs_eeglab(path, verbose="WARNING")


def _chosen(names: list[str], kinds: list[str], picks: str | Sequence[str] | None) -> list[int]:
    if picks is None:
        kind = next((kind for kind in _KINDS if kind in kinds), None)
        if kind is None:
            there = ", ".join(f"{count} {kind}" for kind, count in Counter(kinds).items())
            raise ValueError(f"read: no channel measures the brain ({there}); choose some with picks=, by type or name")
        own = [k for k, one in enumerate(kinds) if one == kind]
        named = [k for k in own if kind != "eeg" or _OF_OTHERS.match(names[k]) is None]
        return named or own
    if isinstance(picks, str) and picks in kinds:
        return [k for k, own in enumerate(kinds) if own == picks]
    wanted = [picks] if isinstance(picks, str) else list(picks)
    unknown = [name for name in wanted if name not in names]
    if unknown or not wanted:
        raise ValueError(
            f"read: picks names {listed(list(map(repr, unknown))) or 'no channels'}; the recording has "
            f"{listed(names)} of types {', '.join(sorted(set(kinds)))}"
        )
    return [names.index(name) for name in wanted]


def _values(source: Any, chosen: list[int]) -> np.ndarray:
    if is_of(source, "mne", "BaseEpochs"):
        epochs = source.get_data(picks=chosen, copy=False)  # [E, N, T]
        return np.asarray(epochs.transpose(0, 2, 1).reshape(-1, len(chosen)))
    if not source.preload:
        source = source.copy().load_data(verbose="WARNING")
    return np.asarray(source.get_data(picks=chosen, reject_by_annotation="NaN", verbose="WARNING").T)


def _layout(source: Any, names: tuple[str, ...], channels: list[Any]) -> Layout | None:
    """Places of the sensors in metres, and nasion and ears, where the recording has a montage."""
    places = np.array([channel["loc"][:3] for channel in channels], float)
    places[~np.isfinite(places).all(1) | (places == 0).all(1)] = np.nan
    if np.isnan(places).all():
        return None
    montage = source.get_montage()
    marks = {} if montage is None else montage.get_positions()
    known = {name: tuple(map(float, marks[name])) for name in ("nasion", "lpa", "rpa") if marks.get(name) is not None}
    return Layout(names, places, "m", landmarks=known)
