#!/usr/bin/env bash
# HiCMatrix returns a loaded contact map as (..., distance_counts, correction_factors), and its class hiCMatrix unpacks
# (..., correction_factors, distance_counts). The balancing weights of a .cool file land in distance_counts; saving the
# map writes balanced values as counts, without weights. In its own .h5 format the factors are gone after two rounds.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check HiCMatrix==17.2 cooler==0.11.0 \
    numpy==2.4.6 scipy==1.17.1 pandas==2.3.3
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import inspect
from importlib.metadata import version

import cooler
import numpy as np
import pandas as pd
from hicmatrix.HiCMatrix import hiCMatrix
from hicmatrix.lib.h5 import H5
from scipy.sparse import csr_matrix

print(*(f"{name} {version(name)}" for name in ("HiCMatrix", "cooler", "numpy")))
returned = [line.strip() for line in inspect.getsource(H5.load).splitlines() if ":return:" in line]
unpacked = [line.strip() for line in inspect.getsource(hiCMatrix.__init__).splitlines() if "_load" in line]
print("documented of load:", returned[0], "| unpacked by hiCMatrix:", unpacked[-1])

# A contact map of twelve bins whose contacts fall off with the distance, balanced by cooler.
size = 12
apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
counts = np.triu(np.random.default_rng(0).poisson(200 / (1 + apart)))
row, column = np.nonzero(counts)
bins = pd.DataFrame({"chrom": "chr1", "start": np.arange(size) * 10, "end": np.arange(size) * 10 + 10})
pixels = pd.DataFrame({"bin1_id": row, "bin2_id": column, "count": counts[row, column]})
cooler.create_cooler("raw.cool", bins, pixels)
cooler.balance_cooler(cooler.Cooler("raw.cool"), ignore_diags=1, mad_max=0, min_nnz=1, store=True)
raw = cooler.Cooler("raw.cool")
weights = raw.bins()["weight"][:].to_numpy()

loaded = hiCMatrix("raw.cool")
print("weights of the file:", weights.round(4).tolist()[:4], "correction_factors:", loaded.correction_factors,
      "distance_counts:", loaded.distance_counts.round(4).tolist()[:4])
assert loaded.correction_factors is None and np.array_equal(loaded.distance_counts, weights)
assert np.allclose(loaded.matrix.toarray(), raw.matrix()[:]), "the map in memory is balanced no more"

loaded.save("saved.cool")
saved = cooler.Cooler("saved.cool")
print(f"counts in all, raw {raw.pixels()['count'][:].sum()}, saved {saved.pixels()['count'][:].sum():.4f};"
      f" columns of the bins, raw {list(raw.bins().columns)}, saved {list(saved.bins().columns)}")
assert np.allclose(saved.matrix(balance=False)[:], raw.matrix()[:]), "raw counts are kept: the behaviour changed"
assert "weight" not in saved.bins().columns

# The .h5 format of the package itself: under the wrong name after one round, gone after two. Masking skips that name.
made = hiCMatrix()
made.setMatrix(csr_matrix(counts + np.triu(counts, 1).T).astype(float),
               [("chr1", 10 * i, 10 * i + 10, 1.0) for i in range(size)])
made.setCorrectionFactors(weights.copy())
made.save("once.h5")
once = hiCMatrix("once.h5")
once.save("twice.h5")
twice = hiCMatrix("twice.h5")
print("after one round:", once.correction_factors, once.distance_counts.round(4).tolist()[:4],
      "after two:", twice.correction_factors, twice.distance_counts)
assert once.correction_factors is None and np.array_equal(once.distance_counts, weights)
assert twice.correction_factors is None and twice.distance_counts is None
once = hiCMatrix("once.h5")
once.maskBins([3, 4])
print(f"two bins masked: a map of {once.matrix.shape[0]} bins, {len(once.distance_counts)} factors")
assert once.matrix.shape[0] == size - 2 and len(once.distance_counts) == size

# Remedy: exchange the two after loading, and save with pApplyCorrection=True, which takes the weights out of the map.
mended = hiCMatrix("raw.cool")
mended.correction_factors, mended.distance_counts = mended.distance_counts, mended.correction_factors
mended.save("mended.cool", pApplyCorrection=True)
again = cooler.Cooler("mended.cool")
worst = np.abs(again.matrix(balance=False)[:] - raw.matrix(balance=False)[:]).max()
print(f"remedy: counts off by {worst:.1e}, weights off by {np.abs(again.bins()['weight'][:] - weights).max():.1e}")
assert worst < 1e-9 and np.allclose(again.bins()["weight"][:], weights)
assert np.allclose(again.matrix()[:], raw.matrix()[:])
E
