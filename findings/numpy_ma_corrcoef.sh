#!/usr/bin/env bash
# netCDF4 gives sensor records with gaps as NumPy masked arrays. numpy.ma.corrcoef documents that a value masked in one
# variable is masked in the other. Of two arrays it is so; of one array of variables it divides a covariance over the
# shared samples by deviations over all samples of each: correlations of 1.2, or 0.5 of a record with its second half.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check netCDF4==1.7.4 numpy==2.4.6 pandas==2.3.3
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
from importlib.metadata import version

import netCDF4
import numpy as np
import pandas as pd

print(*(f"{name} {version(name)}" for name in ("numpy", "netCDF4", "pandas")))
doc = np.ma.corrcoef.__doc__
print("documented:", " ".join(doc[doc.index("Except for"):doc.index("For more")].split()),
      " ".join(doc[doc.index("If True, masked"):doc.index("If False, raises")].split()))

# A steady rise, and the same record from a sensor that was installed half way.
steps = np.arange(400.0)
late = np.ma.array(steps, mask=steps < 200)
two, one = np.ma.corrcoef(np.ma.array(steps), late)[0, 1], np.ma.corrcoef(np.ma.vstack([steps, late]))[0, 1]
print(f"a record and its own second half, as two arguments: {two:.4f}, as two rows of one array: {one:.4f}")
assert np.isclose(two, 1) and abs(one - 0.5) < 0.01, "the behaviour changed"

# Six sensors of one field that grows stronger, each installed a while after the one before, as a netCDF file.
rng = np.random.default_rng(0)
samples, size = 400, 6
field = np.linspace(1, 4, samples)[:, None] * rng.standard_normal((samples, 1))
records = field + 0.3 * rng.standard_normal((samples, size))
missing = np.arange(samples)[:, None] < 60 * np.arange(size)
with netCDF4.Dataset("sensors.nc", "w") as file:
    file.createDimension("time", samples)
    file.createDimension("sensor", size)
    variable = file.createVariable("level", "f8", ("time", "sensor"), fill_value=-9999.0)
    variable[:] = np.ma.array(records, mask=missing)
with netCDF4.Dataset("sensors.nc") as file:
    level = file["level"][:]
print(type(level).__name__, "of shape", level.shape, "with", int(level.mask.sum()), "values missing")
whole = np.ma.corrcoef(level, rowvar=False)
shared = pd.DataFrame(level.filled(np.nan)).corr().to_numpy()
pairs = np.array([[np.ma.corrcoef(level[:, i], level[:, j])[0, 1] for i in range(size)] for j in range(size)])
print("numpy.ma.corrcoef of the array, first sensor:", whole[0].data.round(3).tolist())
print("pair by pair:", pairs[0].round(3).tolist(), "pandas:", shared[0].round(3).tolist())
assert np.allclose(pairs, shared), "two arguments leave out what one of them lacks no more: the behaviour changed"
assert whole.max() > 1.2 and np.all(np.diff(whole[0]) > 0), "the behaviour changed"
print("smallest eigenvalue of that matrix:", np.linalg.eigvalsh(whole.data)[0].round(3),
      "of the pairs:", np.linalg.eigvalsh(pairs)[0].round(4))
assert np.linalg.eigvalsh(whole.data)[0] < -0.3 and np.linalg.eigvalsh(pairs)[0] > 0
nearest = np.where(np.eye(size, dtype=bool), -np.inf, whole.data).argmax(axis=1)
print("strongest partner of each sensor:", nearest.tolist(), "- the first or the last, whose gaps differ most")
assert set(nearest.tolist()) == {0, size - 1}, "the behaviour changed"

# Remedy: fill with NaN and let pandas pair the samples.
print("remedy, pandas.DataFrame(x.filled(numpy.nan)).corr():", shared[0].round(3).tolist())
assert np.abs(shared).max() <= 1 + 1e-12
E
