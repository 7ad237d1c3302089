"""Two processes against one."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from scge_pyg import discover
from scge_pyg.discovery.coupling import choice, local, similar
from scge_pyg.discovery.parts import views
from scge_pyg.discovery.signals import most_correlated, samples, scores

SCRIPT = Path(__file__).with_name("worker_script.py")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("worker_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def as_if_large(script):
    """The sizes that the processes work with, here too."""
    with pytest.MonkeyPatch.context() as patch:
        for module, names in (
            *((module, ["DENSE_NODES"]) for module in (choice, similar, views)),
            *((samples, ["_KEPT_BYTES", "_FEW"]), (scores, ["_BLOCK_VALUES"])),
            *((most_correlated, ["_BLOCK_ROWS"]), (local, ["_ROWS", "_PROBED_ROWS"])),
        ):
            for name in names:
                patch.setattr(module, name, getattr(module, name))
        script.as_if_large()
        yield


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("workers")
    runs = [
        subprocess.Popen([sys.executable, str(SCRIPT), str(rank), str(folder)], stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    texts = [run.communicate(timeout=240)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "\n".join(texts)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]


@pytest.fixture(scope="module")
def one(script, as_if_large):
    return discover(script.field())


def test_kept_samples_are_those_of_one_worker(script, two, as_if_large):
    whole = samples.read(script.field())
    assert len(whole.values) < 1700
    for found in two:
        values, number, count, live = found["read"]
        torch.testing.assert_close(values, whole.values, rtol=0, atol=0, equal_nan=True)
        assert torch.equal(number, whole.number)
        assert torch.equal(live, whole.live)
        assert count == script.SAMPLES


@pytest.mark.parametrize("split", ["contiguous", "interleaved", "one has all"])
def test_two_workers_find_what_one_finds(split, two, one, assert_same):
    assert one.lattice is not None
    for found in two:
        assert_same(found[split], one)


def test_what_is_received_is_what_the_cost_model_says(script, two):
    """Half of the kept samples, in rounds of equal length on both; the rest is small."""
    values, _, _, _ = two[0]["read"]
    expected = 4 * values.numel() / 2
    for found in two:
        assert expected <= found["received"] < 1.1 * expected + 2**15


def test_a_loss_on_two_ranks_learns_what_one_learns(script, two):
    whole = script.learn(script.field().nan_to_num())
    for found in two:
        assert found["learned"].keys() == whole.keys()
        for name, value in whole.items():
            assert torch.equal(found["learned"][name], value), name


@pytest.mark.parametrize(
    ("case", "texts"),
    [
        ("seed", 2 * ["ValueError: discover: workers must agree in seed, got 0 on worker 0 and 1 on worker 1"]),
        ("snap", 2 * ["ValueError: discover: workers must agree in snap, got False on worker 0 and True on worker 1"]),
        (
            "dim",
            ["ValueError: discover: dim must be an integer from 1 to 4", "ValueError: worker 0 of 2: discover: dim"],
        ),
        ("N", 2 * ["ValueError: discover: workers must agree in N, got 144 on worker 0 and 143 on worker 1"]),
        ("C", 2 * ["ValueError: discover: workers must agree in C, got 1 on worker 0 and 2 on worker 1"]),
        ("names", 2 * ["ValueError: discover: workers must agree in names, got ['n0', 'n1', "]),
        ("infinite", ["ValueError: worker 1 of 2: discover: x has infinite", "ValueError: discover: x has infinite"]),
        ("text", 2 * ["ValueError: discover: workers must agree in x, one array each or numbered batches"]),
        ("twice", 2 * ["ValueError: discover: sample 0 was handed over twice"]),
        ("unnumbered", 2 * ["ValueError: discover: with a group, batches must say which samples they hold"]),
        ("affinity", 2 * ["ValueError: discover: group belongs to x, got affinity"]),
        ("hebbian", ["ValueError: HebbianLoss: the activations of rank 1", "ValueError: HebbianLoss: x has NaN"]),
        ("channels", 2 * ["ValueError: HebbianLoss: all ranks must have activations of "]),
    ],
)
def test_what_is_wrong_is_raised_on_both(case, texts, two):
    for found, text in zip(two, texts, strict=True):
        kind, message = found["errors"][case]
        assert f"{kind}: {message}".startswith(text)
