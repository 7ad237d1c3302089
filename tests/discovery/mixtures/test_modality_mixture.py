import numpy as np
import pandas
import pytest
import torch
from sklearn.utils.estimator_checks import check_estimator

from scge_pyg import ModalityMixture
from scge_pyg.datasets import PhotoPatches

NODES = 36


def generator(seed):
    return torch.Generator().manual_seed(seed)


def walks(samples, seed, order=0):
    """Three classes of one wiring: walks that rise, fall, and grow."""
    x = torch.randn(samples, NODES, generator=generator(seed)).cumsum(1)
    kind = torch.arange(samples) % 3
    time = torch.arange(NODES)
    x[kind == 0] += time
    x[kind == 1] -= time
    x[kind == 2] *= time / 10
    return x[:, torch.randperm(NODES, generator=generator(order))]


def fields(samples, seed):
    """Smooth pictures of 6 x 6 pixels."""
    noise = torch.randn(samples, 1, 8, 8, generator=generator(seed))
    return torch.nn.functional.avg_pool2d(noise, 3, 1).flatten(1) + 3


def right(found, truth):
    """Share of samples in the group that most of their modality are in, groups apart."""
    best = [np.bincount(found[truth == m] + 1).argmax() - 1 for m in np.unique(truth)]
    assert len(set(best)) == len(best)
    return float((np.array(best)[truth] == found).mean())


@pytest.fixture(scope="module")
def pile():
    x = torch.cat([walks(900, 0), fields(700, 1), walks(500, 2, order=7)])
    truth = np.repeat([0, 1, 2], [900, 700, 500])
    order = np.random.default_rng(0).permutation(2100)
    return x[order], truth[order]


@pytest.fixture(scope="module")
def fitted(pile):
    return ModalityMixture().fit(pile[0])


def test_a_pile_sorts_itself(pile, fitted):
    assert fitted.n_modalities_ == 3
    assert right(fitted.labels_, pile[1]) > 0.98
    assert (np.diff(np.bincount(fitted.labels_[fitted.labels_ >= 0])) <= 0).all()


def test_new_samples_and_samples_of_none(fitted):
    new = torch.cat([walks(100, 10), fields(100, 11), walks(100, 12, order=7)])
    assert right(fitted.predict(new), np.repeat([0, 1, 2], 100)) > 0.97
    assert (fitted.predict(new) == -1).mean() < 0.01
    strange = walks(200, 3, order=9)
    assert (fitted.predict(strange) == -1).mean() > 0.5
    assert fitted.score(new) > fitted.score(strange) + 50
    assert fitted.predict(torch.ones(1, NODES)) == [-1]


def test_probabilities(pile, fitted):
    share = fitted.predict_proba(pile[0][:200])
    assert share.shape == (200, 3)
    assert share.sum(1) == pytest.approx(1)
    label = fitted.predict(pile[0][:200])
    assert (share.argmax(1) == label)[label >= 0].all()


def test_how_loud_a_sample_is_does_not_matter(pile, fitted):
    x = pile[0][:300]
    gain, offset = torch.rand(2, 300, 1, generator=generator(4))
    assert (fitted.predict(x * (gain + 0.1) * 50 + offset * 1000) == fitted.predict(x)).mean() > 0.995


@pytest.mark.parametrize("make", [lambda: walks(900, 5), lambda: fields(900, 6)])
def test_classes_are_no_modalities(make):
    assert ModalityMixture().fit(make()).n_modalities_ == 1


def test_samples_of_different_length(fitted):
    short = torch.randn(300, 20, generator=generator(8)).cumsum(1)
    x = [*walks(400, 7), *short, *walks(300, 9, order=7)]
    mixture = ModalityMixture().fit(x)
    truth = np.repeat([0, 1, 2], [400, 300, 300])
    assert mixture.n_modalities_ == 3
    assert right(mixture.labels_, truth) > 0.99
    assert (mixture.predict(x) == mixture.labels_).all()
    assert mixture.predict_proba(x).sum(1) == pytest.approx(1)
    assert (mixture.predict(short) == mixture.labels_[400:700]).all()
    with pytest.raises(ValueError, match=r"X has 36 features.*expecting 20 features"):
        ModalityMixture().fit(short).predict(x[:3])


@pytest.mark.parametrize(
    "x",
    [
        torch.randn(8000, 30, generator=generator(100)),
        torch.randn(3000, 10, generator=generator(101)).cumsum(1),
        torch.randn(400, 5, generator=generator(102)),
        torch.randn(800, 300, generator=generator(103)),
    ],
)
def test_nothing_is_found_in_noise_and_in_few_nodes(x):
    assert ModalityMixture().fit(x).n_modalities_ == 1


def test_offsets_and_lone_lengths():
    x = torch.cat([walks(700, 0), fields(700, 1)]).double()
    labels = ModalityMixture().fit_predict(x)
    assert right(labels, np.repeat([0, 1], 700)) > 0.98
    assert (ModalityMixture().fit_predict(x + 1e8) == labels).mean() > 0.99
    with pytest.warns(UserWarning, match="lengths 9 have fewer than 20 samples"):
        mixture = ModalityMixture().fit([*x, torch.arange(9.0)])
    assert mixture.labels_[-1] == -1
    assert mixture.n_modalities_ == 2
    with pytest.raises(ValueError, match="each of 3 lengths has fewer than 20"):
        ModalityMixture().fit([torch.arange(float(n)) for n in (4, 5, 6)])
    assert mixture.predict(x[:0]).shape == (0,)
    assert ModalityMixture().fit(torch.ones(60, 8).cumsum(1)).n_modalities_ == 1  # all the same


