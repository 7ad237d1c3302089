#!/usr/bin/env bash
# safetensors 0.8 with torch: load_file and safe_open(path, "pt").get_tensor keep some 64 bytes a tensor for good, though
# the file is closed and nothing is held: 514 bytes for each reading of a file of eight tensors, so that a service that
# reads a million small files grows by half a gigabyte. safetensors.torch.load(path.read_bytes()) gives the same tensors and
# keeps nothing, and so do both readers with numpy. Remedy: that one, where files are small and many.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check -c "$here/../constraints.txt" torch==2.13.0 \
    safetensors==0.8.0 numpy
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" - <<'E'
import gc
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load, load_file, save_file

print("safetensors", version("safetensors"), "torch", torch.__version__.split("+")[0])
FILE = Path("small.safetensors")
save_file({f"tensor{k}": torch.arange(12.0) for k in range(8)}, FILE)


def by_safe_open():
    with safe_open(FILE, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


ways = {"safe_open": by_safe_open, "load_file": lambda: load_file(FILE), "load(bytes)": lambda: load(FILE.read_bytes())}
grown = {}
for name, read in ways.items():
    assert torch.equal(read()["tensor3"], torch.arange(12.0))
    for _ in range(3_000):
        read()
    gc.collect()
    before = resident()
    for _ in range(20_000):
        read()
    gc.collect()
    grown[name] = (resident() - before) / 20_000
    print(f"{name}: {grown[name]:.0f} bytes for each reading of eight tensors")
assert grown["safe_open"] > 200 and grown["load_file"] > 200, "nothing is kept any more"
assert grown["load(bytes)"] < 50
E
