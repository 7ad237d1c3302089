import hashlib
import io
import tarfile

import numpy as np
import pytest
import torch

from scge_pyg.datasets import CIFAR10Nodes

ARCHIVE = "cifar-10-binary.tar.gz"


def add(archive, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def random_images(count, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def write_binary(folder, monkeypatch, cut=0):
    """Batches of one record each, stored out of order."""
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = random_images(6, 0), np.arange(6, dtype=np.uint8)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    with tarfile.open(folder / ARCHIVE, "w:gz") as archive:
        add(archive, "cifar-10-batches-bin/batches.meta.txt", b"airplane\n")
        for i in (3, 1, 5, 0, 2, 4):
            record = labels[i : i + 1].tobytes() + images[i].transpose(2, 0, 1).tobytes()
            add(archive, f"cifar-10-batches-bin/{names[i]}", record[: len(record) - cut])
    digest = hashlib.md5((folder / ARCHIVE).read_bytes()).hexdigest()
    monkeypatch.setattr(CIFAR10Nodes, "checksums", {ARCHIVE: digest})
    return images, labels


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network in tests")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.delenv("SCGE_DATA", raising=False)


def assert_holds(ds, images, labels):
    assert ds.x.shape == (len(images), 1024, 3)
    row, col = ds.cells.unbind(1)
    assert torch.equal(ds.x, torch.from_numpy(images)[:, row, col].float().div_(255))
    assert ds.y.tolist() == list(labels)


def test_the_binary_archive(tmp_path, monkeypatch):
    images, labels = write_binary(tmp_path / "raw", monkeypatch)
    assert_holds(CIFAR10Nodes(tmp_path), images[:5], labels[:5])
    assert_holds(CIFAR10Nodes(tmp_path, train=False), images[5:], labels[5:])


def test_the_archive_is_checked(tmp_path, monkeypatch):
    write_binary(tmp_path / "raw", monkeypatch)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"has the MD5 sum .* as published has c32a1d4a"):
        CIFAR10Nodes(tmp_path)


def test_a_cut_archive_is_refused(tmp_path, monkeypatch):
    write_binary(tmp_path / "raw", monkeypatch, cut=1)
    with pytest.raises(ValueError, match="not a whole number of records"):
        CIFAR10Nodes(tmp_path)


@pytest.mark.parametrize("label_shape", [(-1,), (-1, 1)])
def test_an_npz_in_the_data_folder(tmp_path, monkeypatch, label_shape):
    folder = tmp_path / "cifar10"
    folder.mkdir()
    train, test = random_images(4, 1), random_images(2, 2)
    labels = np.array([3, 0, 9, 1]).reshape(label_shape)
    np.savez_compressed(folder / "small.npz", x_train=train, y_train=labels, x_test=test, y_test=[5, 6])
    monkeypatch.setenv("SCGE_DATA", str(tmp_path))
    assert_holds(CIFAR10Nodes(tmp_path / "own"), train, [3, 0, 9, 1])
    assert_holds(CIFAR10Nodes(tmp_path / "own", train=False), test, [5, 6])


def test_another_npz_is_refused(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    np.savez(raw / "other.npz", x_train=np.zeros((2, 28, 28, 1), np.uint8), y_train=[0, 1])
    with pytest.raises(ValueError, match=r"x_train .* must be uint8 \[S, 32, 32, 3\], got uint8 \[2, 28, 28, 1\]"):
        CIFAR10Nodes(tmp_path)
    np.savez(raw / "other.npz", images=np.zeros(2))
    with pytest.raises(ValueError, match=r"other.npz is damaged or not in a form.*x_train"):
        CIFAR10Nodes(tmp_path)
    (raw / "other.npz").write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(ValueError, match=r"other.npz is damaged"):
        CIFAR10Nodes(tmp_path)


def test_pickled_arrays_are_refused(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    np.savez(raw / "pickled.npz", x_train=np.array([{}], dtype=object), y_train=[0])
    with pytest.raises(ValueError, match="allow_pickle"):
        CIFAR10Nodes(tmp_path)


def test_a_tar_of_class_folders(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    raw = tmp_path / "raw"
    raw.mkdir()
    flat = np.zeros((32, 32, 3), np.uint8)
    with tarfile.open(raw / "images.tgz", "w:gz") as archive:
        for name, shade in (("train/ship/2.jpg", 90), ("train/cat/7.jpeg", 200), ("test/ship/1.png", 30)):
            content = io.BytesIO()
            form = "PNG" if name.endswith("png") else "JPEG"
            image_module.fromarray(flat + np.array([shade, 10, shade], np.uint8)).save(content, form)
            add(archive, f"cifar10/{name}", content.getvalue())
        add(archive, "cifar10/labels.txt", b"cat\nship\n")
    train, test = CIFAR10Nodes(tmp_path), CIFAR10Nodes(tmp_path, train=False)
    assert train.y.tolist() == [1, 0]
    assert train.x[:, :, 0].mean(1).mul(255).tolist() == pytest.approx([90, 200], abs=3)
    assert train.x[:, :, 1].mean(1).mul(255).tolist() == pytest.approx([10, 10], abs=3)
    assert test.x[0, 0].mul(255).tolist() == pytest.approx([30, 10, 30])


def test_a_tar_with_other_images_is_refused(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    raw = tmp_path / "raw"
    raw.mkdir()
    content = io.BytesIO()
    image_module.new("RGB", (30, 32)).save(content, "PNG")
    with tarfile.open(raw / "images.tar", "w") as archive:
        add(archive, "train/cat/1.png", content.getvalue())
    with pytest.raises(ValueError, match=r"train/cat/1.png is 32x30, but every image must be 32x32"):
        CIFAR10Nodes(tmp_path)
    with pytest.raises(ValueError, match="no JPEG or PNG file at test/<class>/"):
        CIFAR10Nodes(tmp_path, train=False)
    (raw / "images.tar").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"images.tar is damaged"):
        CIFAR10Nodes(tmp_path)


def test_several_files_to_choose_from_are_refused(tmp_path, monkeypatch):
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in ("a.npz", "b.npz"):
        np.savez(raw / name, x_train=random_images(1, 0), y_train=[0])
    with pytest.raises(ValueError, match=r"holds a.npz, b.npz; keep the one to read"):
        CIFAR10Nodes(tmp_path)
    images, labels = write_binary(raw, monkeypatch)
    assert_holds(CIFAR10Nodes(tmp_path), images[:5], labels[:5])
