"""Electrode caps: ``.locs`` of EEGLAB, ``.elc`` of ASA, ``.sfp`` of BESA and EGI."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from scge_pyg.io.layouts.layout import Layout

__all__ = ["read_elc", "read_locs", "read_sfp"]

_LANDMARKS = {
    "nz": "nasion",
    "fidnz": "nasion",
    "nasion": "nasion",
    "lpa": "lpa",
    "fidt9": "lpa",
    "rpa": "rpa",
    "fidt10": "rpa",
}


def read_locs(path: Path) -> Layout:
    """Polar coordinates of EEGLAB, on a sphere of radius 1.

    Each line has a number, the angle from the nose in degrees, clockwise, the arc from the vertex over 180 degrees, and
    a name.
    """
    names, polar = [], []
    for number, line in _lines(path):
        cells = line.split()
        if len(cells) < 4:
            raise ValueError(f"line {number} must be number, angle, radius and name, got {line!r}")
        polar.append(_numbers(cells[1:3], number))
        names.append(cells[3])
    angle, arc = np.deg2rad(np.array(polar).reshape(-1, 2) * [1, 180]).T
    places = np.stack([np.sin(arc) * np.sin(angle), np.sin(arc) * np.cos(angle), np.cos(arc)], 1)
    return _layout(names, places, None)


def read_elc(path: Path) -> Layout:
    """Cartesian coordinates of ASA, names in front of them or in a list of their own at the end."""
    unit, section = None, ""
    names: list[str] = []
    labels: list[str] = []
    places: list[list[float]] = []
    for number, line in _lines(path):
        word = line.split()[0].lower()
        if word.startswith("unitposition"):
            unit = line.split()[1].lower()
        elif word in ("positions", "labels", "headshapepoints") or word.startswith("number"):
            section = word
        elif section == "positions":
            name, colon, rest = line.rpartition(":")
            names += [name.strip()] if colon else []
            places.append(_numbers((rest if colon else line).split()[:3], number))
        elif section == "labels":
            labels.append(line)
    if not names:
        names = [name for line in labels for name in line.split("\t")]
        names = names if len(names) >= len(places) else " ".join(labels).split()
    return _layout([name.strip() for name in names], np.array(places).reshape(-1, 3), unit)


def read_sfp(path: Path) -> Layout:
    """Cartesian coordinates, a name and three numbers a line, in a unit that the file doesn't state."""
    names, places = [], []
    for number, line in _lines(path):
        name, *cells = line.split("\t") if line.count("\t") >= 3 else re.split(r"\s+", line)
        names.append(name.strip())
        places.append(_numbers(cells[:3], number))
    return _layout(names, np.array(places).reshape(-1, 3), None)


def _lines(path: Path) -> list[tuple[int, str]]:
    text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    return [(number, line) for number, line in lines if line and line[0] not in "#%"]


def _numbers(cells: list[str], number: int) -> list[float]:
    try:
        return list(map(float, cells))
    except ValueError as error:
        raise ValueError(f"line {number} must hold coordinates ({error})") from error


def _layout(names: list[str], places: np.ndarray, unit: str | None) -> Layout:
    """A layout of the channels; nasion and ears are set aside as landmarks."""
    if len(names) != len(places):
        raise ValueError(f"it has {len(places)} places for {len(names)} names")
    marks = [_LANDMARKS.get(name.lower()) for name in names]
    kept = [k for k, mark in enumerate(marks) if mark is None]
    landmarks = {mark: tuple(places[k].tolist()) for k, mark in enumerate(marks) if mark is not None}
    return Layout(tuple(names[k] for k in kept), places[kept], unit, landmarks=landmarks)
