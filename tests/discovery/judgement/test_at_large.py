import numpy as np
import pytest
from scipy.spatial.distance import cdist

from scge_pyg.discovery.judgement import court, jurors
from scge_pyg.discovery.judgement.at_large import unfolded
from scge_pyg.discovery.judgement.court import Court
from scge_pyg.discovery.judgement.judge import choose

NEEDED = {"line": 1, "ring": 2, "plane": 2, "sphere": 3, "cylinder": 3, "torus": 4, "volume": 3}


@pytest.fixture(scope="module")
def judged(places, matern, signals_of):
    """Maker of places, signals and court of 600 nodes, 100 of which judge as they would among thousands."""

    def make(kind):
        points = places(kind, 600, 3000)
        signals = signals_of(matern(points, 1500, 3000, length=3.0))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(court, "_MOST_NODES", 100)
            patch.setattr(jurors, "DENSE_NODES", 200)
            return points[signals.order], signals, Court(signals)

    return make


@pytest.mark.parametrize("kind", NEEDED)
def test_columns_of_a_neighbourhood_and_of_the_whole(judged, kind):
    _, signals, neighbourhood = judged(kind)
    choice = choose(neighbourhood)
    dim = {"line": 1, "ring": 1, "volume": 3}.get(kind, 2)
    assert (choice.dim, choice.columns) == (dim, dim)
    assert unfolded(choice, signals).columns == NEEDED[kind]


@pytest.mark.parametrize("kind", ["plane", "sphere", "line"])
def test_jurors_lie_together(judged, kind):
    points, _, neighbourhood = judged(kind)
    rows = neighbourhood.rows
    assert len(rows) == 100
    assert (np.diff(rows) > 0).all()
    own = points[rows]
    middle = cdist(own, own).max(1).argmin()
    nearest = np.argsort(cdist(own[middle : middle + 1], points)[0])[:130]
    assert np.isin(rows, nearest).mean() > 0.8


def test_up_to_2048_nodes_jurors_are_spread(signals_of, matern, places):
    signals = signals_of(matern(places("plane", 500, 3000), 300, 3000))
    assert np.array_equal(Court(signals).rows, np.unique(np.linspace(0, 499, 384).astype(int)))
