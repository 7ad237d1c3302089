"""Every turned and shifted run against its gain by the sum over all pairs."""

import numpy as np
import pytest

from scge_pyg.discovery.layouts.runs import LEAST, Run, best_runs, run_order

SIZE = 13


@pytest.mark.parametrize("by", [0, 1, -1])
def test_the_best_runs_are_those_of_a_loop(by):
    rng = np.random.default_rng(by + 1)
    coupling, expected = rng.standard_normal((2, SIZE, SIZE))
    coupling, expected = coupling + coupling.T, expected + expected.T
    np.fill_diagonal(coupling, 0)
    every = [Run(a, b, by) for a in range(SIZE) for b in range(a + LEAST, SIZE + 1)]

    def total(order):
        return (coupling * expected[np.ix_(order, order)]).sum()

    gain = {run: total(run_order(SIZE, run)) - total(np.arange(SIZE)) for run in every}
    best = sorted(every, key=lambda run: -gain[run])[:7]
    assert best_runs(coupling, expected, by, 7) == [run for run in best if gain[run] > 0]


def test_a_shifted_run_reads_the_next_places():
    assert run_order(7, Run(2, 6, 1)).tolist() == [0, 1, 3, 4, 5, 2, 6]
    assert run_order(7, Run(2, 6, -1)).tolist() == [0, 1, 5, 2, 3, 4, 6]
    assert run_order(7, Run(2, 6, 0)).tolist() == [0, 1, 5, 4, 3, 2, 6]
