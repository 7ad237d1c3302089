"""Faults of a layout, and whether an answer of `check_layout` names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from draws import Array
from layout_recordings import Recorded, spacing_of
from numpy.random import Generator
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from scge_pyg.discovery.layouts.layout_check import LayoutCheck

__all__ = ["FAULTS", "Fault"]

Fault = Callable[[Recorded, Generator], tuple[Array, Array, Callable[[LayoutCheck], dict[str, Any]]]]
"""From a recording to samples, claimed places, and what to say of an answer."""


def _none(drawn: Recorded, rng: Generator) -> Any:
    return drawn.x, drawn.places, lambda check: {"named": check.ok, "false": len(check.suspects)}


def _swapped(count: int) -> Fault:
    def fault(drawn: Recorded, rng: Generator) -> Any:
        size = len(drawn.places)
        pairs = rng.permutation(size)[:count].reshape(-1, 2)
        order = np.arange(size)
        order[pairs[:, 0]], order[pairs[:, 1]] = pairs[:, 1], pairs[:, 0]
        away = cdist(drawn.places, drawn.places)[pairs[:, 0], pairs[:, 1]] / spacing_of(drawn.places)

        def scored(check: LayoutCheck) -> dict[str, Any]:
            suspect = np.isin(pairs, check.suspects)
            right = check.best_place.numpy()[pairs] == pairs[:, ::-1]
            return {
                "named": bool((suspect & right).all()),
                "false": len(set(check.suspects) - set(pairs.ravel().tolist())),
                "distance": away.round(3).tolist(),
                "suspect": suspect.sum(1).tolist(),
                "placed": (suspect & right).sum(1).tolist(),
            }

        return drawn.x[:, order], drawn.places, scored

    return fault


def _run(drawn: Recorded, rng: Generator) -> slice:
    """A connector: a run of 8 channels to half of them."""
    size = len(drawn.places)
    length = int(rng.integers(8, size // 2 + 1))
    start = int(rng.integers(size - length + 1))
    return slice(start, start + length)


def _block(kind: str, moved: Callable[[Array, Generator], Array]) -> Fault:
    def fault(drawn: Recorded, rng: Generator) -> Any:
        order = np.arange(len(drawn.places))
        run = _run(drawn, rng)
        order[run] = moved(order[run], rng)
        wrong = np.flatnonzero(order != np.arange(len(order)))
        return drawn.x[:, order], drawn.places, lambda check: _named(check, kind, wrong, order)

    return fault


def _named(check: LayoutCheck, kind: str, wrong: Array, order: Array) -> dict[str, Any]:
    """Whether the one finding is this block, and whether all channels are put where they belong."""
    exact = len(check.findings) == 1 and check.findings[0].kind == kind
    named = exact and set(check.findings[0].channels) == set(wrong.tolist())
    right = bool((check.best_place.numpy() == order).all())
    kinds = [finding.kind for finding in check.findings]
    return {"named": bool(named), "right": right, "kinds": kinds, "suspect": len(check.suspects), "wrong": len(wrong)}


def _mirrored(drawn: Recorded, rng: Generator) -> Any:
    """What lies beyond the middle of one axis, mirrored along another one; places go to the nearest free place."""
    extent = np.ptp(drawn.places, 0)
    split, along = rng.permutation(2)  # the two horizontal axes
    away = drawn.places[:, split] - (drawn.places[:, split].max() + drawn.places[:, split].min()) / 2
    own = np.flatnonzero(away * rng.choice([-1, 1]) > 0.02 * extent[split])
    mirrored = drawn.places[own].copy()
    mirrored[:, along] = mirrored[:, along].max() + mirrored[:, along].min() - mirrored[:, along]
    taken = linear_sum_assignment(cdist(mirrored, drawn.places[own]) ** 2)[1]
    order = np.arange(len(drawn.places))
    order[own] = own[taken]

    def scored(check: LayoutCheck) -> dict[str, Any]:
        blocks = [finding for finding in check.findings if finding.kind == "mirrored"]
        kinds = [finding.kind for finding in check.findings]
        return {"named": len(blocks) == len(check.findings) == 1 and blocks[0].axis == int(along), "kinds": kinds}

    return drawn.x[:, order], drawn.places, scored


def _doubled_and_dead(drawn: Recorded, rng: Generator) -> Any:
    copy, source, dead = rng.permutation(len(drawn.places))[:3].tolist()
    x = drawn.x.copy()
    x[:, copy] = 2 * x[:, source] - 1
    x[:, dead] = 3.0

    def scored(check: LayoutCheck) -> dict[str, Any]:
        doubled = [finding.channels for finding in check.findings if finding.kind == "doubled"]
        named = check.dead == (dead,) and doubled == [(copy, source)]
        return {"named": named, "false": len(set(check.suspects) - {copy}), "found": [list(pair) for pair in doubled]}

    return x, drawn.places, scored


FAULTS: dict[str, Fault] = {
    "none": _none,
    "swapped-2": _swapped(2),
    "swapped-4": _swapped(4),
    "swapped-8": _swapped(8),
    "turned": _block("turned", lambda run, rng: run[::-1]),
    "shifted": _block("shifted", lambda run, rng: np.roll(run, int(rng.choice([-1, 1])))),
    "mirrored": _mirrored,
    "doubled-dead": _doubled_and_dead,
}
