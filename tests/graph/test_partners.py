"""Places of partners stay with the graph."""

import pytest
import torch

from scge_pyg.graph import SharedGraph


def _graph(partner_pos: torch.Tensor | None) -> SharedGraph:
    pos = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    return SharedGraph(pos, torch.tensor([[0, 1], [1, 2]]), partner_pos=partner_pos)


def test_partners_survive_files_and_moves(tmp_path):
    partner = torch.tensor([[0.5, 0.25], [torch.nan, torch.nan]])
    graph = _graph(partner)
    graph.save(tmp_path / "graph.safetensors")
    for other in (SharedGraph.load(tmp_path / "graph.safetensors"), graph.to("cpu")):
        assert torch.equal(other.partner_pos.nan_to_num(9.0), partner.nan_to_num(9.0))


def test_no_partners_by_default(tmp_path):
    graph = _graph(None)
    graph.save(tmp_path / "graph.safetensors")
    assert SharedGraph.load(tmp_path / "graph.safetensors").partner_pos is None


@pytest.mark.parametrize("partner", [torch.zeros(4, 3), torch.zeros(4, 2, dtype=torch.long), [[0.0, 0.0]]])
def test_partners_need_the_columns_of_the_nodes(partner):
    with pytest.raises(ValueError, match=r"partner_pos must be a float tensor \[M, 2\]"):
        _graph(partner)


def test_parts_and_coarser_graphs_keep_the_partners():
    pos = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [65.0, 0.0], [66.0, 0.0]])
    partner = torch.tensor([[0.5, 0.25], [torch.nan, torch.nan], [65.5, 0.0]])
    graph = SharedGraph(pos, torch.tensor([[0, 1, 3], [1, 2, 4]]), part_dim=(2, 1), partner_pos=partner)
    flat, line = graph.parts()
    assert torch.equal(flat.partner_pos.nan_to_num(9.0), partner.nan_to_num(9.0))
    assert torch.equal(line.partner_pos.nan_to_num(9.0), partner[:, :1].nan_to_num(9.0))
    assert torch.equal(line.pos, pos[3:, :1])  # the frame is that of the whole graph
    coarse, _ = graph.coarsen(2)
    assert torch.equal(coarse.partner_pos.nan_to_num(9.0), partner.nan_to_num(9.0))
    assert _graph(None).parts()[0].partner_pos is None
