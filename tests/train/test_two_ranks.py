import importlib.util
import subprocess
import sys
from pathlib import Path

import torch

from scge_pyg import SharedGraph, discover

SCRIPT = Path(__file__).with_name("two_ranks_script.py")


def test_two_ranks_discover_together_and_train(tmp_path):
    run = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
            *(str(SCRIPT), str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    spec = importlib.util.spec_from_file_location("two_ranks_script", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    data = script.data()
    data.setup()
    whole = discover(data.discovery_samples)
    assert whole.lattice is not None
    (first, weights, steps), (second, others, _) = (
        torch.load(tmp_path / f"{rank}.pt", weights_only=False) for rank in range(2)
    )
    for graph in (first, second, SharedGraph.load(tmp_path / "graph.safetensors")):
        assert torch.equal(graph.pos, whole.pos)
        assert torch.equal(graph.edge_index, whole.edge_index)
        assert torch.equal(graph.edge_weight, whole.edge_weight)
        assert torch.equal(graph.lattice.cell, whole.lattice.cell)
    assert steps == len(data.rows["train"]) // 64  # two batches of 32 a step
    for name, value in weights.items():
        if "running" in name:  # of batch norms: each rank's own last batch; those of the first are kept
            continue
        assert torch.equal(value, others[name]), name
