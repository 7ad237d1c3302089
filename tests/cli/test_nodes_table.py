"""The table of nodes reads back as the graph that was written."""

import csv

import numpy as np
import torch

from scge_pyg import SharedGraph
from scge_pyg.cli.nodes_table import write_nodes


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_column_comes_from_the_graph(tmp_path):
    pos = torch.tensor([[0.0, 1.25, -3], [2, 0, 0], [torch.nan] * 3, [9, 9, 9]])
    edges = torch.tensor([[0, 1, 0, 3], [1, 0, 3, 0]])
    names = ("Cz", 'left, "low"', "dead;end", "a;b")
    graph = SharedGraph(
        pos,
        edges,
        torch.tensor([0.1, 0.1, 0.9, 0.9]),
        names=names,
        sign=torch.tensor([1, -1, 0, 1]),
        confidence=torch.tensor([1.0, 0.5, 0.0, 0.25]),
    )
    write_nodes(tmp_path / "nodes.csv", graph)
    rows = read(tmp_path / "nodes.csv")
    assert list(rows[0]) == ["node", "name", "x", "y", "z", "component", "confidence", "sign", "neighbours"]
    assert [row["name"] for row in rows] == list(names)
    np.testing.assert_allclose([[float(row[axis] or "nan") for axis in "xyz"] for row in rows], pos)
    for column, values in (("component", graph.component), ("sign", graph.sign), ("confidence", graph.confidence)):
        assert [float(row[column]) for row in rows] == values.tolist()
    near = [next(csv.reader([row["neighbours"]], delimiter=";"), []) for row in rows]
    assert near == [["a;b", 'left, "low"'], ["Cz"], [], ["Cz"]]  # the strongest first


def test_without_names_and_without_geometry(tmp_path):
    graph = SharedGraph(torch.empty(3, 0), torch.tensor([[0, 2], [2, 0]]), dim=0)
    write_nodes(tmp_path / "nodes.csv", graph)
    rows = read(tmp_path / "nodes.csv")
    assert list(rows[0]) == ["node", "name", "component", "confidence", "sign", "neighbours"]
    assert [(row["name"], row["neighbours"]) for row in rows] == [("0", "2"), ("1", ""), ("2", "0")]
