#!/usr/bin/env bash
# nilearn's ConnectivityMeasure can leave the diagonals out of its vectors; inverse_transform then takes "the diagonals
# of the connectivity matrices" and returns matrices whose diagonals are sqrt(2) times those: correlations of 1 come back
# as 1.414, and with kind="tangent" the whole covariance is wrong, because the matrix exponential follows.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check nilearn==0.14.1 numpy==2.4.6 scipy==1.17.1 \
    scikit-learn==1.9.1 pandas==2.3.3
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import nilearn
import numpy as np
from nilearn.connectome import ConnectivityMeasure, sym_matrix_to_vec, vec_to_sym_matrix
from sklearn.covariance import EmpiricalCovariance

print("nilearn", nilearn.__version__)
doc = ConnectivityMeasure.inverse_transform.__doc__
print("documented of inverse_transform:", " ".join(doc[doc.index("diagonal : "):doc.index("Returns")].split()))
doc = vec_to_sym_matrix.__doc__
print("of vec_to_sym_matrix, first:", " ".join(doc[doc.index("Diagonal can"):doc.index(".. nilearn")].split()))
print("and then:", " ".join(doc[doc.index("For instance"):doc.index("See Also")].split()))

# Recordings of four subjects, five channels that share a field which differs from subject to subject.
rng = np.random.default_rng(0)
places = np.arange(5)
fields = [np.exp(-np.abs(np.subtract.outer(places, places)) / reach) for reach in (0.5, 1.0, 2.0, 4.0)]
recordings = [rng.standard_normal((400, 5)) @ np.linalg.cholesky(field).T for field in fields]


def measure(kind, **options):
    return ConnectivityMeasure(EmpiricalCovariance(), kind=kind, standardize="zscore_sample", **options)


covariances = measure("covariance").fit_transform(recordings)
for kind in ("correlation", "partial correlation", "covariance", "precision", "tangent"):
    matrices = measure(kind).fit_transform(recordings)
    diagonals = np.diagonal(matrices, axis1=1, axis2=2)
    truth = covariances if kind == "tangent" else matrices
    short = measure(kind, vectorize=True, discard_diagonal=True)
    vectors = short.fit_transform(recordings)
    back = short.inverse_transform(vectors, diagonal=diagonals)
    mended = short.inverse_transform(vectors, diagonal=diagonals / np.sqrt(2))
    kept = measure(kind, vectorize=True)
    whole = kept.inverse_transform(kept.fit_transform(recordings))
    beside = np.abs(back - truth)[:, ~np.eye(5, dtype=bool)].max()
    ratio = np.diagonal(back, axis1=1, axis2=2) / np.diagonal(truth, axis1=1, axis2=2)
    print(f"{kind}: diagonals back / true {ratio.min():.3f} to {ratio.max():.3f}, beside them off by {beside:.1e};"
          f" diagonal kept in the vectors: off by {np.abs(whole - truth).max():.0e}")
    if kind == "tangent":
        assert beside > 0.01 and not np.allclose(ratio, 1), "the behaviour changed"
    else:
        assert np.allclose(ratio, np.sqrt(2)) and beside < 1e-12, "the behaviour changed"
    # Remedy: divide the diagonals by sqrt(2), as sym_matrix_to_vec does where it keeps them, or keep them.
    print(f"   remedy, diagonals / sqrt(2): off by {np.abs(mended - truth).max():.0e}")
    assert np.allclose(mended, truth) and np.allclose(whole, truth)

# The pair of functions below it, on the example of the documentation: correlations, whose diagonal is known to be 1.
matrix = measure("correlation").fit_transform(recordings)[0]
back = vec_to_sym_matrix(sym_matrix_to_vec(matrix, discard_diagonal=True), diagonal=np.ones(5))
print("vec_to_sym_matrix with a diagonal of ones:", back.diagonal().round(4).tolist())
assert np.allclose(back.diagonal(), np.sqrt(2)), "the behaviour changed"
E
