"""The soak in small: memory that grows is seen, and that of a hundred graphs doesn't."""

import gc
from pathlib import Path

import numpy as np
import pytest

from scge_pyg import SharedGraph
from scge_pyg.graph.tensor_file import read_tensors

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def soak(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import soak

    return soak


@pytest.mark.parametrize(("leak", "grows"), [(0, False), (20_000, True)])
def test_a_leak_is_told_from_noise(soak, leak, grows):
    rng = np.random.default_rng(0)
    memory = 4e8 + 3e7 * (1 - np.exp(-np.arange(1000) / 40)) + 4e6 * rng.random(1000) + leak * np.arange(1000)
    found = soak.growth(memory.astype(int).tolist())
    assert found.grows == grows
    assert found.slope == pytest.approx(leak, abs=5 * found.error)


def test_memory_that_is_held_is_seen(soak):
    before = soak.resident()
    held = np.ones(8_000_000)
    assert soak.resident() - before == pytest.approx(held.nbytes, rel=0.1)


def test_graphs_saved_and_loaded(soak):
    assert not soak.soak("graphs saved and loaded", 60).grows


def test_loading_keeps_nothing(soak, tmp_path):
    """Some 500 bytes a file once stayed with a library."""
    path = tmp_path / "graph.safetensors"
    SharedGraph.from_grid((3, 3)).save(path)
    gc.freeze()
    memory = []
    for _ in range(200):
        for _ in range(10):
            read_tensors(path, "scge_pyg.SharedGraph")
        memory.append(soak.resident())
    gc.unfreeze()
    found = soak.growth(memory)
    assert found.after - found.before < 300_000
