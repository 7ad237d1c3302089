import numpy as np
import pytest

from scge_pyg.discovery.maps.dimension import tangent_dimension

CASES = {
    "line": (1, 1),
    "curve in the plane": (1, 2),
    "ring": (1, 2),
    "plane": (2, 2),
    "helix": (1, 3),
    "plane in space": (2, 3),
    "sphere": (2, 3),
    "cylinder": (2, 3),
    "volume": (3, 3),
    "torus": (2, 4),
    "volume in four": (3, 4),
    "rolled volume": (3, 4),
    "four": (4, 4),
}


def geometry(kind, num_nodes, seed):
    """Places about one unit apart, of random position or jittered steps."""
    rng = np.random.default_rng(seed)
    along = np.sort(rng.uniform(0, num_nodes, num_nodes))
    side = num_nodes ** (1 / 2)
    flat = rng.uniform(0, side, (num_nodes, 2))
    if kind == "line":
        return along[:, None]
    if kind == "curve in the plane":
        return np.stack([along, num_nodes / 8 * np.sin(2 * np.pi * along / num_nodes)], 1)
    if kind == "ring":
        turn = 2 * np.pi * along / num_nodes
        return num_nodes / (2 * np.pi) * np.stack([np.cos(turn), np.sin(turn)], 1)
    if kind == "plane":
        return flat
    if kind == "helix":
        turn = 6 * np.pi * along / num_nodes
        return np.stack([num_nodes / 20 * np.cos(turn), num_nodes / 20 * np.sin(turn), along / 3], 1)
    if kind == "plane in space":
        return np.pad(flat, ((0, 0), (0, 1))) @ np.linalg.qr(rng.standard_normal((3, 3)))[0]
    if kind == "sphere":
        direction = rng.standard_normal((num_nodes, 3))
        return np.sqrt(num_nodes / (4 * np.pi)) * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    if kind in ("cylinder", "torus"):
        turn = 2 * np.pi * flat / side
        first = side / (2 * np.pi) * np.stack([np.cos(turn[:, 0]), np.sin(turn[:, 0])], 1)
        second = side / (2 * np.pi) * np.stack([np.cos(turn[:, 1]), np.sin(turn[:, 1])], 1)
        return np.concatenate([first, flat[:, 1:] if kind == "cylinder" else second], 1)
    side = num_nodes ** (1 / 3)
    volume = rng.uniform(0, side, (num_nodes, 3))
    if kind == "four":
        return rng.uniform(0, num_nodes ** (1 / 4), (num_nodes, 4))
    if kind == "rolled volume":
        turn = 2 * np.pi * volume[:, :1] / side
        return np.concatenate([side / (2 * np.pi) * np.cos(turn), side / (2 * np.pi) * np.sin(turn), volume[:, 1:]], 1)
    return volume if kind == "volume" else np.pad(volume, ((0, 0), (0, 1)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("num_nodes", [300, 600])
@pytest.mark.parametrize("kind", CASES)
def test_dimension_of_places_on_a_geometry(kind, num_nodes, seed):
    dim, columns = CASES[kind]
    num_nodes *= 2 if kind == "rolled volume" else 1  # seven nodes around are too few to see it bend
    pos = geometry(kind, num_nodes, 100 + seed)
    assert pos.shape == (num_nodes, columns)
    assert tangent_dimension(pos) == dim


@pytest.mark.parametrize(("kind", "num_nodes"), [("sphere", 40), ("cylinder", 80), ("torus", 60), ("volume", 125)])
def test_strongly_bent_maps_of_few_nodes(kind, num_nodes):
    for seed in range(100, 110):
        assert tangent_dimension(geometry(kind, num_nodes, seed)) == CASES[kind][0]


@pytest.mark.parametrize("kind", ["sphere", "torus", "volume", "helix"])
def test_neither_unit_nor_orientation_matter(kind):
    pos = geometry(kind, 300, 0)
    columns = pos.shape[1]
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((columns, columns)))[0]
    assert tangent_dimension(30 * pos @ turn - 7) == tangent_dimension(pos) == CASES[kind][0]


@pytest.mark.parametrize("kind", ["plane in space", "sphere", "volume", "ring"])
def test_a_little_noise_does_not_thicken_the_map(kind):
    pos = geometry(kind, 400, 0)
    noise = 0.05 * np.random.default_rng(1).standard_normal(pos.shape)
    assert tangent_dimension(pos + noise) == CASES[kind][0]


@pytest.mark.parametrize("columns", [2, 3, 4])
def test_at_least_one_and_at_most_the_columns(columns):
    assert tangent_dimension(np.zeros((20, columns))) == 1
    assert 1 <= tangent_dimension(np.random.default_rng(0).standard_normal((columns + 2, columns))) <= columns
