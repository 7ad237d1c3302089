#!/usr/bin/env bash
# dask.array.from_array of a numpy.memmap copies the whole map into memory when the array is made, before anything is
# computed: 400 MB on disk take 380 MB of anonymous memory, with name=False and asarray=False too, and stay there as long
# as the array does. Remedy: a small class with shape, dtype, ndim and __getitem__ that opens the map for each block; it
# takes none, and gives the same sum.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check 'dask[array]==2026.8.0' numpy==2.4.6
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" - <<'E'
from importlib.metadata import version

import dask.array as da
import numpy as np

print("dask", version("dask"), "numpy", np.__version__)
SHAPE = (100_000, 1000)
made = np.memmap("x.bin", dtype=np.float32, mode="w+", shape=SHAPE)
made[::10_000] = 1
made.flush()
del made


def anonymous():
    lines = open("/proc/self/smaps_rollup")
    return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024


class OnDisk:
    shape, dtype, ndim = SHAPE, np.dtype(np.float32), 2

    def __getitem__(self, key):
        return np.array(np.memmap("x.bin", dtype=np.float32, mode="r", shape=SHAPE)[key])


took = {}
for name, source, options in (
    ("memmap", np.memmap("x.bin", dtype=np.float32, mode="r", shape=SHAPE), {}),
    ("memmap, name=False", np.memmap("x.bin", dtype=np.float32, mode="r", shape=SHAPE), {"name": False}),
    ("array-like", OnDisk(), {"name": "on-disk"}),
):
    before = anonymous()
    x = da.from_array(source, chunks=(10_000, 1000), **options)
    took[name] = anonymous() - before
    total = float(x.sum().compute(scheduler="synchronous"))
    print(f"{name}: {took[name]:.0f} MB when made, sum {total:.0f}")
    assert total == 10_000
    del x
assert took["memmap"] > 350 and took["memmap, name=False"] > 350, "a memory map is no longer copied"
assert took["array-like"] < 20
E
