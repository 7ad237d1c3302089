import gzip
import hashlib
import pickle
import struct

import pytest
import torch

from scge_pyg.datasets import FashionMNISTNodes, MNISTNodes
from scge_pyg.datasets.mnist import read_idx


def idx(values):
    header = bytes([0, 0, 8, values.dim()]) + struct.pack(f">{values.dim()}i", *values.shape)
    return gzip.compress(header + values.numpy().tobytes())


def write_raw(folder, seed=0):
    """Tiny files with the public names, and their sums."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(seed)
    truth, sums = {}, {}
    for split, count in (("train", 6), ("t10k", 3)):
        images = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)
        labels = torch.randint(0, 10, (count,), dtype=torch.uint8, generator=generator)
        truth[split] = images, labels
        for name, values in ((f"{split}-images-idx3-ubyte.gz", images), (f"{split}-labels-idx1-ubyte.gz", labels)):
            content = idx(values)
            (folder / name).write_bytes(content)
            sums[name] = hashlib.md5(content).hexdigest()
    return truth, sums


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network in tests")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.delenv("SCGE_DATA", raising=False)


@pytest.mark.parametrize("dataset", [MNISTNodes, FashionMNISTNodes])
@pytest.mark.parametrize("train", [True, False])
def test_raw_files_become_samples(tmp_path, monkeypatch, dataset, train):
    truth, sums = write_raw(tmp_path / "raw")
    monkeypatch.setattr(dataset, "checksums", sums)
    ds = dataset(tmp_path, train=train)
    images, labels = truth["train" if train else "t10k"]
    assert ds.x.shape == (images.shape[0], 784, 1)
    assert ds.x.dtype == torch.float32
    row, col = ds.cells.unbind(1)
    assert torch.equal(ds.x[:, :, 0], images[:, row, col].float().div_(255))
    assert torch.equal(ds.y, labels.long())
    assert str(ds) == f"{dataset.__name__}({images.shape[0]})"


def test_processed_files_are_used_until_reloaded(tmp_path, monkeypatch):
    truth, sums = write_raw(tmp_path / "raw")
    monkeypatch.setattr(MNISTNodes, "checksums", sums)
    first = MNISTNodes(tmp_path)
    assert [path.suffix for path in (tmp_path / "processed").iterdir()] == [".safetensors"]
    truth, sums = write_raw(tmp_path / "raw", seed=1)
    monkeypatch.setattr(MNISTNodes, "checksums", sums)
    assert torch.equal(MNISTNodes(tmp_path).x, first.x)
    again = MNISTNodes(tmp_path, force_reload=True)
    assert torch.equal(again.x[:, :, 0], truth["train"][0].flatten(1).float().div_(255))


def test_raw_files_are_taken_from_the_data_folder(tmp_path, monkeypatch):
    truth, sums = write_raw(tmp_path / "shared" / "fashion_mnist")
    monkeypatch.setattr(FashionMNISTNodes, "checksums", sums)
    monkeypatch.setenv("SCGE_DATA", str(tmp_path / "shared"))
    ds = FashionMNISTNodes(tmp_path / "own", train=False)
    assert torch.equal(ds.y, truth["t10k"][1].long())
    assert not (tmp_path / "own" / "raw").exists()
    own, sums = write_raw(tmp_path / "own" / "raw", seed=5)
    monkeypatch.setattr(FashionMNISTNodes, "checksums", sums)
    assert torch.equal(FashionMNISTNodes(tmp_path / "own").y, own["train"][1].long())


def test_a_wrong_sum_is_refused(tmp_path):
    write_raw(tmp_path / "raw")
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte.gz has the MD5 sum .* as published has f68b3c2d"):
        MNISTNodes(tmp_path)
    assert not (tmp_path / "processed").exists()


def test_download_checks_and_keeps_nothing_half(tmp_path, monkeypatch):
    truth, sums = write_raw(tmp_path / "server")
    monkeypatch.undo()
    monkeypatch.delenv("SCGE_DATA", raising=False)
    monkeypatch.setattr(MNISTNodes, "checksums", sums)
    monkeypatch.setattr(MNISTNodes, "url", (tmp_path / "server").as_uri() + "/")
    ds = MNISTNodes(tmp_path / "here")
    assert torch.equal(ds.y, truth["train"][1].long())
    assert sorted(path.name for path in (tmp_path / "here" / "raw").iterdir()) == sorted(
        name for name in sums if name.startswith("train")
    )
    monkeypatch.setattr(MNISTNodes, "checksums", dict.fromkeys(sums, "0" * 32))
    with pytest.raises(ValueError, match="as published has 0000"):
        MNISTNodes(tmp_path / "there")
    assert list((tmp_path / "there" / "raw").iterdir()) == []


def test_without_network_the_error_says_where_to_put_the_file(tmp_path):
    with pytest.raises(OSError, match=r"could not download https://.*train-images.*SCGE_DATA"):
        MNISTNodes(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"not gzip at all",
        idx(torch.zeros(2, 3, 3, dtype=torch.uint8))[:-9],
        gzip.compress(bytes([0, 0, 9, 3]) + bytes(12)),
        gzip.compress(bytes([0, 0, 8, 3]) + bytes(5)),
        gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3i", 2, 3, 3) + bytes(17)),
        idx(torch.zeros(4, dtype=torch.uint8)),
        gzip.compress(pickle.dumps([1, 2, 3])),
    ],
)
def test_damaged_idx_files_are_refused(tmp_path, content):
    path = tmp_path / "file.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"file.gz"):
        read_idx(path, 3)


def test_images_and_labels_must_agree(tmp_path, monkeypatch):
    _, sums = write_raw(tmp_path / "raw")
    labels = tmp_path / "raw" / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(idx(torch.zeros(5, dtype=torch.uint8)))
    sums[labels.name] = hashlib.md5(labels.read_bytes()).hexdigest()
    monkeypatch.setattr(MNISTNodes, "checksums", sums)
    with pytest.raises(ValueError, match="6 images and 5 labels"):
        MNISTNodes(tmp_path)
