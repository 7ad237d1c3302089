#!/usr/bin/env bash
# PyGSP's NNGraph weighs neighbours by exp(-d^2 / sigma) and documents sigma as the width of the kernel, by default the
# mean distance of neighbours. A width is squared: with rescale=False, to keep the places in their unit, one array has
# weights up to 0.99 in metres, below 4e-6 in millimetres, and no edges in micrometres. With center=False the places
# that the caller gave are rescaled in place as well.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check PyGSP==0.6.1 numpy==2.4.6 scipy==1.17.1
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import inspect
import logging
from importlib.metadata import version

import numpy as np
from pygsp.graphs import NNGraph

logging.disable(logging.DEBUG)
print(*(f"{name} {version(name)}" for name in ("PyGSP", "numpy", "scipy")))
doc = NNGraph.__doc__
print("documented of sigma:", " ".join(doc[doc.index("Width of the"):doc.index("epsilon :")].split()))
print("of center and rescale:", " ".join(doc[doc.index("Center the data"):doc.index("k : int")].split()))
source = " ".join(inspect.getsource(NNGraph.__init__).split())
print("in the source:", source[source.index("np.exp( -np.power"):][:52])

# Sixty-four electrodes on a jittered cap of 10 cm, about 2 cm apart.
rng = np.random.default_rng(0)
metres = 0.1 * np.stack(np.meshgrid(np.linspace(-1, 1, 8), np.linspace(-1, 1, 8)), axis=-1).reshape(-1, 2)
metres += 0.003 * rng.standard_normal(metres.shape)


def weights(places, **options):
    graph = NNGraph(places.copy(), k=5, rescale=False, **options)
    return graph, graph.W.toarray()


edges = weights(metres)[1] > 0
for unit, scale in (("metres", 1), ("centimetres", 100), ("millimetres", 1000), ("micrometres", 1e6)):
    graph, found = weights(metres * scale)
    apart = np.linalg.norm(metres[:, None] - metres, axis=2) * scale
    kept = found[edges]
    print(f"in {unit}: sigma {graph.sigma:.4g}, weights {kept.min():.2g} to {kept.max():.2g}, {graph.n_edges} edges of"
          f" {edges.sum() // 2} left, largest weighted degree {found.sum(axis=0).max():.3g}")
    if unit == "metres":
        full = found > 0.5 * found.max()
        both = np.isclose(found, np.exp(-(apart**2) / graph.sigma), rtol=1e-9)
        assert kept.max() > 0.98 and both[full].all(), "the behaviour changed"
    if unit == "micrometres":
        assert kept.max() == 0, "the unit counts no more: the behaviour changed"

# The caller's own array, when its centre is to stay.
mine = metres * 1000
NNGraph(mine, k=5, center=False)
print(f"places of center=False: {np.ptp(metres[:, 0]) * 1000:.1f} mm wide before, {np.ptp(mine[:, 0]):.3f} after")
assert not np.allclose(mine, metres * 1000), "the places are left alone: the behaviour changed"
mine = metres * 1000
NNGraph(mine, k=5)
assert np.array_equal(mine, metres * 1000)

# Remedy: give sigma, the square of the width, and a copy of the places.
found = []
for scale in (1, 100, 1000, 1e6):
    width = weights(metres * scale)[0].sigma
    found.append(weights(metres * scale, sigma=width**2)[1])
print(f"remedy, sigma = width^2: weights {found[0][edges].min():.3f} to {found[0].max():.3f} in every unit, largest"
      f" difference {max(np.abs(each - found[0]).max() for each in found):.0e}")
assert all(np.allclose(each, found[0]) for each in found)
E
