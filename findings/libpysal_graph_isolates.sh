#!/usr/bin/env bash
# libpysal stores a sensor without neighbours as a loop of weight 0 to itself. The loop leaks: networkx counts it as
# degree 2 and finds no isolates, nodes come in the order of the edges and not of the sensors, and esda's Geary refuses
# the same Graph that its Moran takes.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check libpysal==4.14.1 esda==2.9.0 networkx==3.6.1 \
    geopandas==1.2.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import esda
import geopandas as gpd
import libpysal
import networkx as nx
import numpy as np
from libpysal.graph import Graph

print("libpysal", libpysal.__version__, "esda", esda.__version__, "networkx", nx.__version__)
# s0-s3 a pair, s2-s4-s5 a triangle, s1 and s6 alone.
where = np.array([[0, 0], [9, 9], [5, 0], [0, 1], [5, 1], [6, 0], [20, 0]], dtype=float)
sensors = gpd.GeoDataFrame(index=[f"s{i}" for i in range(7)], geometry=gpd.points_from_xy(*where.T))
graph = Graph.build_distance_band(sensors, threshold=1.5)
order = list(graph.unique_ids)
print("libpysal: order", order, "isolates", list(graph.isolates), "degrees", graph.cardinalities.to_dict())
assert order == list(sensors.index) and list(graph.isolates) == ["s1", "s6"]

net = graph.to_networkx()
print("networkx: order", list(net), "isolates", list(nx.isolates(net)), "degrees", dict(net.degree()))
print("documented:", " ".join(Graph.to_networkx.__doc__.split("Returns\n")[0].split()))
assert list(net) != order, "node order is kept now: the behaviour changed"
assert list(nx.isolates(net)) == [] and net.degree["s1"] == 2 and net.degree["s6"] == 2, "behaviour changed"
same = np.array_equal(nx.to_numpy_array(net), graph.sparse.toarray())
print("nx.to_numpy_array equals Graph.sparse:", same)
assert not same, "behaviour changed"
old = graph.to_W().to_networkx()
print("the older W of the same graph: order", list(old), "isolates", list(nx.isolates(old)))
assert list(old) == list(range(7)) and list(nx.isolates(old)) == [1, 6], "behaviour changed"

values = np.array([1.0, 5.0, 2.0, 1.5, 2.5, 2.2, 9.0])
moran = esda.Moran(values, graph, permutations=0).I
try:
    esda.Geary(values, graph, permutations=0)
    raise SystemExit("Geary takes a Graph with isolates now: the behaviour changed")
except ValueError as error:
    print(f"esda.Moran {moran:.3f}; esda.Geary of the same Graph: ValueError {error}")

# Remedy: drop the loops, and say the order. For Geary, hand over the W.
net.remove_edges_from(list(nx.selfloop_edges(net)))
ordered = nx.Graph()
ordered.add_nodes_from(order)
ordered.add_edges_from(net.edges(data=True))
assert list(ordered) == order and list(nx.isolates(ordered)) == ["s1", "s6"]
assert np.array_equal(nx.to_numpy_array(ordered), graph.sparse.toarray())
assert dict(ordered.degree()) == graph.cardinalities.to_dict()
weights = graph.sparse.toarray()
weights = weights / np.maximum(weights.sum(1, keepdims=True), 1)
apart = values - values.mean()
by_hand = (len(values) - 1) * (weights * (values[:, None] - values) ** 2).sum() / (2 * weights.sum() * (apart @ apart))
geary = esda.Geary(values, graph.to_W(), permutations=0).C
print(f"remedy: loops removed, nodes added in order: isolates {list(nx.isolates(ordered))}, matrix equal;"
      f" Geary of to_W() {geary:.6f}, by hand {by_hand:.6f}")
assert abs(geary - by_hand) < 1e-12
E
