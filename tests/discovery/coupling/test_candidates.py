import numpy as np
import pytest

from scge_pyg.discovery.coupling.candidates import candidates
from scge_pyg.discovery.coupling.direct import centred, partial_correlation
from scge_pyg.discovery.coupling.lacking import lacking, lifted

RIDGES = (0.003, 0.25)


def smooth(num_nodes=30, seed=0):
    """Correlation of a field on random places of a square, ``exp(-distance)``; all of it positive."""
    points = np.random.default_rng(seed).uniform(0, 5, (num_nodes, 2))
    return np.exp(-np.linalg.norm(points[:, None] - points[None], axis=-1))


def averaged(correlation):
    """The same after the mean of all nodes was taken from each."""
    reference = np.eye(len(correlation)) - 1 / len(correlation)
    covariance = reference @ correlation @ reference
    scale = np.sqrt(np.diag(covariance))
    return covariance / np.outer(scale, scale)


def by_name(correlation):
    return {c.name: c for c in candidates(correlation, RIDGES)}


def off_diagonal(value):
    return value[~np.eye(len(value), dtype=bool)]


def test_names_and_kinds_where_signs_matter():
    turned = smooth() * np.outer(*2 * [np.random.default_rng(1).choice([-1, 1], 30)])
    found = list(candidates(turned, RIDGES))
    assert [c.name for c in found] == [
        "correlation",
        "|correlation|",
        "partial 0.003",
        "|partial 0.003|",
        "partial 0.25",
        "|partial 0.25|",
    ]
    assert [c.absolute for c in found] == [False, True] * 3
    assert [c.direct for c in found] == [False] * 2 + [True] * 4
    assert [c.ridge for c in found] == [0.0, 0.0, 0.003, 0.003, 0.25, 0.25]


def test_values_are_the_statistics_that_they_are_named_after():
    turned = smooth() * np.outer(*2 * [np.random.default_rng(1).choice([-1, 1], 30)])
    found = by_name(turned)
    expected = {"correlation": turned} | {
        f"partial {ridge}": centred(partial_correlation(turned, ridge)) for ridge in RIDGES
    }
    for name, value in expected.items():
        assert np.array_equal(off_diagonal(found[name].value), off_diagonal(value))
        if f"|{name}|" in found:
            assert np.array_equal(off_diagonal(found[f"|{name}|"].value), np.abs(off_diagonal(value)))
    for candidate in found.values():
        assert (np.diag(candidate.value) == -np.inf).all()


def test_the_matrix_given_is_left_alone():
    correlation = smooth()
    list(candidates(correlation, RIDGES))
    assert np.array_equal(correlation, smooth())


def test_an_absolute_form_that_would_draw_the_same_map_is_left_out():
    assert "|correlation|" not in by_name(smooth())


@pytest.mark.parametrize(("value", "left_out"), [(-0.2, True), (-0.4, False)])
def test_absolute_where_a_negative_value_is_among_the_eight_strongest(value, left_out):
    correlation = np.full((12, 12), 0.3)
    correlation[0, 11] = correlation[11, 0] = value
    np.fill_diagonal(correlation, 1.0)
    assert ("|correlation|" not in by_name(correlation)) == left_out


def test_an_average_reference_hardly_changes_centred_partials():
    """It shifts all of them alike; the shift is in the median."""
    before, after = smooth(), averaged(smooth())
    plain, referenced = (by_name(lifted(c, lacking(c))) for c in (before, after))
    name = f"partial {RIDGES[0]}"
    first, second = off_diagonal(plain[name].value), off_diagonal(referenced[name].value)
    assert np.corrcoef(first, second)[0, 1] > 0.99
    strongest = [np.argsort(-c[name].value, axis=1)[:, :2] for c in (plain, referenced)]
    assert np.mean([len(set(a) & set(b)) for a, b in zip(*strongest, strict=True)]) > 1.9


def test_partials_are_centred_on_their_median():
    for candidate in by_name(averaged(smooth())).values():
        if candidate.direct and not candidate.absolute:
            assert np.median(candidate.value[np.triu_indices(30, 1)]) == pytest.approx(0, abs=1e-15)


def test_two_nodes():
    assert {c.name for c in candidates(np.eye(2), (0.1,))} == {"correlation", "partial 0.1"}
