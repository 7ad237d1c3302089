"""What a data module makes of arrays, files and data sets, and what it refuses."""

import numpy as np
import pytest
import torch

from scge_pyg.datasets import DigitsNodes
from scge_pyg.models import standardized
from scge_pyg.train import BatchOrder, NodesDataModule
from scge_pyg.transforms import ShuffleNodes

X, Y = torch.randn(40, 5, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 3


def loaded(*args, **options):
    data = NodesDataModule(*args, **{"batch_size": 4, **options})
    data.setup()
    return data


def test_split_and_scale_come_from_the_training_samples():
    data = loaded(X * 3 + 5, Y, val=0.25, test=0.25, seed=3)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(3))
    train, val, test = ((X * 3 + 5)[part].unsqueeze(2) for part in order.split([20, 10, 10]))
    for part, expected in zip(("train", "val", "test"), standardized(train, val, test), strict=True):
        assert torch.equal(data.rows[part].x, expected)
    assert torch.equal(data.rows["test"].y, Y[order[30:]])
    assert torch.equal(data.discovery_samples, train)
    again = loaded(X * 3 + 5, Y, val=0.25, test=0.25, seed=4)
    assert not torch.equal(again.discovery_samples, train)


def test_a_series_is_split_by_time_and_windows_stay_in_their_part():
    data = loaded(torch.arange(100.0).view(50, 2), task="forecasting", window=3, horizon=2, val=0.2, test=0.2)
    assert [len(data.rows[part]) for part in ("train", "val", "test")] == [26, 6, 6]
    x, y, time = data.rows["val"][[0, 5]]
    assert x[0].tolist() == [[60, 62, 64], [61, 63, 65]]
    assert y[1].tolist() == [[76, 78], [77, 79]]
    assert time.tolist() == [32, 37]
    assert torch.equal(data.training_samples, torch.arange(60.0).view(30, 2))
    assert torch.equal(data.discovery_samples.squeeze(2), data.training_samples)  # nothing of what comes later


def test_shuffled_nodes_are_those_of_the_transform():
    plain, shuffled = (loaded(X, Y, shuffle_nodes=seed, standardize=False) for seed in (None, 7))
    assert torch.equal(shuffled.rows["train"].x, ShuffleNodes(7)(plain.rows["train"].x))


def test_files_hold_what_arrays_hold(tmp_path):
    expected = loaded(X, Y)
    np.savez(tmp_path / "both.npz", x=X.numpy(), y=Y.numpy())
    np.save(tmp_path / "x.npy", X.numpy())
    np.save(tmp_path / "y.npy", Y.numpy())
    table = np.column_stack([X.numpy()[:, :2], Y.numpy(), X.numpy()[:, 2:]])
    head = "a,b,kind,c,d,e"
    np.savetxt(tmp_path / "all.csv", table, delimiter=",", header=head, comments="", fmt="%.9g")
    np.save(tmp_path / "table.npy", table)
    words = ["cat" if kind == 2 else "ant" if kind == 0 else "bee" for kind in Y]
    lines = [",".join([*map(str, row[:5].tolist()), word]) for row, word in zip(X.double(), words, strict=True)]
    (tmp_path / "words.csv").write_text("\n".join(["a,b,c,d,e,animal", *lines]))
    for data in (
        loaded(str(tmp_path / "both.npz")),
        loaded(tmp_path / "x.npy", tmp_path / "y.npy"),
        loaded(tmp_path / "all.csv", target="kind"),
        loaded(tmp_path / "table.npy", target=2),
        loaded(tmp_path / "words.csv", target=-1),
    ):
        assert torch.allclose(data.rows["train"].x, expected.rows["train"].x)
        # words in sorted order: ant, bee, cat
        assert torch.equal(data.rows["train"].y, expected.rows["train"].y)
    assert data.classes == ("ant", "bee", "cat")
    assert data.names == ("a", "b", "c", "d", "e")
    (tmp_path / "bare.csv").write_text("1,2\n3,4\n5,6\n7,8\n9,10\n")
    bare = loaded(tmp_path / "bare.csv", task="autoencoding", val=0, test=0)
    assert bare.training_samples.shape == (5, 2, 1)


def test_missing_values_are_filled_as_said():
    x = X.clone()
    x[::7, 2] = torch.nan
    with pytest.raises(ValueError, match=r"6 of 200 values are missing; say what to put there, missing='mean'"):
        loaded(x, Y)
    data = loaded(x, Y, missing="mean", standardize=False)
    raw = data.discovery_samples
    hole = raw.isnan()
    assert hole.any()
    assert torch.equal(data.training_samples[~hole], raw[~hole])
    assert torch.allclose(data.training_samples[hole], raw[:, 2].nanmean())
    series = loaded(x, task="forecasting", window=2, horizon=1, missing="previous").training_samples
    assert series[7, 2] == x[6, 2]
    assert series[0, 2] == pytest.approx(x[:32, 2].nanmean().item())
    assert torch.equal(series[1:7], x[1:7])


