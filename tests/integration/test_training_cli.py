"""``scge fit``, ``validate``, ``test`` and ``predict``: from a configuration to metrics, and on after a stop."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from scge_pyg.cli import main
from scge_pyg.train import RunFolder

pytest.importorskip("lightning")
pytest.importorskip("torchmetrics")


CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A configuration of smooth waves over 24 shuffled nodes in two classes, and its file."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(100)
    walk = rng.normal(size=(400, 24)).cumsum(1)
    y = (rng.random(400) < 0.5).astype(np.int64)
    walk += 3 * y[:, None] * np.sin(np.arange(24) / 3)
    np.save(folder / "x.npy", walk[:, rng.permutation(24)].astype(np.float32))
    np.save(folder / "y.npy", y)
    told = {
        "model": {"name": "SCGEClassifier", "options": {"channels": [4]}},
        "data": {"x": str(folder / "x.npy"), "y": str(folder / "y.npy"), "batch_size": 32},
        "run": {"epochs": 4, "accelerator": "cpu"},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(told))
    return told, folder / "run.yaml"


@pytest.fixture(scope="module")
def fitted(config, tmp_path_factory):
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("runs") / "waves"
    assert main(["fit", "--config", str(config[1]), "--run.folder", str(folder), "-q"]) == 0
    return folder


def test_a_run_says_how_it_goes_and_leaves_all_that_was_told(config, tmp_path, capsys):
    folder = tmp_path / "run"
    assert main(["fit", "--config", str(config[1]), "--run.folder", str(folder), "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["val_accuracy"] > 0.8
    assert err.count("epoch ") == err.count("loss 0.") - err.count("val_loss 0.") == 4
    assert "lattice=24" in err
    told = RunFolder(folder).config()
    assert told["model"]["options"] == {"channels": [4]}
    assert (told["data"]["batch_size"], told["run"]) == (32, {"epochs": 4, "seed": 0})
    assert {path.name for path in folder.iterdir()} >= {"config.json", "versions.json", "graph.safetensors", "metrics"}


def test_a_finished_run_is_evaluated_from_its_folder_alone(fitted, tmp_path, capsys):
    assert main(["test", str(fitted), "--json"]) == 0
    tested = json.loads(capsys.readouterr().out)
    assert main(["validate", str(fitted), "--json"]) == 0
    assert {"val_loss", "val_accuracy"} <= set(json.loads(capsys.readouterr().out))
    assert main(["predict", str(fitted), "-o", str(tmp_path / "p.npy"), "-q"]) == 0
    predicted = np.load(tmp_path / "p.npy")
    assert predicted.shape == (40, 2)
    np.testing.assert_allclose(predicted.sum(1), 1, rtol=1e-5)
    from scge_pyg.train import NodesDataModule

    data = NodesDataModule(**RunFolder(fitted).config()["data"])
    data.setup()
    y = torch.cat([batch[1] for batch in data.test_dataloader()[0]])
    assert tested["test_accuracy"] == pytest.approx(float((torch.from_numpy(predicted).argmax(1) == y).float().mean()))
    assert main(["predict", str(fitted), "-o", str(tmp_path / "p.npy"), "-q"]) == 2
    assert "exists" in capsys.readouterr().err


@pytest.fixture
def table(tmp_path):
    """A run on a table with words for classes, and the lines of that table."""
    rng = np.random.default_rng(100)
    words = ["calm", "storm", "fog"]
    rows = [[*map(str, rng.normal(size=3).round(3)), words[place % 3]] for place in range(60)]
    (tmp_path / "all.csv").write_text("\n".join(map(",".join, [["a", "b", "c", "label"], *rows])))
    words = ["--data.x", str(tmp_path / "all.csv"), "--data.target", "label", "--data.batch_size", "8"]
    words += ["--model.name", "NodeMLP", "--model.options", "{hidden: [4]}", "--graph", "none", "--run.epochs", "1"]
    assert main(["fit", *words, "--run.accelerator", "cpu", "--run.folder", str(tmp_path / "run"), "-q"]) == 0
    return tmp_path, rows


def predicted(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_of_predictions_says_which_sample_and_which_class(table, capsys):
    folder, rows = table
    assert main(["predict", str(folder / "run"), "-o", str(folder / "tested.csv"), "-q"]) == 0
    tested = predicted(folder / "tested.csv")
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0)).tolist()
    assert [int(line["sample"]) for line in tested] == order[54:]
    for line in tested:
        assert list(line) == ["sample", "class", "calm", "fog", "storm"]
        chances = {word: float(line[word]) for word in ("calm", "fog", "storm")}
        assert sum(chances.values()) == pytest.approx(1, abs=1e-5)
        assert line["class"] == max(chances, key=chances.get)
    mixed = [["when", "c", "a", "b"], *([f"day {place}", row[2], row[0], row[1]] for place, row in enumerate(rows))]
    (folder / "new.csv").write_text("\n".join(map(";".join, mixed)))
    (folder / "all.csv").unlink()
    assert main(["predict", str(folder / "run"), "--new", str(folder / "new.csv"), "-o", str(folder / "n.csv")]) == 0
    answers = predicted(folder / "n.csv")
    assert [int(line["sample"]) for line in answers] == list(range(60))
    assert [answers[number] for number in order[54:]] == tested
    (folder / "new.csv").write_text("a,b\n1,2\n")
    assert main(["predict", str(folder / "run"), "--new", str(folder / "new.csv")]) == 2
    assert "no column 'c'" in capsys.readouterr().err
    assert main(["predict", str(folder / "run"), "--new", "none.csv"]) == 2
    assert "--new: none.csv does not exist" in capsys.readouterr().err


def test_another_file_is_read_as_the_first_was(table, capsys):
    """Columns in another order, and words of which the first is not there: nodes and classes keep their numbers."""
    folder, rows = table
    kept = [row for row in rows if row[3] != "calm"]
    text = [["label", "c", "b", "a"], *(row[::-1] for row in kept)]
    (folder / "other.csv").write_text("\n".join(map(",".join, text)))
    run, other = str(folder / "run"), ["--data.x", str(folder / "other.csv"), "--data.val", "0", "--data.test", "0.5"]
    assert main(["predict", run, "--new", str(folder / "all.csv"), "-o", str(folder / "n.csv"), "-q"]) == 0
    said = [line for line, row in zip(predicted(folder / "n.csv"), rows, strict=True) if row[3] != "calm"]
    chosen = torch.randperm(40, generator=torch.Generator().manual_seed(0)).tolist()[20:]
    assert main(["predict", run, *other, "-o", str(folder / "o.csv"), "-q"]) == 0
    for line, number in zip(predicted(folder / "o.csv"), chosen, strict=True):
        assert line == {**said[number], "sample": str(number)}
    right = sum(said[number]["class"] == kept[number][3] for number in chosen) / 20
    assert main(["test", run, *other, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test_accuracy"] == pytest.approx(right)
    (folder / "other.csv").write_text("\n".join(map(",".join, text)).replace("fog", "hail"))
    assert main(["test", run, *other]) == 2
    assert "doesn't know the class 'hail'" in capsys.readouterr().err


def test_messages_name_options_of_the_command(table, capsys):
    folder, rows = table
    lines = [[str(place), *row] for place, row in enumerate(rows)]
    lines[3][2] = "n/a"
    (folder / "gaps.csv").write_text("\n".join(map(",".join, [["", "a", "b", "c", "label"], *lines])))
    words = ["fit", "--data.x", str(folder / "gaps.csv"), "--run.folder", str(folder / "new"), "--data.target"]
    assert main([*words, "label"]) == 2
    err = capsys.readouterr().err
    assert 'left out row-number column ""' in err
    assert "1 of 180 values are missing; say what to put there, --data.missing mean (of the node" in err
    assert main([*words, "0"]) == 2
    assert (
        "text in column 'label'; name it as target, or leave it out with --data.drop label" in capsys.readouterr().err
    )
    assert main([*words, "labels"]) == 2
    assert "no column 'labels'; close to it: 'label'" in capsys.readouterr().err


def test_fit_goes_on_where_it_was_stopped_and_refuses_another_configuration(config, tmp_path, capsys):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    fit = ["fit", "--config", str(config[1]), "-q", "--run.checkpoint_every", "3", "--run.folder"]
    assert main([*fit, str(whole)]) == 0
    assert main([*fit, str(halves)]) == 0
    last = sorted((halves / "checkpoints").iterdir())[-1]
    last.write_bytes(last.read_bytes()[:-100])  # as a disk that filled up would leave it
    assert main([word for word in [*fit, str(halves)] if word != "-q"]) == 0
    assert last.name in capsys.readouterr().err
    weights = [RunFolder(path).newest()[1]["state_dict"] for path in (whole, halves)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert main([*fit, str(whole), "--model.lr", "0.1", "--data.batch_size", "16"]) == 2
    err = capsys.readouterr().err
    assert "model.lr: null before, 0.1 now" in err
    assert "data.batch_size: 32 before, 16 now" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "--data.batchsize", "3"], "did you mean --data.batch_size?"),
        (["fit", "--config", "{foreign}", "--run.folder", "{run}"], "did you mean data.batch_size?"),
        (["fit", "--data.batch_size", "many"], "Got value: many"),
        (["fit", "--data.dataset", "DigitsNodes"], "run.folder"),
        (["fit", "--run.folder", "{run}"], "either --data.x FILE or --data.dataset NAME"),
        (["fit", "--run.folder", "{run}", "--data.x", "none.csv"], "none.csv does not exist"),
        (["fit", "--run.folder", "{run}", "--data.dataset", "DigitNodes"], "DigitsNodes"),
        (["fit", "--run.folder", "{run}", "--data.dataset", "DigitsNodes", "--model.name", "NodeMPL"], "NodeMLP"),
        (
            [
                "fit",
                "--run.folder",
                "{run}",
                "--data.x",
                "{foreign}",
                "--task",
                "autoencoding",
                "--model.weight_decay=1",
            ],
            "--model.weight_decay has no meaning for the task autoencoding",
        ),
        (["test", "{run}"], "no folder of a run"),
        (["fit", "--config", "none.yaml"], "none.yaml does not exist"),
    ],
)
def test_bad_arguments_exit_with_2_and_write_nothing(words, message, tmp_path, capsys):
    (tmp_path / "foreign.yaml").write_text("data: {dataset: DigitsNodes, batchsize: 3}\n")
    places = {"run": tmp_path / "run", "foreign": tmp_path / "foreign.yaml"}
    assert main([word.format(**places) for word in words]) == 2
    err = capsys.readouterr().err
    assert err.startswith("scge: ")
    assert message in err
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run: 3", "run"),
        ("run: null", "run.folder"),
        ("data: null", "--data must hold options by name"),
        ("task: null", "--task takes classification, autoencoding or forecasting"),
        ("graph: null", "--graph takes discover, none or a file"),
    ],
)
def test_nothing_in_place_of_options_is_refused(line, message, tmp_path, capsys):
    (tmp_path / "c.yaml").write_text(line)
    words = ["fit", "--run.folder", str(tmp_path / "run"), "--data.dataset", "DigitsNodes"]
    assert main([*words, "--config", str(tmp_path / "c.yaml")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("scge: ")
    assert message in err
    assert err.count("\n") == 1


def test_options_of_a_model_stay_what_they_are():
    from scge_pyg.cli.arguments.training import parser

    args = parser("fit").parse_args(
        ["--run.folder", "1", "--model.options", '{name: "007", channels: [1, 2], deep: true}']
    )
    assert args.model.options == {"name": "007", "channels": [1, 2], "deep": True}


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_is_one(path):
    from scge_pyg.cli.arguments.training import check, parser
    from scge_pyg.cli.training import build_module
    from scge_pyg.train import NodesDataModule

    args = parser("fit").parse_args(["--config", str(path), "--run.folder", "runs/none"])
    check(args)
    told = args.as_dict()
    module = build_module(args.task, told["model"], args.graph)
    data = NodesDataModule(task=args.task, **told["data"])
    assert args.task in repr(data)
    assert type(module).__name__.lower().startswith(args.task)
    assert path.read_text().startswith("# ")
