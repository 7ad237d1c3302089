"""The signals of a part as they are, and with inverted nodes turned over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scge_pyg.discovery.clock import Clock
from scge_pyg.discovery.coupling.choice import correlation_coupling, partial_couplings
from scge_pyg.discovery.coupling.direct import Coupling
from scge_pyg.discovery.coupling.signs import align_signs
from scge_pyg.discovery.coupling.similar import DENSE_NODES, evident
from scge_pyg.discovery.judgement.at_large import unfolded
from scge_pyg.discovery.judgement.court import Court
from scge_pyg.discovery.judgement.judge import Choice, choose
from scge_pyg.discovery.signals.signals import Signals

__all__ = ["View", "judged_views", "views_of"]

_IN_THE_RUNNING = 0.5  # share of the best map's gain at which partial correlation may still show a lattice


@dataclass(frozen=True)
class View:
    """Signals with some of them turned over, and their couplings.

    Attributes:
        signals: The signals.
        sign: What each was multiplied by, ``[n]``; 0 where that is undecided and it was left alone.
        direct: Partial correlations, the best one first, where they are in the running.
        similar: Correlation, or its absolute value where some signs are undecided.
    """

    signals: Signals
    sign: np.ndarray
    direct: list[Coupling]
    similar: Coupling


def judged_views(signals: Signals, seed: int, clock: Clock) -> tuple[Court, Choice, list[View]]:
    """The court of a part's signals, the coupling that it chooses, and the views on them with their couplings."""
    court = Court(signals, seed)
    choice = choose(court)
    if signals.num_nodes > DENSE_NODES:
        choice = unfolded(choice, signals)
    clock("judgement")
    views = views_of(signals, choice, seed)
    clock("coupling")
    return court, choice, views


def views_of(signals: Signals, choice: Choice, seed: int) -> list[View]:
    """The signals as they are and, if the chosen coupling ignores signs, with inverted nodes turned over."""
    signs = [np.ones(signals.num_nodes, dtype=np.int64)]
    if choice.absolute and signals.num_nodes <= DENSE_NODES:
        turned = align_signs(signals.correlation, evident(signals.num_nodes, signals.effective))
        if (turned != 1).any():
            signs.append(turned)
    views = []
    for sign in signs:
        own = signals if (sign == 1).all() else signals.scaled(np.where(sign == 0, 1, sign))
        direct = partial_couplings(own, seed) if choice.partial_share >= _IN_THE_RUNNING else []
        views.append(View(own, sign, direct, correlation_coupling(own, bool((sign == 0).any()))))
    return views
