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
