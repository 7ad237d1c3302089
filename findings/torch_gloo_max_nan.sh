#!/usr/bin/env bash
# torch.distributed, gloo: all_reduce with MAX or MIN loses a NaN, on every rank, if it comes from rank 1, and keeps it if
# it comes from rank 0; SUM keeps it from both, and torch.maximum of the same two tensors keeps it too. A check for NaN
# behind the reduction passes on one of two ranks' faults. Remedy: look for NaN on each rank before the reduction, or
# reduce isnan() beside the values.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check -c "$here/../constraints.txt" torch==2.13.0 numpy
cd "$work"
cat > run.py <<'E'
import sys

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

NAN, FIVE = float("nan"), 5.0


def work(rank, store, out):
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    for name in ("MAX", "MIN", "SUM"):
        for origin in (0, 1):
            value = torch.tensor([NAN if rank == origin else FIVE])
            dist.all_reduce(value, op=getattr(dist.ReduceOp, name))
            out.put((name, origin, rank, bool(value.isnan())))
    dist.destroy_process_group()


if __name__ == "__main__":
    print("torch", torch.__version__.split("+")[0])
    out = mp.get_context("spawn").Queue()
    mp.spawn(work, args=(sys.argv[1], out), nprocs=2)
    seen = {key: nan for *key, nan in (out.get() for _ in range(12)) for key in [tuple(key)]}
    for name in ("MAX", "MIN", "SUM"):
        for origin in (0, 1):
            both = [seen[name, origin, rank] for rank in (0, 1)]
            print(f"{name}, NaN on rank {origin}: result is NaN on ranks 0 and 1: {both}")
    assert bool(torch.maximum(torch.tensor(FIVE), torch.tensor(NAN)).isnan())
    for name in ("MAX", "MIN"):
        assert seen[name, 0, 0] and seen[name, 0, 1]
        assert not seen[name, 1, 0] and not seen[name, 1, 1], f"{name} keeps the NaN of rank 1 now"
    assert all(seen["SUM", origin, rank] for origin in (0, 1) for rank in (0, 1))
E
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore run.py "$work/store"
