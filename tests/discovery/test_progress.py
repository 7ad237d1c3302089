import re

import pytest
import torch

from scge_pyg import discover
from scge_pyg.discovery import progress
from scge_pyg.discovery.progress import showing, tracked
from scge_pyg.discovery.signals import most_correlated as search


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(progress, "_AFTER", 0.0)


def test_a_bar_says_what_is_done_and_how_long_the_rest_takes(capsys):
    with showing(False):
        steps = tracked(range(4), "waiting")
        assert [next(steps) for _ in range(2)] == [0, 1]
        del steps
    assert re.search(r"discover: waiting: +0%\|.*\| 0/4 \[00:00<\?", capsys.readouterr().err)


@pytest.mark.parametrize("hidden", [True, None])  # no terminal here
def test_none_is_shown_unless_wanted(capsys, hidden):
    with showing(hidden):
        assert list(tracked([3, 1], "waiting")) == [3, 1]
    assert list(tracked([3, 1], "waiting")) == [3, 1]
    assert capsys.readouterr().err == ""


def test_an_error_inside_ends_the_showing(capsys):
    with pytest.raises(RuntimeError), showing(False):
        raise RuntimeError
    list(tracked([1], "waiting"))
    assert capsys.readouterr().err == ""


def test_long_loops_of_a_discovery_are_shown(capsys, grid_field):
    x = grid_field((20,), 100).x
    discover(x, progress=True)
    assert "discover: scores" in capsys.readouterr().err
    discover(x, progress=False)
    assert capsys.readouterr().err == ""


def test_blocks_of_the_search_for_neighbours_are_counted(capsys, monkeypatch):
    monkeypatch.setattr(search, "_BLOCK_VALUES", 40 * 10)
    signal = torch.randn(40, 30, generator=torch.Generator().manual_seed(0))
    with showing(False):
        search.most_correlated(signal, 3)
    assert "0/4 [" in capsys.readouterr().err
