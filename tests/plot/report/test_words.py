"""What the page says of a graph, against graphs of which it is known."""

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.graph import Fit
from scge_pyg.plot.report.words import facts_of_parts, notes, verdict


def with_fit(verdict="geometry", **figures):
    known = {"gain": 1.5, "ceiling": 1.6, "chance": 0.1, "ratio": 0.93, "error": 0.02, "factors": 0} | figures
    known |= {"coupling": "correlation", "columns": 1, "gain_by_columns": (1.5,), "node_gain": torch.ones(6)}
    fit = Fit(verdict=verdict, num_samples=1200, effective_samples=800.0, seconds={}, **known)
    plain = SharedGraph.from_grid((2, 3))
    return SharedGraph(plain.pos, plain.edge_index, lattice=plain.lattice, fit=fit)


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (
            with_fit(),
            [
                "a lattice of 2 x 3",
                "Verdict: geometry",
                "1.500 of the 1.600 nats a node",
                "Ratio 0.930 ± 0.020",
                "1,200 samples, worth 800",
            ],
        ),
        (with_fit("undecided"), ["Verdict: undecided"]),
        (with_fit("no geometry"), ["Verdict: no geometry. No map", "drawn all the same"]),
        (with_fit("no geometry", factors=1), ["One factor explains"]),
        (with_fit(ratio=float("nan")), ["The ratio is not defined"]),
        (SharedGraph.from_pos(torch.rand(9, 3)), ["Three dimensions, no lattice.", "There is no verdict"]),
        (SharedGraph.from_grid((4,), (True,)), ["One dimension, a lattice of 4 that closes on itself."]),
        (SharedGraph(torch.zeros(1, 2), torch.zeros(2, 0).long()), ["There is one node"]),
        (SharedGraph(torch.full((2, 2), torch.nan), torch.zeros(2, 0).long()), ["No node is live"]),
    ],
)
def test_the_verdict_is_in_words(graph, words):
    told = " ".join(verdict(graph))
    for part in words:
        assert part in told


def test_parts_have_their_own_facts():
    a, b = SharedGraph.from_grid((2, 3)), SharedGraph.from_grid((1, 2))
    edges = torch.cat([a.edge_index, b.edge_index + 6], 1)
    graph = SharedGraph(torch.cat([a.pos, b.pos, torch.zeros(2, 2)]), edges, part_dim=(2, 1), fit=None)
    assert facts_of_parts(graph) == [
        {"nodes": 6, "dim": 2, "lattice": None, "verdict": None},
        {"nodes": 2, "dim": 1, "lattice": None, "verdict": None},
    ]
    assert facts_of_parts(with_fit())[0]["lattice"] == "2 x 3"
    assert facts_of_parts(with_fit(ceiling=float("nan")))[0]["ceiling"] is None
    assert "Live nodes that are joined to no other: 2." in notes(graph)


def test_what_a_reader_would_miss_is_said():
    pos = torch.full((20, 2), torch.nan)
    pos[0] = 0
    told = notes(SharedGraph(pos, torch.zeros(2, 0).long(), names=[f"n{i}" for i in range(20)]))
    first = ", ".join(f"n{i}" for i in range(1, 13))
    assert told == ["There are no edges.", f"Not live, so without a place (19): {first} and 7 more."]
    assert notes(SharedGraph.from_grid((2, 2))) == ["The nodes have no names; they go by their numbers, from 0."]
