from types import SimpleNamespace

import numpy as np

from scge_pyg.discovery.judgement.confidence import place_confidence
from scge_pyg.discovery.judgement.court import Court
from scge_pyg.discovery.judgement.judge import choose


def test_nodes_are_trusted_as_far_as_both_sides_agree():
    near = [np.array([[1, 2], [0, 2], [1, 3], [2, 0]]), np.array([[2, 1], [0, 3], [0, 3], [1, 3]])]
    court = SimpleNamespace(rows=np.arange(4))
    assert place_confidence(court, near, np.zeros((4, 2))).tolist() == [1.0, 0.5, 0.5, 0.0]


def test_others_take_the_mean_of_the_judged_around_them():
    near = [np.array([[1], [0], [3], [2]]), np.array([[1], [0], [3], [1]])]
    pos = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [1.5]])
    court = SimpleNamespace(rows=np.array([0, 1, 3, 4]))
    found = place_confidence(court, near, pos)
    judged = np.array([1.0, 1.0, 1.0, 0.0])
    assert found[court.rows].tolist() == judged.tolist()
    assert found[2] == found[5] == judged.mean()


def test_confidence_lies_between_0_and_1(places, matern, signals_of):
    points = places("plane", 40, 100)
    clear, noisy = (signals_of(matern(points, count, 100, noise=noise)) for count, noise in ((2000, 0.1), (300, 2.0)))
    trusted = []
    for signals in (clear, noisy):
        court = Court(signals)
        found = place_confidence(court, choose(court).near, points[signals.order])
        assert ((found >= 0) & (found <= 1)).all()
        trusted.append(found.mean())
    assert trusted[0] > trusted[1] + 0.2
