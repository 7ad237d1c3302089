import pytest
import torch
from torch_geometric.data import HeteroData
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GraphConv, HeteroConv, SAGEConv

from scge_pyg import SharedGraph
from scge_pyg.graph import joint

GRAPHS = {"image": SharedGraph.from_grid((3, 4)), "sound": SharedGraph.from_grid((5,))}
ACROSS = {("image", "sound"): (torch.tensor([[0, 11, 3], [2, 4, 2]]), torch.tensor([0.5, 0.25, 2.0]))}


def sample(seed):
    generator = torch.Generator().manual_seed(seed)
    return {"image": torch.randn(12, 3, generator=generator), "sound": torch.randn(5, 2, generator=generator)}


def test_it_holds_both_graphs_and_the_edges_across_in_both_directions():
    data = joint(GRAPHS, sample(0), ACROSS)
    assert isinstance(data, HeteroData)
    assert data.validate(raise_on_error=True)
    assert data.node_types == ["image", "sound"]
    for name, graph in GRAPHS.items():
        torch.testing.assert_close(data[name].x, sample(0)[name])
        torch.testing.assert_close(data[name].pos, graph.pos)
        assert torch.equal(data[name, "near", name].edge_index, graph.edge_index)
        assert torch.equal(data[name, "near", name].edge_weight, graph.edge_weight)
    index, weight = ACROSS["image", "sound"]
    assert torch.equal(data["image", "across", "sound"].edge_index, index)
    assert torch.equal(data["sound", "across", "image"].edge_index, index[[1, 0]])
    assert torch.equal(data["sound", "across", "image"].edge_weight, weight)
    assert data.is_undirected()


def test_one_kind_of_node_keeps_every_edge():
    data = joint(GRAPHS, sample(0), ACROSS)
    flat = data.to_homogeneous()
    offset = {"image": 0, "sound": 12}
    expected = set()
    for a, b, kind in (("image", "image", "near"), ("sound", "sound", "near"), ("image", "sound", "across")):
        index = data[a, kind, b].edge_index + torch.tensor([[offset[a]], [offset[b]]])
        expected |= {tuple(edge) for edge in index.T.tolist()} | {tuple(edge) for edge in index.flip(0).T.tolist()}
    assert {tuple(edge) for edge in flat.edge_index.T.tolist()} == expected
    assert flat.node_type.tolist() == [0] * 12 + [1] * 5


def test_a_heterogeneous_model_on_a_batch_equals_a_loop_by_hand():
    samples = [sample(seed) for seed in range(3)]
    batch = next(iter(DataLoader([joint(GRAPHS, x, ACROSS) for x in samples], batch_size=3)))
    conv = HeteroConv(
        {
            ("image", "near", "image"): GraphConv(3, 4),
            ("sound", "near", "sound"): GraphConv(2, 4),
            ("image", "across", "sound"): GraphConv((3, 2), 4),
        }
    )
    y = conv(batch.x_dict, batch.edge_index_dict, edge_weight_dict=batch.edge_weight_dict)["sound"].view(3, 5, 4)
    near, across = conv.convs["sound", "near", "sound"], conv.convs["image", "across", "sound"]
    for x, got in zip(samples, y, strict=True):
        for node in range(5):
            inside, outside = torch.zeros(2), torch.zeros(3)
            for (source, target), weight in zip(
                GRAPHS["sound"].edge_index.T.tolist(), GRAPHS["sound"].edge_weight, strict=True
            ):
                if target == node:
                    inside += weight * x["sound"][source]
            for (source, target), weight in zip(
                ACROSS["image", "sound"][0].T.tolist(), ACROSS["image", "sound"][1], strict=True
            ):
                if target == node:
                    outside += weight * x["image"][source]
            expected = near.lin_rel(inside) + near.lin_root(x["sound"][node])
            expected = expected + across.lin_rel(outside) + across.lin_root(x["sound"][node])
            torch.testing.assert_close(got[node], expected)


