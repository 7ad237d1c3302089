import pytest
import torch

from scge_pyg.datasets import DigitsNodes

sklearn_datasets = pytest.importorskip("sklearn.datasets")


def test_values_labels_and_cells():
    ds = DigitsNodes()
    digits = sklearn_datasets.load_digits()
    row, col = ds.cells.unbind(1)
    images = torch.from_numpy(digits.images)
    assert torch.equal(ds.x[:, :, 0].double() * 16, images[:, row, col])
    assert ds.y.tolist() == digits.target.tolist()
    assert int((ds.x.std(0) > 0.02).sum()) == 53