def test_a_data_set_by_name():
    data = loaded(dataset="DigitsNodes", standardize=False, limit=100)
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(0))
    assert torch.equal(data.rows["train"].x, DigitsNodes().x[order[:100]])
    assert (data.sizes.num_nodes, data.sizes.num_classes) == (64, 10)


def test_metr_la_by_name(tmp_path):
    if not __import__("os").environ.get("SCGE_DATA"):
        pytest.skip("needs raw files")
    data = loaded(dataset="METRLANodes", root=str(tmp_path), task="forecasting")
    assert data.training_samples.shape == (1612, 207)
    assert data.names is not None


def test_order_is_that_of_one_generator_and_ranks_share_it():
    generator = torch.Generator().manual_seed(9)
    epochs = [torch.randperm(11, generator=generator) for _ in range(4)]
    order = BatchOrder(11, 2, seed=9)
    for epoch in (0, 2, 3, 1):
        order.set_epoch(epoch)
        assert torch.equal(torch.tensor(list(order)), epochs[epoch][:10].view(5, 2))
    ranks = [BatchOrder(11, 2, seed=9, rank=rank, ranks=2) for rank in range(2)]
    together = torch.stack([torch.tensor(list(one)) for one in ranks], 1)
    assert torch.equal(together.flatten(), epochs[0][:8])


def test_order_of_another_run_is_refused():
    state = BatchOrder(11, 2, seed=9).state(1, 2)
    BatchOrder(11, 2, seed=9).load(state)
    with pytest.raises(ValueError, match=r"written with \{'batch_size': 2\} where this run has \{'batch_size': 3\}"):
        BatchOrder(11, 3, seed=9).load(state)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: NodesDataModule(), "either x or the name of a dataset, got neither"),
        (lambda: NodesDataModule(X, task="regression"), "task must be one of classification"),
        (lambda: NodesDataModule(X, val=0.6, test=0.5), "must leave samples to train on, got 0.6 and 0.5"),
        (lambda: NodesDataModule(X, val=-0.1), "val must be a share"),
        (lambda: NodesDataModule(X, batch_size=0), "batch_size"),
        (lambda: loaded(X), "needs classes; give y= or target="),
        (lambda: loaded(X, Y, target="a"), "both name the classes"),
        (lambda: loaded(X, Y[:5]), "same number of samples, got 40 and 5"),
        (lambda: loaded(X, X[:, 0]), "y must hold classes"),
        (lambda: loaded(X, target="z"), "no column 'z' for target; it has: 0, 1"),
        (lambda: loaded(X, Y, batch_size=64), "at least batch_size=64 samples to train on, got 32"),
        (lambda: loaded(torch.full((40, 5), torch.inf), Y), "200 infinite values"),
        (lambda: loaded(X, Y, missing="previous", val=0.1), None),
        (lambda: loaded(X, task="forecasting"), "the part to val has 4 steps, and window=12"),
        (lambda: loaded(dataset="Digits"), "no dataset 'Digits'; did you mean 'DigitsNodes'"),
        (lambda: loaded(dataset="DigitsNodes", task="forecasting"), "no steps of one series"),
        (lambda: loaded(X[0], Y), r"x must be \[S, N\]"),
        (lambda: loaded("nowhere.csv"), "does not exist"),
        (lambda: loaded("nowhere.npy"), "does not exist"),
    ],
)
def test_bad_input(make, match):
    if match is None:
        make()
        return
    with pytest.raises((ValueError, FileNotFoundError), match=match):
        make()


def test_text_in_a_column_that_is_no_target(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,x\n2,y\n")
    with pytest.raises(ValueError, match=r"text in column 'b'; name it as target, or leave it out with drop=b"):
        loaded(tmp_path / "a.csv", task="autoencoding")
    (tmp_path / "b.csv").write_text("a,b\n1,2\n2\n")
    with pytest.raises(ValueError, match=r"line 3: 1 columns, but the first line has 2"):
        loaded(tmp_path / "b.csv", task="autoencoding")


def test_samples_without_a_class(tmp_path):
    (tmp_path / "a.csv").write_text("a,kind\n1,x\n2,\n")
    with pytest.raises(ValueError, match=r"1 of 2 samples have no class \(the first is sample 1\)"):
        loaded(tmp_path / "a.csv", target="kind")


def test_repr():
    data = NodesDataModule(dataset="DigitsNodes")
    assert repr(data) == "NodesDataModule(classification, dataset='DigitsNodes', batch_size=64)"
