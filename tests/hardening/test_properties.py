"""What must hold of any input, under hypothesis, which makes a failing one small; shapes, types, k, N, orders, bytes.

The kinds are those of ``benchmarks/fuzz.py``, which says what each draws and checks.
"""

import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

QUICK = settings(
    deadline=None,
    derandomize="CI" in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
EXAMPLES = {"graph file": 60, "show": 20, "table": 60, "array": 40, "samples": 40, "layer": 40, "layout": 20}


class Drawn:
    """Choices of hypothesis."""

    def __init__(self, data):
        self.data = data

    def integer(self, low, high):
        return self.data.draw(st.integers(low, high))

    def choice(self, options):
        return options[self.integer(0, len(options) - 1)]

    def often(self, percent):
        return self.integer(0, 99) >= 100 - percent

    def numbers(self):
        return np.random.default_rng(self.integer(0, 2**32))


def holds(fuzz, kind, examples):
    @settings(QUICK, max_examples=examples)
    @given(st.data())
    def check(data):
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fuzz.case_of(kind)(Drawn(data), Path(folder))

    check()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_any_input_is_taken_soundly_or_refused_in_words(fuzz, kind):
    holds(fuzz, kind, EXAMPLES[kind])


def test_any_configuration_is_taken_or_refused_on_one_line(fuzz):
    pytest.importorskip("lightning")
    holds(fuzz, "configuration", 20)


@settings(QUICK, max_examples=300)
@given(st.data())
def test_a_graph_file_that_is_cut_or_has_one_other_bit(fuzz, data):
    """Every place of the file is as likely as any other."""
    from fuzz_cases import check_graph
    from fuzz_files import graphs

    from scge_pyg import SharedGraph

    content = data.draw(st.sampled_from(graphs()))
    place = data.draw(st.integers(0, len(content) - 1))
    bit = data.draw(st.integers(0, 8))
    rest = b"" if bit == 8 else bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.safetensors"
        path.write_bytes(content[:place] + rest)
        try:
            graph = SharedGraph.load(path)
        except ValueError:
            return
        check_graph(graph)