def test_a_component_of_two_modalities_does_not_join_them():
    """Photographs in two shuffles: some components hold both, whatever the number to begin with."""
    photos = PhotoPatches(12, 12, 1500, seed=111).x.squeeze(-1)
    orders = [torch.randperm(144, generator=generator(seed)) for seed in (112, 114)]
    walk = torch.randn(1500, 144, generator=generator(1)).cumsum(1)
    x = torch.cat([photos[:, orders[0]], walk, photos.flip(0)[:, orders[1]]])
    mixture = ModalityMixture(seed=1).fit(x)
    assert mixture.n_modalities_ == 3
    assert right(mixture.labels_, np.repeat([0, 1, 2], 1500)) > 0.96


def test_a_small_class_is_no_modality():
    x = torch.cat([walks(2000, 101), walks(250, 102, order=3)])
    assert ModalityMixture().fit(x).n_modalities_ == 2


def test_a_failed_fit_leaves_the_former_one(pile):
    mixture = ModalityMixture().fit(pile[0][:1200])
    labels, samples = mixture.labels_, [len(own) for own in mixture._samples]
    with pytest.raises(ValueError, match="got modalities=9"):
        mixture.set_params(modalities=9).fit(pile[0][:900])
    assert (mixture.labels_ == labels).all()
    assert [len(own) for own in mixture._samples] == samples


def test_a_few_of_a_second_modality_are_found():
    x = torch.cat([walks(2000, 0), walks(250, 1, order=3)])
    mixture = ModalityMixture().fit(x)
    assert mixture.n_modalities_ == 2
    assert right(mixture.labels_, np.repeat([0, 1], [2000, 250])) > 0.97


def test_graphs_are_those_of_the_modalities(fitted):
    graphs = fitted.graphs
    assert graphs is fitted.graphs
    assert [graph.num_nodes for graph in graphs] == [NODES] * 3
    assert graphs[1].lattice.shape == (6, 6)


def test_a_file_predicts_the_same(pile, fitted, tmp_path):
    fitted.save(tmp_path / "m.safetensors")
    loaded = ModalityMixture.load(tmp_path / "m.safetensors")
    assert (loaded.predict(pile[0]) == fitted.predict(pile[0])).all()
    assert loaded.get_params() == fitted.get_params()
    assert (loaded.labels_ == fitted.labels_).all()
    assert all(torch.equal(a.edge_index, b.edge_index) for a, b in zip(loaded.graphs, fitted.graphs, strict=True))
    loaded.save(tmp_path / "again.safetensors")
    assert (ModalityMixture.load(tmp_path / "again.safetensors").predict(pile[0]) == fitted.predict(pile[0])).all()
    (tmp_path / "m.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        ModalityMixture.load(tmp_path / "m.safetensors")


def test_the_same_seed_gives_the_same_bits(pile, fitted):
    again = ModalityMixture().fit(pile[0])
    assert (again.labels_ == fitted.labels_).all()
    assert (again.score_samples(pile[0][:50]) == fitted.score_samples(pile[0][:50])).all()


def test_the_number_may_be_known(pile):
    assert ModalityMixture(3).fit(pile[0]).n_modalities_ == 3
    assert ModalityMixture(2).fit(pile[0]).n_modalities_ == 2
    with pytest.raises(ValueError, match="these samples have 3 wirings, got modalities=5"):
        ModalityMixture(5).fit(pile[0])


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (torch.zeros(5, 4), {}, "all 5 samples of 4 nodes are constant"),
        (torch.rand(5, 4, 2), {}, r"samples \[S, N\].*got \[5, 4, 2\]"),
        (torch.tensor([[0.0, torch.nan, 1.0]] * 4), {}, "NaN or infinity"),
        (torch.rand(5, 4), {"modalities": 0}, "modalities must be a positive integer or 'auto', got 0"),
        (torch.rand(5, 4), {"components": 2.5}, "components must be a positive integer, got 2.5"),
        ([*torch.rand(20, 4), *torch.rand(20, 5)], {"modalities": 1}, "2 different lengths"),
        ([torch.rand(4), torch.rand(2, 2), torch.rand(3)], {}, r"sample 1 must be \[N\], got \[2, 2\]"),
        (np.array([["a", "b"]] * 3), {}, "real numbers"),
    ],
)
def test_bad_input(x, options, message):
    with pytest.raises(ValueError, match=message):
        ModalityMixture(**options).fit(x)


def test_before_a_fit():
    with pytest.raises(ValueError, match="not fitted yet"):
        ModalityMixture().predict(torch.rand(3, 4))
    assert repr(ModalityMixture(3)) == "ModalityMixture(modalities=3)"


@pytest.mark.filterwarnings("ignore:Estimator ModalityMixture does not inherit:UserWarning")
def test_scikit_learn():
    check_estimator(ModalityMixture(), on_skip=None)


def test_names_of_columns_are_kept(tmp_path):
    x = torch.randn(120, 8, generator=torch.Generator().manual_seed(0)).cumsum(1).numpy()
    frame = pandas.DataFrame(x, columns=[f"sensor {i}" for i in range(8)])
    mixture = ModalityMixture(components=2).fit(frame)
    assert list(mixture.feature_names_in_) == list(frame.columns)
    assert list(mixture.graphs[0].names) == list(frame.columns)
    assert (mixture.predict(frame) == mixture.labels_).all()
    mixture.save(tmp_path / "m.safetensors")
    for known in (mixture, ModalityMixture.load(tmp_path / "m.safetensors")):
        with pytest.raises(ValueError, match=r"feature names should match.*sensor 7, sensor 6.* for sensor 0"):
            known.predict(frame[frame.columns[::-1]])
        assert (known.predict(x) == mixture.labels_).all()
    assert not hasattr(mixture.fit(x), "feature_names_in_")
