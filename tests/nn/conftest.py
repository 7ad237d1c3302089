"""Node sets that every layer has to handle: shuffled, with holes, dead nodes, nodes without a cell, irregular."""

import pytest
import torch

from scge_pyg.graph import Lattice, SharedGraph

no_edges = torch.zeros(2, 0, dtype=torch.long)


@pytest.fixture
def make_lattice_graph():
    def make(shape, missing=0, dead=0, unplaced=0, periodic=None, seed=0):
        """A grid in random node order; the first nodes have no cell, the next ones are dead, some cells no node."""
        generator = torch.Generator().manual_seed(seed)
        full = SharedGraph.from_grid(shape, periodic)
        kept = torch.randperm(full.num_nodes, generator=generator)[missing:]
        cell = full.lattice.cell[kept].clone()
        cell[:unplaced] = -1
        lattice = Lattice(cell, shape, periodic)
        live = torch.ones(kept.numel(), dtype=torch.bool)
        live[unplaced : unplaced + dead] = False
        pos = lattice.pos.clone()
        pos[:unplaced] = torch.rand(unplaced, len(shape), generator=generator)
        return SharedGraph(pos, no_edges, live=live, lattice=lattice)

    return make


@pytest.fixture
def irregular_graph():
    pos = torch.rand(40, 2, generator=torch.Generator().manual_seed(1)) * 6
    pos[[3, 17]] = torch.nan
    return SharedGraph.from_pos(pos)
