"""What a data module makes of text tables and data frames: the columns that are nodes, and the words of classes."""

import numpy as np
import pytest
import torch

from scge_pyg.train import NodesDataModule

X, Y = torch.randn(40, 5, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 3


def loaded(*args, **options):
    data = NodesDataModule(*args, **{"batch_size": 4, **options})
    data.setup()
    return data


def waves(folder, name="waves.csv", columns=("t0", "t1", "t2", "t3"), words=("calm", "storm"), count=40, **options):
    """A frame of readings with a column of words, and its file as pandas writes it."""
    pandas = pytest.importorskip("pandas")

    values = np.random.default_rng(100).normal(size=(count, len(columns))).round(3)
    frame = pandas.DataFrame(values, columns=list(columns))
    frame["label"] = [words[number % len(words)] for number in range(count)]
    frame.to_csv(folder / name, **{"index": False, **options})
    return frame, folder / name


def test_row_numbers_and_times_are_no_nodes(tmp_path):
    frame, plain = waves(tmp_path)
    expected = loaded(plain, target="label")
    assert expected.names == ("t0", "t1", "t2", "t3")
    _, numbered = waves(tmp_path, "numbered.csv", index=True)
    with pytest.warns(UserWarning, match="left out row-number column"):
        data = loaded(numbered, target="label")
    assert data.names == expected.names
    assert torch.equal(data.training_samples, expected.training_samples)
    timed = frame.assign(time=[f"2024-01-01 00:{minute:02d}" for minute in range(40)])
    timed.to_csv(tmp_path / "timed.csv", index=False)
    with pytest.warns(UserWarning, match='left out time column "time"'):
        assert loaded(tmp_path / "timed.csv", target="label").names == expected.names
    assert loaded(tmp_path / "timed.csv", target="label", drop="time").names == expected.names
    assert loaded(plain, target="label", columns="t2,t0").names == ("t2", "t0")


def test_tables_are_read_as_discover_reads_them(tmp_path):
    frame, plain = waves(tmp_path)
    expected = loaded(plain, target="label").training_samples
    _, semicolons = waves(tmp_path, "semicolons.csv", sep=";", decimal=",")
    assert torch.equal(loaded(semicolons, target="label").training_samples, expected)
    waves(tmp_path, "packed.csv.gz")
    assert torch.equal(loaded(tmp_path / "packed.csv.gz", target=-1).training_samples, expected)
    assert torch.equal(loaded(plain, target="4").training_samples, expected)
    frame.loc[3, "t1"] = np.nan
    frame.to_csv(tmp_path / "gaps.csv", index=False, na_rep="n/a")
    with pytest.raises(ValueError, match="1 of 160 values are missing"):
        loaded(tmp_path / "gaps.csv", target="label")


def test_frames_and_words_are_what_the_file_holds(tmp_path):
    frame, path = waves(tmp_path)
    expected = loaded(path, target="label")
    for data in (loaded(frame, target="label"), loaded(frame.drop(columns="label"), frame["label"])):
        assert data.classes == ("calm", "storm")
        assert data.names == expected.names
        assert torch.allclose(data.rows["train"].x, expected.rows["train"].x)
        assert torch.equal(data.rows["train"].y, expected.rows["train"].y)


def test_columns_and_kinds_that_are_not_there(tmp_path):
    _, path = waves(tmp_path)
    with pytest.raises(ValueError, match=r"target: .* has no column 'labl'; close to it: 'label'"):
        loaded(path, target="labl")
    (tmp_path / "alone.csv").write_text("label\na\nb\n")
    with pytest.raises(ValueError, match="no column is left to be a node"):
        loaded(tmp_path / "alone.csv", target="label")
    (tmp_path / "sheet.xlsx").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"unknown kind '.xlsx'; known are .csv, .csv.gz, .*save a sheet as .csv"):
        loaded(tmp_path / "sheet.xlsx")
    with pytest.raises(ValueError, match="is a folder; known are"):
        loaded(tmp_path)
    with pytest.raises(ValueError, match="columns, drop and header are about"):
        loaded(X, Y, drop="1")
    large = X.double().clone()
    large[0] = 1e300
    with pytest.raises(ValueError, match=r"5 values beyond the range of float32, up to 1e\+300; scale them"):
        loaded(large, Y)
