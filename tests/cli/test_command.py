"""The parser of the command: quick to answer, typed, and helpful about what it doesn't know."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from scge_pyg import SharedGraph
from scge_pyg.cli import main
from scge_pyg.cli.arguments import check, demo, discover, show
from scge_pyg.cli.command import COMMANDS

ROOT = Path(__file__).parents[2]


def test_every_command_has_arguments_and_work(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name, purpose in COMMANDS.items():
        assert f"{name} " in text
        assert purpose in text
        assert main([name, "--help"]) == 0
        assert f"usage: scge {name}" in capsys.readouterr().out
    assert main([]) == 2
    assert "usage: scge" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", ["--help", "discover --help", "discover missing.csv -o out", "check a.npy --layout b.csv"]
)
def test_what_needs_no_data_imports_nothing_heavy(words):
    code = (
        "import sys; from scge_pyg.cli import main; main(sys.argv[1:]); "
        "print({'torch', 'torch_geometric', 'scipy', 'numba'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", code, *words.split()]
    assert subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout.endswith("set()\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["discovr"], "there is no command 'discovr'; did you mean discover?"),
        (["discover", "x.npy", "-o", "out", "--ouput", "y"], "did you mean --output?"),
        (["discover", "x.npy", "-o", "out", "--dim", "two"], "Got value: two"),
        (["discover", "x.npy", "-o", "out", "--also", "adjacency.cvs"], "did you mean adjacency.csv?"),
        (["discover", "x.npy", "-o", "out", "--wind", "3"], "did you mean --window?"),
        (["discover", "--config", "none.yaml", "-o", "out"], "none.yaml"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_with_2(words, message, capsys):
    assert main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("scge: ")
    assert err.count("\n") == 1
    assert message in err


def test_options_come_from_a_file_and_the_command_line_wins(tmp_path, capsys):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.normal(size=(400, 12)).cumsum(1))
    options = {"input": str(tmp_path / "x.npy"), "seed": 7, "also": ["adjacency.csv"], "no_plot": True, "json": True}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(options))
    assert main(["discover", "--config", str(tmp_path / "a.yaml"), "-o", str(tmp_path / "out"), "--seed", "8"]) == 0
    summary = yaml.safe_load(capsys.readouterr().out)
    assert (summary["seed"], "adjacency.csv" in summary["files"]) == (8, True)
    (tmp_path / "b.yaml").write_text(yaml.safe_dump({**options, "sede": 7}))
    assert main(["discover", "--config", str(tmp_path / "b.yaml"), "-o", str(tmp_path / "other")]) == 2
    assert "Option 'sede' is not accepted; did you mean seed?" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_text_stays_text(tmp_path):
    args = discover.parser().parse_args(["010", "-o", "1e3", "--key", "007", "--columns", "1,2", "--drop", "null"])
    assert (args.input, args.output, args.key, args.columns, args.drop) == ("010", "1e3", "007", "1,2", "null")
    (tmp_path / "a.yaml").write_text("input: '010'\noutput: '1e3'\nkey: '007'\n")
    args = discover.parser().parse_args(["--config", str(tmp_path / "a.yaml")])
    assert (args.input, args.output, args.key) == ("010", "1e3", "007")


@pytest.mark.parametrize("module", [discover, check, demo, show])
def test_every_option_has_a_type_and_a_help(module):
    for action in module.parser()._actions:
        assert action.help
        takes_text = action.nargs != 0 and action.dest not in ("help", "config", "print_config", "header")
        assert not takes_text or action.type is not None or hasattr(action, "_typehint"), action.dest


def test_single_options_of_a_model_are_read_as_in_a_file(capsys):
    from scge_pyg.cli.arguments.training import parser

    words = ["--run.folder", "1", "--model.options", '{name: "007", deep: true}', "--model.options.latent", "8"]
    args = parser("fit").parse_args([*words, "--model.options.channels=[4, 8]", "--model.options.kind", "kernel"])
    assert args.model.options == {"name": "007", "deep": True, "latent": 8, "channels": [4, 8], "kind": "kernel"}
    assert main(["fit", "--run.folder", "1", "--model.options", "latent=8"]) == 2
    assert "takes options by name, --model.options.latent 8 or --model.options '{latent: 8}'" in capsys.readouterr().err


@pytest.fixture
def told_run(tmp_path):
    """A folder with the configuration of a run, and no checkpoint."""
    data = {"x": str(tmp_path / "x.npy"), "y": str(tmp_path / "y.npy"), "seed": 3}
    np.save(data["x"], np.zeros((4, 3)))
    np.save(data["y"], np.zeros(4))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(json.dumps({"data": data, "run": {"epochs": 2, "seed": 0}}))
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--data.seed", "5"], "--data.seed 5 (3 in the run)"),
        (["--model.lr", "0.1", "--run.epochs", "9"], "--model.lr 0.1 (None in the run), --run.epochs 9 (2 in the run)"),
        (["--model.options.width", "4"], "--model.options {'width': 4} ({} in the run)"),
        (["--task", "forecasting"], "--task forecasting (classification in the run)"),
        (["--data.seed", "5", "--run.force", "true"], "--data.seed 5"),
        (["--graph", "none"], "--graph none"),
        (["runs/other"], "unrecognized arguments: runs/other"),
    ],
)
@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_what_a_run_was_trained_with_stays(command, words, named, told_run, capsys):
    assert main([command, str(told_run), *words]) == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--data.eval_batch_size", "5", "--data.workers", "0", "--run.accelerator", "cpu"],
        ["--graph", "none", "--run.force", "true"],
        ["--data.x", "{other}", "--data.test", "0.5", "--data.seed", "5"],
    ],
)
def test_what_changes_no_sample_of_a_run_may_be_said(words, told_run, capsys):
    words = [word.format(other=told_run.parent / "y.npy") for word in words]
    assert main(["test", *words, str(told_run)]) == 2
    assert "holds no checkpoint that can be read; fit first" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["data.val", "run.epochs", "run.accelerator", "discover.snap", "model.options"])
def test_nothing_in_place_of_a_value_is_refused_with_what_stands_there_else(name, told_run, capsys):
    group, key = name.split(".")
    (told_run / "c.yaml").write_text(yaml.safe_dump({group: {key: None}}))
    assert main(["fit", "--config", str(told_run / "c.yaml"), "--run.folder", "x"]) == 2
    assert f"--{name} can't be null; leave it out for " in capsys.readouterr().err


def test_a_folder_of_something_else_and_places_that_are_none_are_named(told_run, capsys):
    (told_run / "config.json").write_text(json.dumps({"hidden_size": 768, "layers": ["x" * 99] * 99}))
    assert main(["test", str(told_run)]) == 2
    err = capsys.readouterr().err
    assert "is no configuration of scge fit" in err
    assert len(err) < 600
    (told_run / "config.json").write_text("{}")
    words = ["predict", str(told_run), "--data.x", str(told_run.parent / "x.npy"), "-o", str(told_run / "no" / "p.npy")]
    assert main(words) == 2
    assert "no is no folder" in capsys.readouterr().err
    (told_run / "empty.yaml").touch()
    assert main(["fit", "--config", str(told_run / "empty.yaml"), "--run.folder", "x"]) == 2
    assert "empty.yaml is empty" in capsys.readouterr().err


def test_a_network_of_the_current_folder_is_found_by_the_installed_command(tmp_path):
    (tmp_path / "mine.py").write_text("import torch\n\nclass Net(torch.nn.Linear):\n    pass\n")
    code = (
        "import sys; sys.path.pop(0); from scge_pyg.cli import main; main(['show', 'none']); "
        "from scge_pyg.train.building import model_class; print(model_class('mine.Net').__name__)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert found.stdout == "Net\n"


def test_show_says_what_the_file_holds(tmp_path, capsys):
    grid, chain = torch.tensor([[0, 1, 2, 4], [1, 2, 3, 5]]), 7
    SharedGraph.from_edge_index(grid, chain).save(tmp_path / "g.safetensors")
    assert main(["show", str(tmp_path / "g.safetensors")]) == 0
    out = capsys.readouterr().out
    assert "7 nodes (7 live), 4 edges, 2 parts, 1 alone" in out
    assert "part 0: 4 nodes" in out
    assert "part 1: 2 nodes" in out
    picture = tmp_path / "map.svg"
    assert main(["show", str(tmp_path / "g.safetensors"), "-o", str(picture), "--json"]) == 0
    summary = yaml.safe_load(capsys.readouterr().out)
    assert [part["nodes"] for part in summary["parts"]] == [4, 2]
    assert picture.read_text().startswith("<?xml")
    assert main(["show", str(tmp_path / "g.safetensors"), "-o", str(picture)]) == 2
    assert "exists" in capsys.readouterr().err
    (tmp_path / "half.safetensors").write_bytes((tmp_path / "g.safetensors").read_bytes()[:-3])
    assert main(["show", str(tmp_path / "half.safetensors")]) == 2
    assert "not a readable safetensors file" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g.safetensors", "half.safetensors", "map.svg"]


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"verbose: 1\nalso: {a: 1}\n", b"[" * 2000, b"seed: !!python/object/apply:os.getcwd []", b"&a [*a]"],
    ids=["no UTF-8", "no list", "deep", "python", "cycle"],
)
def test_a_configuration_that_cannot_be_read_is_named_on_one_line(content, tmp_path, capsys):
    (tmp_path / "c.yaml").write_bytes(content)
    assert main(["discover", "--config", str(tmp_path / "c.yaml"), "-o", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("scge: discover: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("module", ["scge_pyg", "scge_pyg.cli"])
def test_the_command_is_a_module_too(module):
    told = subprocess.run(
        [sys.executable, "-m", module, "--version"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert told.stdout.startswith("scge-pyg ")
