import dataclasses

import pytest
import torch

from scge_pyg.graph import Fit

OPTIONS = {
    "coupling": "partial 0.03",
    "gain": 1.25,
    "ceiling": 1.5,
    "chance": 0.25,
    "ratio": 0.8,
    "error": 0.0625,
    "verdict": "no geometry",
    "columns": 2,
    "gain_by_columns": (0.5, 1.25, 1.25, 1.2),
    "node_gain": torch.tensor([1.0, torch.nan, 1.5]),
    "num_samples": 900,
    "effective_samples": 412.5,
    "seconds": {"coupling": 0.5, "maps": 2.0},
    "factors": 3,
}


def test_both_figures_and_the_verdict_are_printed():
    expected = "Fit('partial 0.03': map 1.250 of 1.500 nats a node, ratio 0.800 +- 0.062, verdict 'no geometry')"
    assert str(Fit(**OPTIONS)) == expected


@pytest.mark.parametrize(
    ("figures", "known"),
    [
        ({}, True),
        ({"ratio": 1.4, "error": 0.9}, True),
        ({"ratio": 6.622, "error": 52.581}, False),
        ({"ratio": 0.0, "error": 0.0}, False),
        ({"ratio": 0.9, "ceiling": 0.25}, False),
        ({"ratio": float("nan"), "error": float("nan")}, False),
    ],
)
def test_a_ratio_is_known_where_partners_matter(figures, known):
    fit = Fit(**OPTIONS | figures)
    assert fit.ratio_known == known
    assert ("ratio not defined beside 0.250 by chance, verdict" in str(fit)) != known


def test_a_fit_is_a_record():
    fit = Fit(**OPTIONS)
    assert {field.name for field in dataclasses.fields(Fit)} == set(OPTIONS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.gain = 3.0


@pytest.mark.parametrize(
    ("coupling", "unit"),
    [
        ("counts, power kernel", "count"),
        ("contacts, gaussian kernel", "count"),
        ("similarities, power kernel", "pair"),
        ("correlation", "node"),
    ],
)
def test_gains_are_of_nodes_counts_or_pairs(coupling, unit):
    fit = Fit(**OPTIONS | {"coupling": coupling})
    assert fit.unit == unit
    assert f"of 1.500 nats a {unit}, ratio" in str(fit)


def test_foreign_verdicts_are_refused():
    with pytest.raises(ValueError, match="verdict must be one of 'geometry', 'no geometry', 'undecided', got 'maybe'"):
        Fit(**{**OPTIONS, "verdict": "maybe"})
