"""What a data module makes of text tables and data frames: the columns that are nodes, and the words of classes."""

import numpy as np
import pytest
import torch

from scge_pyg.graph import SharedGraph
from scge_pyg.train import ClassificationModule, DiscoverGraph, ForecastingModule, NewSamples, NodesDataModule, Run

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


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on a file, its module and the frame."""
    folder = tmp_path_factory.mktemp("known")
    frame, path = waves(folder)
    run = Run(folder / "run", epochs=1, accelerator="cpu")
    run.fit(module(), on(path))
    return run, frame, path


def module():
    return ClassificationModule("NodeMLP", {"hidden": [4]})


def on(x, **options):
    return NodesDataModule(x, **{"target": "label", "batch_size": 4, **options})


def test_columns_in_another_order_give_the_same_answers(trained, tmp_path):
    run, frame, path = trained
    expected = run.predict(module(), on(path))
    frame[frame.columns[::-1]].to_csv(tmp_path / "reversed.csv", index=False)
    data = on(tmp_path / "reversed.csv")
    data.setup()
    assert data.names == ("t3", "t2", "t1", "t0")
    assert torch.equal(run.predict(module(), data), expected)
    assert data.names == ("t0", "t1", "t2", "t3")
    frame.rename(columns={"t1": "u1"}).to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(ValueError, match="other nodes than the run; x lacks 't1'; the run doesn't know 'u1' of x"):
        run.test(module(), on(tmp_path / "other.csv"))
    with pytest.raises(ValueError, match="the run has 4 nodes, x has 3; x lacks 't2'"):
        run.test(module(), on(path, drop="t2"))


def test_a_graph_puts_the_nodes_in_its_order(tmp_path):
    _, path = waves(tmp_path)
    graph = SharedGraph.from_grid((2, 2))
    graph.names = ("t2", "t0", "t3", "t1")
    data = on(path)
    data.remember({}, graph)
    data.setup()
    assert torch.equal(data.discovery_samples, loaded(path, target="label").discovery_samples[:, [2, 0, 3, 1]])
    data.remember({}, SharedGraph.from_grid((2, 3)))
    with pytest.raises(ValueError, match="the graph has 6 nodes, x has 4"):
        data.setup()


def test_a_graph_that_was_in_the_folder_puts_the_nodes_in_its_order_too(tmp_path):
    _, path = waves(tmp_path)
    run = Run(tmp_path / "run", epochs=1, accelerator="cpu")
    graph = SharedGraph.from_grid((2, 2))
    graph.names = ("t2", "t0", "t3", "t1")
    run.folder.path.mkdir()
    graph.save(run.folder.graph_file)
    data = on(path)
    with pytest.warns(UserWarning, match="was there before this start, is taken"):
        run.fit(module(), data, [DiscoverGraph(run.folder.graph_file)])
    assert data.names == graph.names


def test_classes_and_units_are_those_of_the_run(trained, tmp_path):
    run, frame, path = trained
    frame.assign(label="storm").to_csv(tmp_path / "storms.csv", index=False)
    data = on(tmp_path / "storms.csv", test=0.5)
    probability = run.predict(module(), data)
    assert data.rows["test"].y.tolist() == [1] * 20
    assert run.test(module(), data)["test_accuracy"] == pytest.approx((probability.argmax(1) == 1).float().mean())
    shifted = frame.assign(**{name: frame[name] + 5 for name in ("t0", "t1", "t2", "t3")})
    shifted.to_csv(tmp_path / "shifted.csv", index=False)
    first, second = on(path), on(tmp_path / "shifted.csv")
    run.test(module(), first)
    run.test(module(), second)
    assert torch.equal(second.scale[0], first.scale[0])
    assert torch.allclose(second.rows["test"].x - first.rows["test"].x, 5 / first.scale[1], atol=1e-5)
    frame.assign(label=["fog", "storm"] * 20).to_csv(tmp_path / "fog.csv", index=False)
    with pytest.raises(ValueError, match="doesn't know the class 'fog' of 20 samples; it knows 'calm', 'storm'"):
        run.test(module(), on(tmp_path / "fog.csv"))


def test_nothing_to_evaluate_with_is_said(trained):
    run, _, path = trained
    for stage, match in (("predict", "test a larger"), ("test", "test a larger"), ("validate", "val a larger")):
        with pytest.raises(ValueError, match=f"no samples to {stage} with; give {match} share"):
            getattr(run, stage)(module(), on(path, val=0.0, test=0.0))


def test_hints(tmp_path):
    with pytest.warns(UserWarning, match="all 32 samples to train on are of the class '0'"):
        loaded(X, torch.zeros(40, dtype=torch.long))
    with pytest.warns(UserWarning, match="mean 20 and deviation .* not scaled for task='autoencoding'"):
        loaded(X + 20, task="autoencoding")
    assert loaded(X + 20, task="autoencoding", standardize=False).scale is None


def test_empty_columns_are_named(tmp_path):
    frame, _ = waves(tmp_path)
    frame["t2"] = np.nan
    frame.to_csv(tmp_path / "empty.csv", index=False)
    with pytest.raises(ValueError, match="1 nodes have no value in the training samples, 't2'; leave them out"):
        loaded(tmp_path / "empty.csv", target="label")


def test_new_samples_are_answered_as_those_of_the_run(trained, tmp_path):
    run, frame, path = trained
    data = on(path)
    expected = run.predict(module(), data)
    bare = frame[["t3", "t1", "t0", "t2"]]
    bare.to_csv(tmp_path / "bare.csv", index=False)
    frame.assign(note="x").to_csv(tmp_path / "more.csv")
    for x in (tmp_path / "bare.csv", tmp_path / "more.csv", path, bare, frame, frame.iloc[:, :4].to_numpy()):
        new = NewSamples(x, target="label")
        assert torch.allclose(run.predict(module(), new)[data.tested], expected, atol=1e-6), x
        assert new.tested.tolist() == list(range(40))
    assert run.predict(module(), NewSamples(bare.iloc[:1])).shape == (1, 2)
    bare.rename(columns={"t1": "u1"}).to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(ValueError, match="no column 't1'"):
        run.predict(module(), NewSamples(tmp_path / "other.csv"))
    bare.assign(t1=np.nan).to_csv(tmp_path / "gaps.csv", index=False)
    with pytest.raises(ValueError, match="40 of 160 values are missing"):
        run.predict(module(), NewSamples(tmp_path / "gaps.csv"))
    assert run.predict(module(), NewSamples(tmp_path / "gaps.csv", missing="mean")).shape == (40, 2)


def test_gaps_of_new_samples_are_filled_by_the_means_of_the_run(tmp_path):
    frame, path = waves(tmp_path)
    run = Run(tmp_path / "run", epochs=1, accelerator="cpu")
    data = on(path)
    run.fit(module(), data)
    mean = data.discovery_samples[:, 1, 0].mean()
    filled = frame.assign(t1=float(mean))
    gaps = NewSamples(frame.assign(t1=np.nan), target="label", missing="mean")
    answers = run.predict(module(), gaps)
    assert torch.allclose(answers, run.predict(module(), NewSamples(filled)), atol=1e-6)


def test_forecasts_of_a_new_series_reach_beyond_it(tmp_path):
    series = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    options = {"task": "forecasting", "window": 4, "horizon": 2, "batch_size": 8}

    def forecaster():
        return ForecastingModule("SharedForecaster", {"channels": 4})

    run = Run(tmp_path / "run", epochs=1, accelerator="cpu")
    data = NodesDataModule(series, val=0.2, test=0.2, **options)
    run.fit(forecaster(), data)
    expected = run.predict(forecaster(), data)
    new = NewSamples(series, **options)
    found = run.predict(forecaster(), new)
    assert new.tested.tolist() == list(range(3, 60))
    assert torch.allclose(found[data.tested - 3], expected, atol=1e-6)
