import io
import tarfile
import zipfile

import numpy as np
import pytest
import scipy.io.wavfile
import torch

from scge_pyg.datasets import FSDDNodes

RNG = np.random.default_rng(0)
SOUNDS = {
    f"{digit}_ann_{take}": RNG.integers(-(2**15), 2**15, size, dtype=np.int16)
    for digit, take, size in ((3, 0, 25), (1, 4, 40), (1, 5, 32), (0, 11, 21), (7, 49, 30))
}


def wav(sound, rate=8000):
    file = io.BytesIO()
    scipy.io.wavfile.write(file, rate, sound)
    return file.getvalue()


def archive(sounds, **extra):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        target.writestr("free-spoken-digit-dataset-1.0.10/README.md", "digits")
        for name, sound in reversed(sounds.items()):
            target.writestr(f"free-spoken-digit-dataset-1.0.10/recordings/{name}.wav", wav(sound))
        for name, content in extra.items():
            target.writestr(f"recordings/{name}.wav", content)
    return {"v1.0.10.zip": file.getvalue()}


def test_windows_of_both_splits(raw_folder):
    root = raw_folder(FSDDNodes, archive(SOUNDS))
    train = FSDDNodes(root, length=10)
    expected = [SOUNDS[name] for name in ("0_ann_11", "1_ann_5", "7_ann_49")]
    cut = np.concatenate([sound[: len(sound) // 10 * 10].reshape(-1, 10) for sound in expected])
    assert torch.equal(train.x[:, :, 0], torch.from_numpy(cut).float() / 2**15)
    assert train.y.tolist() == [0, 0, 1, 1, 1, 7, 7, 7]
    assert train.recording.tolist() == [0, 0, 1, 1, 1, 2, 2, 2]
    assert train[3:].recording.tolist() == [1, 1, 2, 2, 2]
    test = FSDDNodes(root, train=False, length=10, hop=5)
    assert test.y.tolist() == [1] * 7 + [3] * 4
    assert torch.equal(test.x[7:, :, 0], torch.from_numpy(SOUNDS["3_ann_0"]).unfold(0, 10, 5).float() / 2**15)


def test_whole_recordings(raw_folder):
    ds = FSDDNodes(raw_folder(FSDDNodes, archive(SOUNDS)), length=31, whole=True)
    assert ds.x.shape == (3, 31, 1)
    assert ds.y.tolist() == [0, 1, 7]
    for row, name in enumerate(("0_ann_11", "1_ann_5", "7_ann_49")):
        sound = torch.from_numpy(SOUNDS[name][:31]).float() / 2**15
        assert torch.equal(ds.x[row, : len(sound), 0], sound)
        assert not ds.x[row, len(sound) :].any()


def test_the_tar_of_recordings(raw_folder):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as target:
        for name, sound in SOUNDS.items():
            info = tarfile.TarInfo(f"recordings/{name}.wav")
            content = wav(sound)
            info.size = len(content)
            target.addfile(info, io.BytesIO(content))
    root = raw_folder(FSDDNodes, {"fsdd_recordings.tar.gz": file.getvalue()})
    assert FSDDNodes(root, length=10).y.tolist() == [0, 0, 1, 1, 1, 7, 7, 7]


def test_bad_archives_are_refused(raw_folder):
    root = raw_folder(FSDDNodes, archive(SOUNDS))
    with pytest.raises(ValueError, match="length is 22, but the recording has 21 steps"):
        FSDDNodes(root, length=22)
    for extra, message in (
        ({"hello": b""}, "holds hello.wav, which isn't named"),
        (
            {"1_ann_6": wav(SOUNDS["1_ann_5"], 16000)},
            r"1_ann_6.wav .* must be one channel of int16 at 8000 Hz, got .*16000",
        ),
        ({"1_ann_6": b"nonsense"}, "1_ann_6.wav in .* is no readable wave file"),
        ({"../../1_ann_6": wav(SOUNDS["1_ann_5"])}, "would leave the folder"),
    ):
        raw_folder(FSDDNodes, archive(SOUNDS, **extra))
        with pytest.raises(ValueError, match=message):
            FSDDNodes(root, length=10, force_reload=True)
    raw_folder(FSDDNodes, archive({"1_ann_0": SOUNDS["1_ann_4"]}))
    with pytest.raises(ValueError, match="no recording of this split"):
        FSDDNodes(root, force_reload=True)
