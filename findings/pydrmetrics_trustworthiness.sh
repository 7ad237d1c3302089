#!/usr/bin/env bash
# pyDRMetrics' trustworthiness T and continuity C are not those of the literature and of scikit-learn. A neighbour of
# rank r beyond k counts r - k - 1 instead of r - k, and the normaliser is another: a random map scores 0.6 for five
# neighbours, and 1 or 0.76 for one, where the truth is about 0.5. Its co-ranking matrix is right and gives both.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check pyDRMetrics==0.0.8 scikit-learn==1.9.1 \
    numpy==2.4.6 scipy==1.17.1 pandas==2.3.3 tqdm==4.67.1 matplotlib==3.10.7
cd "$work"
OMP_NUM_THREADS=1 MPLBACKEND=Agg "$work/venv/bin/python" -W ignore - <<'E'
import inspect
from importlib.metadata import version

import numpy as np
from pyDRMetrics.coranking_matrix import coranking_matrix_metrics
from pyDRMetrics.pyDRMetrics import DRMetrics
from sklearn.manifold import trustworthiness

print(*(f"{name} {version(name)}" for name in ("pyDRMetrics", "scikit-learn", "numpy")))
lines = [line.strip() for line in inspect.getsource(coranking_matrix_metrics).splitlines()]
print("in the source:", *(line for line in lines if line.startswith(("W = np.arange(Qs.shape[0])", "T[k]"))))


def from_coranking(ranks, k):
    """1 - 2 / (n k (2 n - 3 k - 1)) * sum of Q[r, s] (r - k) over r > k >= s, for ranks from 1 on."""
    inner, size = ranks[1:, 1:], len(ranks)
    excess = np.arange(1, size - k)[:, None]
    return 1 - 2 * (inner[k:, :k] * excess).sum() / (size * k * (2 * size - 3 * k - 1))


rng = np.random.default_rng(0)
places = rng.uniform(size=(200, 2))
maps = {"random map": rng.uniform(size=(200, 2)), "noisy map": places + 0.1 * rng.standard_normal((200, 2)),
        "first column only": places[:, :1], "the places themselves": places * 3}
for name, layout in maps.items():
    measured = DRMetrics(places, layout)
    for k in (1, 5, 20):
        trust = trustworthiness(places, layout, n_neighbors=k)
        continuity = trustworthiness(layout, places, n_neighbors=k)
        # T has no entry that says its k: both candidates are printed.
        near = measured.T[k - 1], measured.T[k]
        print(f"{name}, k={k}: scikit-learn {trust:.4f}, T[k-1] {near[0]:.4f}, T[k] {near[1]:.4f};"
              f" continuity {continuity:.4f}, C[k-1] {measured.C[k - 1]:.4f}, C[k] {measured.C[k]:.4f}")
        # Remedy: sum over its co-ranking matrix Q by the definition; Q transposed gives the continuity.
        assert np.isclose(from_coranking(measured.Q, k), trust)
        assert np.isclose(from_coranking(measured.Q.T, k), continuity)
        if name != "the places themselves":
            assert min(abs(value - trust) for value in near) > 0.002, "the behaviour changed"
    assert measured.T[0] == 1, "the behaviour changed"
    print(f"   AUC_T, the mean over all k: {measured.AUC_T:.4f}")
measured = DRMetrics(places, maps["random map"])
assert measured.T[5] > 0.58 and trustworthiness(places, maps["random map"], n_neighbors=5) < 0.55
print("remedy: both values from the co-ranking matrix, as scikit-learn's")
E
