"""The peers of the particle code: their coder against closed forms, each method on textures, an interrupted run."""

import importlib
import json
import math
import sys
from itertools import combinations, pairwise, product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.linear_model import orthogonal_mp

from scge_pyg.models.autoencoders import ConvAutoEncoder, MLPAutoEncoder, PCAAutoEncoder


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def module_of(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    monkeypatch.chdir(tmp_path)
    return importlib.import_module


def textures(count, seed):
    """Smooth noise of 28x28 pixels in [0, 1]: ``[count, 784]`` float32."""
    noise = torch.randn(count, 1, 34, 34, generator=torch.Generator().manual_seed(seed))
    profile = torch.exp(-torch.linspace(-1.5, 1.5, 7).square())
    smooth = torch.nn.functional.conv2d(noise, torch.outer(profile, profile)[None, None])
    return (0.5 + 0.5 * smooth / smooth.abs().max()).view(count, 784)


# the coder


def test_a_fine_uniform_quantiser_of_a_gaussian_loses_a_quarter_bit(module_of):
    coding, step = module_of("cgae_coding"), 0.05
    x = np.random.default_rng(0).normal(0, 2, (400_000, 1))
    coder = coding.ScalarCoder(x[:200_000], step)
    cells = coder.encode(x[200_000:])
    error = np.square(x[200_000:] - coder.decode(cells)).mean()
    bits = coder.bits(cells).mean()
    assert error == pytest.approx(step**2 / 12, rel=0.02)
    assert bits == pytest.approx(0.5 * math.log2(2 * math.pi * math.e * 4) - math.log2(step), abs=0.01)
    ideal, reached = coding.gaussian_rate_distortion(np.array([4.0]), np.array([error]))
    assert reached == pytest.approx(error)
    assert bits - ideal.item() == pytest.approx(0.5 * math.log2(math.pi * math.e / 6), abs=0.01)  # 0.2546


def test_lengths_are_those_of_a_code_and_points_are_means(module_of):
    rng = np.random.default_rng(0)
    x = rng.normal(0, [1, 3, 0.1], (500, 3))
    step = np.array([0.5, 2.0, np.inf])
    coder = module_of("cgae_coding").ScalarCoder(x, step)
    start = [*coder.start, len(coder.length)]
    for a, b in pairwise(start):
        assert np.exp2(-coder.length[a:b]).sum() == pytest.approx(1)
    cells, far = coder.encode(x), coder.encode(np.array([[1e3, -1e3, 1e3]]))
    for j in range(3):
        own = np.rint(x[:, j] / step[j])
        for value in np.unique(own):
            assert coder.decode(cells)[own == value, j] == pytest.approx(x[own == value, j].mean())
    assert coder.decode(far)[0, :2] == pytest.approx([coder.point[cells[:, 0].max()], coder.point[cells[:, 1].min()]])
    assert coder.decode(far)[0, 2] == pytest.approx(x[:, 2].mean())
    assert coder.bits(cells) == pytest.approx(coder.length[cells[:, 0]] + coder.length[cells[:, 1]])


def test_water_filling_is_the_best_division_of_bits(module_of):
    variance = np.array([4.0, 1.0, 0.3, 0.05])
    bits, error = module_of("cgae_coding").gaussian_rate_distortion(variance, np.array([0.5, 0.02]))
    for total, least in zip(bits, error, strict=True):
        best = minimize(
            lambda rate: (variance * np.exp2(-2 * rate)).sum(),
            np.full(4, total / 4),
            bounds=[(0, None)] * 4,
            constraints={"type": "eq", "fun": lambda rate, total=total: rate.sum() - total},
            options={"ftol": 1e-12},
        )
        assert least == pytest.approx(best.fun, rel=1e-5)


def test_steps_are_the_best_of_all_combinations(module_of):
    coding, slope = module_of("cgae_coding"), 0.02
    x = np.random.default_rng(0).normal(0, [2, 1, 0.1], (20_000, 3))
    points = coding.operating_points(x, np.array([0.2, 0.4, 0.8, 1.6]))
    chosen = coding.steps_at(points, slope)
    assert list(chosen) == [0.4, 0.4, np.inf]  # sqrt(6 slope / ln 2) = 0.416; the last is below the water
    costs = {}
    for steps in product([0.2, 0.4, 0.8, 1.6, np.inf], repeat=3):
        coder = coding.ScalarCoder(x, np.array(steps))
        cells = coder.encode(x)
        costs[steps] = np.square(x - coder.decode(cells)).sum(1).mean() + slope * coder.bits(cells).mean()
    assert min(costs, key=costs.get)[:2] == tuple(chosen[:2])
    assert costs[tuple(chosen)] == pytest.approx(min(costs.values()))


# curves


def test_a_curve_is_the_lower_convex_hull_of_the_validation(module_of):
    curves = module_of("cgae_curves")
    points = np.random.default_rng(0).uniform(1, 10, (60, 2))
    hull = curves.curve(curves.Candidate({"i": i}, tuple(p), (p[0], -p[1])) for i, p in enumerate(points))
    bits, error = np.array([c.valid for c in hull]).T
    assert (np.diff(bits) > 0).all()
    assert (np.diff(error) < 0).all()
    assert (np.diff(np.diff(error) / np.diff(bits)) > 0).all()
    assert all(error_at <= p[1] + 1e-12 for p in points if (error_at := curves.error_at([c.valid for c in hull], p[0])))
    assert [c.test for c in hull] == [(b, -e) for b, e in zip(bits, error, strict=True)]


# transforms


def test_an_autoencoder_that_is_pca_has_its_curve(module_of, monkeypatch):
    transforms, split = module_of("cgae_transforms"), module_of("cgae_curves").Split
    monkeypatch.setattr(transforms, "_COMPONENTS", 20)
    x = textures(450, 0)
    data = split(*(part.numpy() for part in x.split(150)))
    model = PCAAutoEncoder(784, 1, 20).fit(x[:150, :, None])
    turn = torch.linalg.qr(torch.randn(20, 20, generator=torch.Generator().manual_seed(0)))[0]
    stretched = SimpleNamespace(  # as a trained network would: codes turned, and ten times as large
        encode=lambda x: 10 * model.encode(x) @ turn, decode=lambda z: model.decode(z @ turn.T / 10)
    )
    ours = list(transforms.autoencoder_candidates(stretched, data, {}))
    theirs = list(transforms.pca(data, False))
    assert len({c.test for c in ours}) > 10
    for a, b in zip(ours, theirs, strict=True):
        assert a.test == pytest.approx(b.test, rel=0.01)


def test_the_metric_of_a_linear_decoder_is_its_gram_matrix(module_of):
    torch.manual_seed(0)
    model = MLPAutoEncoder(20, 1, 3, hidden=())
    metric = module_of("cgae_transforms").decoder_metric(model, torch.randn(30, 3))
    weight = model.up[-1].weight.detach().double()
    torch.testing.assert_close(metric, weight.T @ weight, rtol=1e-5, atol=1e-6)


# pursuit


def test_pursuit_is_scikit_learns(module_of):
    pursuit, rng = module_of("cgae_pursuit"), torch.Generator().manual_seed(0)
    atoms = pursuit.Atoms(torch.randn(30, 20, generator=rng))
    x = torch.randn(7, 20, generator=rng)
    index, amplitude = pursuit.pursuit(atoms, x, 5)
    weight = atoms.weight.detach().numpy()
    for n in range(1, 6):
        found = np.zeros((7, 30))
        np.put_along_axis(found, index.numpy(), amplitude[:, n - 1].numpy(), 1)
        np.testing.assert_allclose(found, orthogonal_mp(weight.T, x.numpy().T, n_nonzero_coefs=n).T, atol=1e-4)


def test_filters_are_atoms_at_every_pixel_cut_at_the_border(module_of):
    rng = torch.Generator().manual_seed(0)
    filters = module_of("cgae_pursuit").Filters(torch.randn(2, 3, 3, generator=rng), (4, 5))
    atoms = filters.atoms(torch.arange(40)[None])[0].detach()
    weight = filters.weight.detach()
    for k, i, j in product(range(2), range(4), range(5)):
        canvas = torch.zeros(6, 7)
        canvas[i : i + 3, j : j + 3] = weight[k]
        torch.testing.assert_close(atoms[k * 20 + i * 5 + j].view(4, 5), canvas[1:-1, 1:-1])
    x = torch.randn(3, 20, generator=rng)
    torch.testing.assert_close(filters.correlate(x).detach(), x @ atoms.T)
    torch.testing.assert_close(filters.norms().detach(), atoms.norm(dim=1))
    torch.testing.assert_close(weight.flatten(1).norm(dim=1), torch.ones(2))


def test_learning_lowers_the_error_of_planted_filters(module_of):
    pursuit, rng = module_of("cgae_pursuit"), torch.Generator().manual_seed(0)
    true = pursuit.Filters(torch.randn(2, 5, 5, generator=rng), (12, 12))
    place = torch.stack([torch.randint(144, (300,), generator=rng), 144 + torch.randint(144, (300,), generator=rng)], 1)
    x = true.atoms(place).detach().sum(1)
    model = pursuit.Filters(true.weight.detach() + 0.15 * torch.randn(2, 5, 5, generator=rng), (12, 12))

    def error():
        index, amplitude = pursuit.pursuit(model, x, 2)
        return (x - (amplitude[:, -1:] @ model.atoms(index))[:, 0]).square().sum(1).mean().item()

    before = error()
    pursuit.learn(model, x, 2, epochs=10)
    assert error() < 0.2 * before


# dictionaries


def test_names_of_parts_are_a_code_of_sets(module_of):
    bits = module_of("cgae_dictionaries").part_bits
    pairs = np.array(list(combinations(range(6), 2)))
    assert bits(np.zeros(6), pairs)[0] == pytest.approx([0, math.log2(6), 2 * math.log2(6) - 1])
    usage = np.array([9.5, 4.5, 2.5, 1.5, 0.5, 0.5])
    p = (usage + 0.5) / (usage + 0.5).sum()
    own = bits(usage, pairs)[:, 2]
    assert np.exp2(-own).sum() == pytest.approx(1 - np.square(p).sum())  # the rest are pairs of one atom with itself


def test_planted_sparse_codes_cost_what_they_hold(module_of):
    dictionaries, rng = module_of("cgae_dictionaries"), np.random.default_rng(0)
    index = np.argsort(rng.random((1_200, 16)), 1)[:, :3]
    x = torch.zeros(1_200, 50)
    x[np.arange(1_200)[:, None], index] = 4.0
    number = rng.integers(2, size=1_200) * 2 + 1  # one part or three
    x[np.arange(1_200)[number == 1, None], index[number == 1, 1:]] = 0
    atoms = module_of("cgae_pursuit").Atoms(torch.eye(50)[:16])
    found = dictionaries.sparse_candidates(atoms, x[:800], x[800:1_000], x[1_000:], 3, {})
    bits, error = min((c.test for c in found), key=lambda point: (round(point[1], 3), point[0]))
    own = {1: math.log2(16), 3: 3 * math.log2(16) - math.log2(6)}
    assert error == pytest.approx(0, abs=1e-3)
    assert bits == pytest.approx(1 + np.mean([own[n] for n in number[1_000:]]), abs=0.1)


# k-means


def test_nearest_centres_and_their_code(module_of):
    kmeans, rng = module_of("cgae_kmeans"), np.random.default_rng(0)
    x, centers = rng.normal(size=(50, 5)), rng.normal(size=(7, 5))
    index, square = kmeans.nearest(centers, x)
    distance = cdist(x, centers, "sqeuclidean")
    np.testing.assert_array_equal(index, distance.argmin(1))
    np.testing.assert_allclose(square, distance.min(1))
    bits, error = kmeans.kmeans_code(centers, np.array([0] * 6 + [3.0]), x)
    length = -np.log2(np.array([0.5] * 6 + [3.5]) / 6.5)
    assert (bits, error) == pytest.approx((length[index].mean(), distance.min(1).mean()))


def test_argmax_kmeans_is_the_librarys_from_the_same_starts(module_of):
    argmax, x = module_of("cgae_argmax"), textures(200, 0).double().numpy()
    theirs = KMeans(8, init=x[:8], n_init=1, max_iter=100, tol=0).fit(x)
    np.testing.assert_allclose(argmax.argmax_kmeans(x, x[:8]), theirs.cluster_centers_, atol=1e-8)


def test_far_starts_die_in_argmax_kmeans_and_stay(module_of):
    argmax, x = module_of("cgae_argmax"), textures(200, 0).double().numpy()
    start = np.concatenate([x[:4], x[:4] + 50])
    for run in (argmax.argmax_kmeans, argmax.argmax_batches):
        centers = run(x, start)
        np.testing.assert_array_equal(centers[4:], start[4:])
        assert np.unique(module_of("cgae_kmeans").nearest(centers, x)[0]).max() < 4


def test_batches_leave_each_centre_at_the_mean_of_what_it_was_given(module_of):
    x = textures(250, 0).double().numpy()
    centers = module_of("cgae_argmax").argmax_batches(x, x[:1])
    np.testing.assert_allclose(centers, x.mean(0, keepdims=True))


# the command


def strokes(count, seed):
    """A bright bar at a random place on black, of two directions: ``[count, 784]``."""
    rng = np.random.default_rng(seed)
    x = np.zeros((count, 28, 28), np.float32)
    for image in x:
        i, j = rng.integers(4, 18, 2)
        image[(slice(i, i + 7), slice(j, j + 2)) if rng.random() < 0.5 else (slice(i, i + 2), slice(j, j + 7))] = 1
    return torch.from_numpy(x).flatten(1)


@pytest.fixture
def peers(module_of, monkeypatch):
    module, curves, transforms = map(module_of, ("cgae_peers", "cgae_curves", "cgae_transforms"))

    def dataset(root, train=True):
        x = strokes(*(320, 0) if train else (60, 1))
        return SimpleNamespace(x=x[:, :, None], y=torch.arange(len(x)) % 10)

    monkeypatch.setattr(curves, "_KINDS", {"mnist": dataset, "fashion_mnist": dataset})
    monkeypatch.setattr(curves, "_VALID", 60)
    dictionaries = module_of("cgae_dictionaries")
    monkeypatch.setattr(dictionaries, "_STEPS", (0.5, 1.0))
    for part in (dictionaries, transforms):
        monkeypatch.setattr(part, "_SLOPES", (0.02, 0.1, 0.5))
    small = {
        "mlp": lambda latent: MLPAutoEncoder(784, 1, latent, hidden=(32,)),
        "conv": lambda latent: ConvAutoEncoder((28, 28), 1, latent, channels=(4, 8), hidden=32),
    }
    for name, make in small.items():
        monkeypatch.setitem(transforms._AUTOENCODERS, name, (make, 1e-2))
    yield module
    curves.split.cache_clear()
    curves._dataset.cache_clear()


def run(module, monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["cgae_peers.py", *options])
    module.main()


def test_every_method_gives_a_curve_and_an_interrupted_run_goes_on(peers, monkeypatch, capsys):
    first = [m for m in peers.METHODS if m not in ("conv", "linear")]
    run(peers, monkeypatch, "--quick", "--output", "r.json", "--methods", *first)
    run(peers, monkeypatch, "--quick", "--output", "r.json", "--methods", *peers.METHODS, "--resume")
    records = json.loads(Path("r.json").read_text())["records"]
    assert [r["method"] for r in records] == [*first, "linear", "conv"]
    x, test = strokes(320, 0)[:260].numpy(), strokes(60, 1).numpy()
    spread = np.square(test - x.mean(0)).sum(1).mean()
    found = {method: points for (_, method), points in peers.curves(records).items()}
    for method, points in found.items():
        assert (np.diff([bits for bits, _ in points]) > 0).all()
        assert points[-1][1] < 1.05 * spread, method  # small networks, few steps
    table = capsys.readouterr().out.split("records:")[1]
    for method, (what, _) in peers.METHODS.items():
        row = next(line for line in table.split("\n") if f"| {what} " in line)
        assert row.split("|")[7].strip() == f"{peers.error_at(found[method], 60):.2f}"
    assert peers.error_at(found["convolutional"], 60) < 0.1 * peers.error_at(found["pca"], 60)  # two bars that move


def test_k_means_is_compared_in_all_variants(peers, monkeypatch, capsys):
    run(peers, monkeypatch, "--quick", "--output", "k.json", "--methods", "argmax")
    records = json.loads(Path("k.json").read_text())["records"]
    assert len(records) == 9 * 3 * 2
    mean = {
        variant: np.mean([r["inertia"] for r in records if r["variant"] == variant and r["K"] == 20])
        for variant in importlib.import_module("cgae_argmax").VARIANTS
    }
    assert mean["library"] <= mean["library-once"] == pytest.approx(mean["argmax-plus"], rel=0.05)
    assert mean["library"] < mean["argmax-images"] < mean["batches-noise"]
    assert "argmax, random images as starts" in capsys.readouterr().out
