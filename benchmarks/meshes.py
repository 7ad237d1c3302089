"""MeshGraphNets on a cloth that can be solved: a held membrane of 506 nodes, and of half as many after remeshing.

z'' = Δz with held edges is a sum of sines that swing, nine modes with amplitudes and phases drawn for each run. The net
learns single steps of 12 runs (seeds from 100 on) and is rolled out for 50 steps on five others, from two states;
beside it go on with the last velocity, and stay. Remeshed: edges as long as the cloth is flat there in the training
runs, scaled until half of the nodes are left. A net of its own learns on that mesh; the one of the fine mesh runs
there too, unseen. Errors are root mean squares over nodes and steps, in thousandths of the cloth's side.

    python benchmarks/meshes.py            # some minutes
    python benchmarks/meshes.py --quick
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from report import Records, markdown_table
from torch import Tensor

from scge_pyg.zoo.meshes import MeshSimulator, TriangleMesh, remesh, sheet

_WIDTH, _HEIGHT, _STEP = 1.1, 1.05, 0.02
_SIZES = {"full": {"runs": 12, "epochs": 4, "tests": 5}, "quick": {"runs": 4, "epochs": 1, "tests": 2}}


def cloth(u: Tensor, seed: int, steps: int) -> Tensor:
    """States ``[steps, N, 3]`` of a run at places ``[N, 2]`` of the mesh."""
    generator = torch.Generator().manual_seed(seed)
    t, z = _STEP * torch.arange(steps), torch.zeros(steps, len(u))
    for m in range(1, 4):
        for n in range(1, 4):
            amplitude, phase = torch.randn((), generator=generator), torch.rand((), generator=generator)
            frequency = math.pi * math.hypot(m / _WIDTH, n / _HEIGHT)
            shape = torch.sin(math.pi * m * u[:, 0] / _WIDTH) * torch.sin(math.pi * n * u[:, 1] / _HEIGHT)
            z += 0.05 * amplitude / (m * n) * torch.cos(frequency * t + 2 * math.pi * phase)[:, None] * shape
    return torch.cat([u.expand(steps, -1, -1), z[..., None]], 2)


def held(u: Tensor) -> Tensor:
    """The nodes at the edges ``[N]``."""
    return (u < 1e-6).any(1) | (u[:, 0] > _WIDTH - 1e-6) | (u[:, 1] > _HEIGHT - 1e-6)


def halved(mesh: TriangleMesh, runs: int) -> TriangleMesh:
    """The mesh with half of the vertices, fewer where the training runs are flat."""
    u = mesh.pos[:, :2]
    fine = 0.02

    def bending(places: Tensor) -> Tensor:
        """Root mean square of the curvature over the training runs."""
        total = torch.zeros(len(places), dtype=torch.double)
        middle = places.clamp_min(fine).minimum(torch.tensor([_WIDTH - fine, _HEIGHT - fine], dtype=places.dtype))
        for seed in range(100, 100 + runs):
            around = [cloth((middle + torch.tensor(s, dtype=middle.dtype) * fine).float(), seed, 52)[::10, :, 2]
                      for s in ((0.0, 0.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0))]  # fmt: skip
            total += ((sum(around[1:]) - 4 * around[0]) / fine**2).double().square().mean(0)
        return (total / runs).sqrt()

    usual = float(bending(u).mean())

    def field(scale: float) -> Callable[[Tensor], Tensor]:
        def sizing(places: Tensor) -> Tensor:
            size = scale / (bending(places) / usual + 0.3).sqrt()
            return torch.eye(2, dtype=torch.double) / size[:, None, None] ** 2

        return sizing

    low, high = 0.04, 0.4
    for _ in range(8):
        scale = math.sqrt(low * high)
        found = remesh(u, mesh.face, field(scale))
        low, high = (scale, high) if len(found.u) > len(u) / 2 else (low, scale)
    found = remesh(u, mesh.face, field(high))
    return TriangleMesh(torch.cat([found.u, torch.zeros(len(found.u), 1)], 1), found.face)


def errors(simulator: MeshSimulator, mesh: TriangleMesh, tests: int) -> dict[str, float]:
    """Of the rollouts, of the last velocity kept, and of staying."""
    u = mesh.pos[:, :2].float()
    found: dict[str, list[float]] = {"net": [], "velocity": [], "still": []}
    for seed in range(tests):
        run = cloth(u, seed, 52)
        true, ahead = run[2:], torch.arange(1, 51)[:, None, None]
        told = {
            "net": simulator.rollout(run[:2], u, mesh.edge_index, held(u), 50)[2:],
            "velocity": run[1] + (run[1] - run[0]) * ahead,
            "still": run[1].expand(50, -1, -1),
        }
        for name, states in told.items():
            found[name].append(1000 * float((states - true).square().sum(2).mean().sqrt()))
    return {name: sum(values) / tests for name, values in found.items()}


def measured(quick: bool) -> list[dict[str, Any]]:
    """All rows."""
    size = _SIZES["quick" if quick else "full"]
    fine = sheet(22, 23, _WIDTH, _HEIGHT)
    half = halved(fine, size["runs"])
    rows = []
    nets = {}
    for name, mesh in (("whole", fine), ("half", half)):
        u = mesh.pos[:, :2].float()
        torch.manual_seed(0)
        nets[name] = MeshSimulator(3, order=2, hidden=32, steps=3)
        runs = torch.stack([cloth(u, seed, 52) for seed in range(100, 100 + size["runs"])])
        start = time.perf_counter()
        nets[name].fit(runs, u, mesh.edge_index, held(u), epochs=size["epochs"], lr=2e-3, progress=name)
        seconds = round(time.perf_counter() - start, 1)
        rows.append({"mesh": name, "learned on": name, "nodes": len(u), "seconds": seconds}
                    | errors(nets[name], mesh, size["tests"]))  # fmt: skip
    rows.append({"mesh": "half", "learned on": "whole", "nodes": len(half.pos)}
                | errors(nets["whole"], half, size["tests"]))  # fmt: skip
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    head = ["mesh", "nodes", "learned on", "net", "last velocity", "still", "velocity / net", "seconds to learn"]
    lines = [
        [r["mesh"], str(r["nodes"]), r["learned on"], f"{r['net']:.2f}", f"{r['velocity']:.1f}", f"{r['still']:.1f}",
         f"{r['velocity'] / r['net']:.1f}", str(r.get("seconds", ""))]
        for r in rows
    ]  # fmt: skip
    return markdown_table(head, lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    name = "quick" if options.quick else "full"
    records = Records(options.output or Path(f"results/meshes_{name}.json"), dict(_SIZES[name]), resume=False)
    for row in measured(options.quick):
        records.add(row)
    print(table(records.items))


if __name__ == "__main__":
    main()
