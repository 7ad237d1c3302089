#!/usr/bin/env bash
# NetworKit's writeGraph takes a weighted graph in every format and says nothing. GML, graph-tool and Thrill files come
# back without weights; edge lists round weights to six digits, which changes counts of contacts, and lose unconnected
# nodes at the end; a SNAP file cannot be read back. NetworKit's own binary format, METIS and GraphML keep all.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check networkit==11.3 networkx==3.6.1 numpy==2.4.6 \
    scipy==1.17.1
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
from importlib.metadata import version

import networkit
import networkx
import numpy as np
from networkit import Format, GraphFromCoo, readGraph, writeGraph

print(*(f"{name} {version(name)}" for name in ("networkit", "networkx", "numpy")))
doc = writeGraph.__doc__
print("documented:", " ".join(doc[:doc.index("Parameters")].split()),
      "- the word weight:", "weight" in doc, "weight" in networkit.graphio.GMLGraphWriter.__doc__)

# Contacts of a string of beads, pooled over many runs. The last bead has none.
size = 7
row = np.arange(size - 2)
contacts = {"counts": np.array([1234567.0, 1234568, 1234569, 24, 3]),
            "correlations": np.array([0.9123456789, 0.9123451, 0.31, -0.25, 0.9999999])}
formats = ["NetworkitBinary", "METIS", "GraphML", "EdgeListSpaceZero", "EdgeListTabZero", "EdgeListTabOne",
           "EdgeListCommaOne", "LFR", "GML", "GraphToolBinary", "ThrillBinary"]
kept = {}
for name, weights in contacts.items():
    graph = GraphFromCoo((weights, (row, row + 1)), n=size, weighted=True, directed=False)
    assert graph.isWeighted() and [weight for *_, weight in graph.iterEdgesWeights()] == weights.tolist()
    print(f"{name}: {weights.tolist()} of {size} beads")
    for kind in formats:
        writeGraph(graph, f"graph.{kind}", getattr(Format, kind))
        back = readGraph(f"graph.{kind}", getattr(Format, kind))
        assert back.numberOfEdges() == len(weights)
        found = np.array([back.weight(int(i), int(i) + 1) for i in row])
        kept[name, kind] = back.isWeighted(), np.allclose(found, weights, rtol=1e-12), back.numberOfNodes()
        print(f"   {kind}: weighted {back.isWeighted()}, {found.tolist()}, {back.numberOfNodes()} beads")
    try:
        writeGraph(graph, "graph.snap", Format.SNAP)
        readGraph("graph.snap", Format.SNAP)
        raise SystemExit("a SNAP file can be read back: the behaviour changed")
    except Exception as error:
        print("   SNAP:", str(error)[:110])

for name in contacts:
    # Remedy: the first three formats.
    for kind in formats[:3]:
        assert kept[name, kind] == (True, True, size), "a format that kept all does so no more"
    for kind in formats[3:8]:
        assert kept[name, kind] == (True, False, size - 1), "edge lists keep more now: the behaviour changed"
    for kind in formats[8:]:
        assert kept[name, kind] == (False, False, size), "weights are kept: the behaviour changed"
print("remedy:", ", ".join(formats[:3]))

# GML itself has room for weights: networkx writes them.
graph = networkx.Graph()
graph.add_weighted_edges_from((int(i), int(i) + 1, float(weight)) for i, weight in zip(row, contacts["counts"]))
networkx.write_gml(graph, "networkx.gml")
again = networkx.read_gml("networkx.gml", label="id")
print("GML by networkx:", [data["weight"] for *_, data in again.edges(data=True)])
assert [data["weight"] for *_, data in again.edges(data=True)] == contacts["counts"].tolist()
E
