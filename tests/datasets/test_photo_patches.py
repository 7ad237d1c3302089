import numpy as np
import pytest
import torch

from scge_pyg.datasets import PhotoPatches

sklearn_datasets = pytest.importorskip("sklearn.datasets")


@pytest.fixture(scope="module")
def photos():
    return np.stack(sklearn_datasets.load_sample_images().images).astype(np.float32) / 255


def find(photo, patch):
    """Where a patch was cut from, by comparing every place."""
    height, width = patch.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(photo, (height, width), axis=(0, 1))
    same = np.isclose(windows, np.moveaxis(patch, 2, 0), atol=1e-6).all((2, 3, 4))
    return [tuple(place) for place in np.argwhere(same)]


def test_patches_are_cut_from_the_named_photograph(photos):
    ds = PhotoPatches(5, 7, num_samples=6, seed=1, gray=False)
    assert ds.x.shape == (6, 35, 3)
    assert set(ds.y.tolist()) == {0, 1}
    places = set()
    for x, y in zip(ds.x, ds.y, strict=True):
        patch = np.zeros((5, 7, 3), np.float32)
        patch[ds.cells[:, 0], ds.cells[:, 1]] = x.numpy()
        found = find(photos[int(y)], patch)
        assert found
        places.update(found)
    assert len(places) >= 6


def test_gray_is_luma():
    colour, gray = (PhotoPatches(4, 4, 8, seed=2, gray=gray) for gray in (False, True))
    assert gray.x.shape == (8, 16, 1)
    assert torch.allclose(gray.x[..., 0], colour.x @ torch.tensor([0.299, 0.587, 0.114]), atol=1e-6)
    assert 0 <= float(gray.x.min()) <= float(gray.x.max()) <= 1


def test_the_seed_decides():
    first, same, other = (PhotoPatches(6, 6, 20, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.x, same.x)
    assert not torch.equal(first.x, other.x)


def test_a_mask_keeps_its_pixels():
    mask = torch.zeros(6, 9, dtype=torch.bool)
    mask[1:4, 2:] = True
    mask[2, 4] = False
    whole, part = PhotoPatches(6, 9, 10), PhotoPatches(6, 9, 10, mask=mask)
    assert torch.equal(part.cells, mask.nonzero())
    assert torch.equal(part.x, whole.x[:, mask.flatten()])


def test_points_are_interpolated():
    points = torch.tensor([[0.0, 0.0], [4.0, 6.0], [1.25, 2.5], [4.0, 0.75]])
    whole, part = PhotoPatches(5, 7, 10, gray=False), PhotoPatches(5, 7, 10, gray=False, points=points)
    assert part.cells is None
    assert torch.equal(part.pos, points)
    image = whole.x.view(10, 5, 7, 3)
    assert torch.equal(part.x[:, 0], image[:, 0, 0])
    assert torch.equal(part.x[:, 1], image[:, 4, 6])
    upper = (image[:, 1, 2] + image[:, 1, 3]) / 2
    lower = (image[:, 2, 2] + image[:, 2, 3]) / 2
    assert torch.allclose(part.x[:, 2], 0.75 * upper + 0.25 * lower, atol=1e-6)
    assert torch.allclose(part.x[:, 3], 0.25 * image[:, 4, 0] + 0.75 * image[:, 4, 1], atol=1e-6)


def test_the_largest_patch_is_the_photograph(photos):
    ds = PhotoPatches(427, 640, 1, gray=False)
    assert torch.equal(ds.x[0], torch.from_numpy(photos[int(ds.y[0])]).reshape(-1, 3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"height": 428}, r"1\.\.427 rows and 1\.\.640 columns, got 428x32"),
        ({"width": 0}, "got 32x0"),
        ({"num_samples": 0}, "num_samples must be at least 1, got 0"),
        ({"mask": torch.ones(32, 32)}, r"mask must be bool \[32, 32\]"),
        ({"mask": torch.zeros(32, 32, dtype=torch.bool)}, "with a pixel to keep"),
        ({"points": torch.tensor([[0.0, 31.5]])}, r"within 0\.\.31 rows"),
        ({"points": torch.tensor([[0.0, torch.nan]])}, r"within 0\.\.31 rows"),
        ({"points": torch.rand(4)}, r"points must be \[N, 2\]"),
        ({"mask": torch.ones(32, 32, dtype=torch.bool), "points": torch.rand(4, 2)}, "not both"),
    ],
)
def test_bad_input_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PhotoPatches(**{"num_samples": 2, **options})
