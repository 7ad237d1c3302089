import networkx as nx
import numpy as np

from scge_pyg.discovery.coupling.direct import Coupling
from scge_pyg.discovery.maps.mooring import hanging, moor
from scge_pyg.discovery.maps.settling import settle
from scge_pyg.graph.drawing.assembly import map_components
from scge_pyg.graph.drawing.wiring import adjacency_of, wiring_from_edges


def grid_with_a_thread():
    """An 8x10 grid whose first row lost its edges to the second, but for those at one end."""
    cells = [(i, j) for i in range(8) for j in range(10)]
    number = {cell: n for n, cell in enumerate(cells)}
    graph = nx.grid_2d_graph(8, 10)
    graph.remove_edges_from([((0, j), (1, j)) for j in range(3, 10)])
    edges = np.array([sorted((number[a], number[b])) for a, b in graph.edges]).T
    return np.array(cells, dtype=float), edges


def by_distance(place, scale=3.0):
    """One minus a correlation that falls with distance."""
    return lambda pairs: 1 - np.exp(-np.linalg.norm(place[pairs[0]] - place[pairs[1]], axis=1) / scale)


def test_hanging_nodes_are_those_outside_the_largest_part_of_four_cycles():
    place, edges = grid_with_a_thread()
    expected = {n for n, (i, j) in enumerate(place) if i == 0 and j >= 3}
    assert set(np.flatnonzero(hanging(edges, 80))) == expected
    # brute force: edges of the cycles of length four
    graph = nx.Graph(edges.T.tolist())
    held = nx.Graph()
    for cycle in nx.simple_cycles(graph, length_bound=4):
        if len(cycle) == 4:
            nx.add_cycle(held, cycle)
    assert set(graph) - max(nx.connected_components(held), key=len) == expected


def test_a_thread_is_moored_where_it_belongs():
    place, edges = grid_with_a_thread()
    loose = hanging(edges, 80)
    fallen = place.copy()
    fallen[loose] = place[loose] * [0, -1] + [3, 2]  # across the map
    moored = moor(fallen, edges, by_distance(place))
    assert np.linalg.norm(moored - place, axis=1).max() < 0.6
    assert np.linalg.norm(moored - place, axis=1)[~loose].max() < 0.1
    assert np.linalg.norm(fallen - place, axis=1).max() > 5


def test_a_map_without_hanging_nodes_stays_as_it_is():
    place, _ = grid_with_a_thread()
    number = {tuple(cell): n for n, cell in enumerate(place)}
    edges = np.array([sorted((number[a], number[b])) for a, b in nx.grid_2d_graph(8, 10).edges]).T
    assert moor(place, edges, by_distance(place)) is place


def test_a_thread_that_is_not_astray_stays_as_it_is():
    place, edges = grid_with_a_thread()
    bent = place + 0.5 * hanging(edges, 80)[:, None]
    assert moor(bent, edges, by_distance(place)) is bent


def test_a_thread_that_is_like_nothing_else_is_left_alone():
    place, edges = grid_with_a_thread()
    loose = hanging(edges, 80)

    def unlike(pairs):
        apart = by_distance(place)(pairs)
        return np.where(loose[pairs[0]] != loose[pairs[1]], 1.0, apart)

    assert moor(place, edges, unlike) is place


def test_where_many_hang_nothing_is_moored():
    """With many holes, the largest part without one is no map of the rest."""
    square = np.array([[0, 1, 2, 0], [1, 2, 3, 3]])
    chain = np.stack([np.arange(3, 20), np.arange(4, 21)])
    edges = np.concatenate([square, chain], 1)
    assert hanging(edges, 21).sum() == 17
    fallen = np.random.default_rng(0).uniform(0, 20, (21, 2))
    place = np.stack([np.arange(21.0), np.zeros(21)], 1)
    assert moor(fallen, edges, by_distance(place, scale=30.0)) is fallen


def test_other_components_are_no_place_to_moor():
    place, edges = grid_with_a_thread()
    place, edges = np.concatenate([place, place + np.array([0, 0.1])]), np.concatenate([edges, edges + 80], 1)
    moored = moor(place, edges, by_distance(place))
    assert np.linalg.norm(moored - place, axis=1).max() < 0.6


def test_settle_moors_threads():
    """The last map that discover draws puts a border back that is fastened at one end only."""
    place, edges = grid_with_a_thread()
    wiring = wiring_from_edges(edges, 80)
    matrix = 0.2 * adjacency_of(edges, 80)
    coupling = Coupling(matrix, noise=0.01, gain=1.0, ridge=0.1, dissimilarity=by_distance(place))
    chart = map_components(wiring, 80, 2, np.random.default_rng(0))
    loose = hanging(edges, 80)
    _, settled = settle(coupling, wiring, chart, 2, 0)
    apart = np.linalg.norm(settled.pos[:, None] - settled.pos[None], axis=2)
    true = np.linalg.norm(place[:, None] - place[None], axis=2)
    assert np.abs(apart - true)[loose].max() < 2
