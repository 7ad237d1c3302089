"""The kinds of ``benchmarks/fuzz.py``, which the tests run in small."""

import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="session")
def fuzz():
    """The module ``benchmarks/fuzz.py``."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import fuzz

        yield fuzz
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(autouse=True)
def one_thread():
    """Small steps wait for a second thread longer than it works."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
