import hashlib

import pytest


@pytest.fixture
def raw_folder(tmp_path, monkeypatch):
    """Maker of raw files with their sums, in a folder that SCGE_DATA names; nothing can be downloaded."""

    def refuse(*args, **kwargs):
        raise OSError("no network in tests")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setenv("SCGE_DATA", str(tmp_path / "data"))

    def write(dataset, files, sums=True):
        folder = tmp_path / "data" / dataset.name
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        if sums:
            found = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
            monkeypatch.setattr(dataset, "checksums", found)
        return tmp_path / "root"

    return write
