import math

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.graph.upright import upright
from scge_pyg.models.autoencoders.hierarchy import node_levels
from scge_pyg.nn.fixed.tap_table import build_taps
from scge_pyg.nn.layer.kernel import kernel_points

GRID = SharedGraph.from_grid((12, 10)).pos.double()


def turned(pos, angle):
    rotation = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]).to(pos)
    return pos @ rotation.T + 3.3


@pytest.mark.parametrize("angle", [0.0, 0.3, math.atan2(4, 3), 2.0])
def test_rows_run_along_the_axes_whatever_the_turn_of_the_map(angle):
    jitter = 0.02 * torch.randn(120, 2, generator=torch.Generator().manual_seed(0))
    for pos, error in ((GRID, 1e-5), (GRID + jitter, 0.1)):
        found = upright(turned(pos, angle))
        torch.testing.assert_close(torch.pdist(found), torch.pdist(pos))
        rows = found[110:] - found[:10]  # eleven rows down, in each column
        assert rows.abs().min(1).values.max() < error


def test_far_strays_do_not_turn_the_rows():
    """Directions count alike, however long the way."""
    strays = torch.tensor([[100.0, 237.0], [-250.0, 80.0], [400.0, -130.0]], dtype=torch.float64)
    found = upright(turned(torch.cat([GRID, strays]), 0.3))
    rows = found[110:120] - found[:10]
    assert rows.abs().min(1).values.max() < 0.5  # of eleven


def test_taps_of_a_turned_grid_meet_whole_nodes():
    graph = SharedGraph.from_pos(turned(GRID, math.atan2(4, 3)))
    _, levels = node_levels(graph, 1)
    table = build_taps(*levels, kernel_points(4, 2))
    assert levels[1].num_nodes == 30
    assert table.phi.min() > 0.99
    reference = build_taps(*node_levels(SharedGraph.from_pos(GRID), 1)[1], kernel_points(4, 2))
    assert len(table.phi) == len(reference.phi)
    before = build_taps(graph, graph.coarsen(stride=2)[0], kernel_points(4, 2))
    assert before.phi.median() < 0.5


def test_what_has_no_rows_keeps_its_shape():
    irregular = torch.rand(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(torch.pdist(upright(irregular)), torch.pdist(irregular))
    for pos in (torch.rand(9, 1), torch.rand(9, 3), torch.rand(1, 2)):
        assert torch.equal(upright(pos), pos)


def test_a_lattice_and_its_frame_stay():
    graph = SharedGraph.from_grid((8, 6))
    active, levels = node_levels(graph, 2)
    assert bool(active.all())
    assert torch.equal(levels[0].pos, graph.pos)
    assert [level.num_nodes for level in levels] == [48, 12, 4]