def test_dead_nodes_bring_no_nan():
    pos = torch.arange(6.0).unsqueeze(1)
    pos[2] = torch.nan
    data = joint({"a": SharedGraph.from_pos(pos), "b": GRAPHS["sound"]})
    assert data["a"].pos.isfinite().all()
    assert data["a"].live.tolist() == [True, True, False, True, True, True]
    assert "x" not in data["a"]
    assert SAGEConv((1, 1), 2)((data["a"].pos, data["a"].pos), data["a", "near", "a"].edge_index).isfinite().all()


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"graphs": {}}, ValueError, "graphs is empty"),
        ({"graphs": {"a": torch.eye(3)}}, TypeError, r"graphs\['a'\] must be a SharedGraph, got Tensor"),
        ({"x": {"image": torch.zeros(12, 1)}}, ValueError, r"name the modalities of graphs.*got \['image'\]"),
        (
            {"x": {"image": torch.zeros(11, 1), "sound": torch.zeros(5)}},
            ValueError,
            r"x\['image'\] must be \[12, C\] or \[12\].*got \[11, 1\]",
        ),
        ({"graphs": {1: GRAPHS["image"]}}, TypeError, r"names in graphs must be strings, got 1 \(int\)"),
        ({"x": sample(0)["image"]}, TypeError, "x must be a mapping from the names of graphs.* got Tensor"),
        ({"x": list(sample(0).values())}, TypeError, "x must be a mapping .* got list"),
        ({"x": {"image": torch.zeros(12), 1: torch.zeros(5)}}, ValueError, r"got \['1', 'image'\]; give NaN"),
        ({"x": {**sample(0), "image": None}}, TypeError, r"x\['image'\] must be a tensor \[12, C\].*got NoneType"),
        ({"x": {**sample(0), "image": [1, 2]}}, TypeError, r"x\['image'\].*got list; convert it with torch.as_tensor"),
        ({"x": {**sample(0), "sound": torch.zeros(3, 5, 2)}}, ValueError, r"x\['sound'\].*got \[3, 5, 2\]; of a batch"),
        ({"across": ACROSS["image", "sound"]}, TypeError, "across must be a mapping from two names.* got tuple; pass"),
        ({"across": ACROSS["image", "sound"][0]}, TypeError, "across must be a mapping .* got Tensor"),
        ({"across": {"image": ACROSS["image", "sound"]}}, ValueError, "must name two modalities.*got 'image'"),
        ({"across": {("image", "near", "sound"): 0}}, ValueError, r"must name two modalities.*'near'"),
        (
            {"across": {("image", "sound"): None}},
            TypeError,
            r"across\['image', 'sound'\] must be two tensors.*NoneType",
        ),
        ({"across": {("image", "sound"): (torch.zeros(2, 1).long(),)}}, TypeError, r"two tensors.*got \['Tensor'\]"),
        ({"across": {("image", "sound"): (torch.zeros(2, 1).long(), None)}}, TypeError, r"'NoneType'\]; convert"),
        ({"across": {("image", "sound"): ([[0], [0]], [1.0])}}, TypeError, r"got \['list', 'list'\]"),
        (
            {"across": {("image", "sound"): (torch.zeros(2, 1), torch.ones(1))}},
            TypeError,
            "integers, got torch.float32",
        ),
        (
            {"across": {("image", "sound"): (torch.zeros(2, 1).long(), torch.full((1,), torch.nan))}},
            ValueError,
            "has 1 weights that are not finite",
        ),
        ({"across": {("image", "sound"): (torch.full((2, 1), -1), torch.ones(1))}}, ValueError, "leaves the node sets"),
        ({"across": {("image", "text"): ACROSS["image", "sound"]}}, ValueError, "must name two modalities"),
        ({"across": {("image", "image"): ACROSS["image", "sound"]}}, ValueError, "must name two modalities"),
        ({"across": {("sound", "image"): ACROSS["image", "sound"]}}, ValueError, "leaves the node sets.* 5 and 12"),
        (
            {"across": {**ACROSS, ("sound", "image"): (torch.zeros(2, 1, dtype=torch.long), torch.ones(1))}},
            ValueError,
            "both orders",
        ),
        (
            {"across": {("image", "sound"): (torch.ones(2, 3).long(), torch.ones(2))}},
            ValueError,
            r"and edge_weight \[E\]",
        ),
    ],
)
def test_bad_input_names_what_is_wrong(options, error, match):
    with pytest.raises(error, match=f"^joint: .*{match}"):
        joint(**{"graphs": GRAPHS, **options})
