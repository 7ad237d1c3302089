from types import SimpleNamespace

import numpy as np

from scge_pyg.discovery.judgement.confidence import agreement, place_confidence
from scge_pyg.discovery.judgement.court import Court
from scge_pyg.discovery.judgement.judge import choose

LINE = np.arange(5.0)[:, None] ** 1.1  # the nearest two of node 0 are 1 and 2, of node 2 they are 1 and 3, ...


def court_of(rows, few=2):
    return SimpleNamespace(rows=np.array(rows), few=few)


def test_agreement_counts_shared_neighbours():
    """Over both sides: all of node 0's, three of four of node 1's, half of node 2's, none of node 4's."""
    first = np.array([[1, 2, 4], [0, 2, 4], [1, 3, 4], [1, 4, 0], [0, 1, 0]])
    second = np.array([[2, 1, 3], [0, 3, 4], [0, 4, 0], [2, 4, 1], [1, 0, 1]])
    found = agreement(court_of(range(5)), [first, second], LINE)
    assert found.tolist() == [1.0, 0.75, 0.5, 0.75, 0.0]


def test_others_take_the_mean_of_the_judged_around_them():
    pos = np.array([[0.0], [1.0], [2.0], [3.5], [5.0], [1.5]])
    near = [np.array([[1], [0], [2], [0]]), np.array([[1], [0], [2], [0]])]
    court = court_of([0, 1, 3, 4], few=1)
    found = agreement(court, near, pos)
    judged = found[court.rows]
    assert judged.tolist() == [1.0, 1.0, 0.0, 0.0]
    assert found[2] == found[5] == judged.mean()


def test_confidence_rises_with_agreement_from_doubt_to_trust(places, matern, signals_of):
    points = places("plane", 40, 100)
    trusted = []
    for count, noise in ((2000, 0.1), (300, 2.0)):
        signals = signals_of(matern(points, count, 100, noise=noise))
        court = Court(signals)
        near = choose(court).near
        found, shared = (f(court, near, points[signals.order]) for f in (place_confidence, agreement))
        assert ((found >= 0) & (found <= 1)).all()
        assert (np.diff(found[np.argsort(shared)]) >= 0).all()
        trusted.append(found.mean())
    assert trusted[0] > 0.9
    assert trusted[1] < trusted[0] - 0.2


def test_strangers_are_not_trusted(places, matern, signals_of):
    points = places("plane", 100, 101)
    signals = signals_of(matern(points, 2000, 101))
    court = Court(signals)
    shuffled = np.random.default_rng(0).permutation(points[signals.order])
    assert place_confidence(court, choose(court).near, shuffled).mean() < 0.2
