"""Archives are read without unpacking, hostile ones refused; downloads appear only when their sum is right."""

import hashlib
import io
import tarfile
import zipfile

import pytest

from scge_pyg.datasets.raw_files import check_sum, fetch, members

HOSTILE = ["../evil.wav", "/etc/evil.wav", "a/../../evil.wav", "C:/evil.wav", "..\\evil.wav", "a/b/../../../evil"]
HARMLESS = {"b/two.wav": b"2", "a/one.wav": b"1", "a/../one.wav": b"0", "notes.txt": b"-", "./three.wav": b"3"}


def write_tar(path, content, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def write_zip(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_members_come_in_order_and_nothing_is_written(tmp_path, write):
    path = tmp_path / "archive"
    write(path, HARMLESS)
    expected = sorted((name, data) for name, data in HARMLESS.items() if name.endswith(".wav"))
    assert list(members(path, ".wav", "here")) == expected
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [write_tar, write_zip])
@pytest.mark.parametrize("name", HOSTILE)
def test_an_archive_that_leaves_its_folder_is_refused_before_anything_is_read(tmp_path, write, name):
    path = tmp_path / "archive"
    write(path, {**HARMLESS, name: b"!"})
    with pytest.raises(ValueError, match=r"here: .*archive is refused, its member '.*evil.*' would leave the folder"):
        next(members(path, ".wav", "here"))


@pytest.mark.parametrize(
    ("name", "link", "kind", "refused"),
    [
        ("a/link", "../../etc/passwd", tarfile.SYMTYPE, True),
        ("a/link", "/etc/passwd", tarfile.SYMTYPE, True),
        ("a/link", "../b/two.wav", tarfile.SYMTYPE, False),
        ("a/link", "../b/two.wav", tarfile.LNKTYPE, True),
        ("a/link", "b/two.wav", tarfile.LNKTYPE, False),
    ],
)
def test_links_that_leave_the_folder_are_refused(tmp_path, name, link, kind, refused):
    path = tmp_path / "archive.tar"
    write_tar(path, HARMLESS, "w")
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        archive.addfile(info)
    if refused:
        with pytest.raises(ValueError, match="would leave the folder"):
            next(members(path, ".wav", "here"))
    else:
        assert len(list(members(path, ".wav", "here"))) == 4


@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_damaged_archives_are_refused(tmp_path, write):
    path = tmp_path / "archive"
    write(path, {"one.wav": bytes(range(256)) * 100})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"archive is damaged or no tar or zip archive"):
        list(members(path, ".wav", "here"))
    path.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="archive is damaged or no tar or zip archive"):
        list(members(path, ".wav", "here"))


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_a_download_appears_only_with_the_right_sum(tmp_path, monkeypatch, kind):
    asked = []

    def serve(url, timeout):
        asked.append(url)
        return io.BytesIO(b"content")

    monkeypatch.setattr("urllib.request.urlopen", serve)
    target = tmp_path / "file.csv"
    with pytest.raises(ValueError, match=r"here: .* has the (MD5|SHA-256) sum .* but file.csv as published has 0{32}"):
        fetch("https://there/file.csv", target, "0" * (32 if kind == "md5" else 64), "here", "do this")
    assert not list(tmp_path.iterdir())
    fetch("https://there/file.csv", target, hashlib.new(kind, b"content").hexdigest(), "here", "do this")
    assert target.read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == [target]
    assert asked == ["https://there/file.csv"] * 2
    check_sum(target, "file.csv", None, "here")


def test_a_broken_download_leaves_nothing(tmp_path, monkeypatch):
    class Broken(io.BytesIO):
        def read(self, *args):
            raise OSError("the line went dead")

    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: Broken())
    with pytest.raises(OSError, match=r"here: could not download https://there/x \(the line went dead\); do this"):
        fetch("https://there/x", tmp_path / "x", None, "here", "do this")
    assert not list(tmp_path.iterdir())
