#!/usr/bin/env bash
# scipy.io.netcdf_file stores an attribute that is a Python float as float32, without a word, whatever the type of the
# variable. missing_value = 1e20 of a float64 variable becomes 100000002004087734272, which equals no value of it: readers
# that compare (scipy's own maskandscale, xarray) mask nothing, and land comes back as water of 1e20 kelvin. A numpy.float64
# keeps its value.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check scipy==1.17.1 numpy==2.4.6 xarray==2026.9.0
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" - <<'E'
from importlib.metadata import version

import numpy as np
import xarray
from scipy.io import netcdf_file

print(*(f"{name} {version(name)}" for name in ("scipy", "numpy", "xarray")))
field = np.array([0.5, -0.25, 1e20, 1.0])  # the third cell is land
for kind in (float, np.float64):
    path = f"{kind.__name__}.nc"
    with netcdf_file(path, "w") as file:
        file.createDimension("cell", len(field))
        sst = file.createVariable("sst", "f8", ("cell",))
        sst.missing_value = kind(1e20)
        sst[:] = field
    with netcdf_file(path, mmap=False) as file:
        stored = file.variables["sst"].missing_value
    with netcdf_file(path, mmap=False, maskandscale=True) as file:
        masked = int(np.ma.count_masked(file.variables["sst"][:]))
    with xarray.open_dataset(path, engine="scipy") as held:
        missing = int(np.isnan(held.sst.values).sum())
        mean = float(held.sst.mean())
    print(f"missing_value = {kind.__name__}(1e20): stored as {stored.dtype} {float(stored):.0f}, "
          f"scipy masks {masked} of 1, xarray {missing} of 1, mean of the water {mean:g}")
E
