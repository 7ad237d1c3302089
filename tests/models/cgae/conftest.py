"""What tests of parts share: one thread, and how well counts agree with what was expected."""

import pytest
import torch
from scipy.stats import chisquare


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small tensors on two threads wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def agreement():
    """The p-value of counts under expected ones, those below five taken together."""

    def p_value(seen, expected):
        common = expected > 5
        return chisquare(
            [*seen[common].tolist(), int(seen[~common].sum()) + 1],
            [*expected[common].tolist(), float(expected[~common].sum()) + 1],
            sum_check=False,
        ).pvalue

    return p_value
