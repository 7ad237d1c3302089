"""What a run goes on from: samples seen, states restored, files that are damaged, other configurations and graphs."""

import json
import random
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback

from scge_pyg import SCGEConv, SharedGraph
from scge_pyg.models import StridedClassifier
from scge_pyg.nn import HebbianLoss, NodeEmbedding, WiringSchedule
from scge_pyg.train import (
    AtomicCheckpointIO,
    Checkpoints,
    ClassificationModule,
    DiscoverGraph,
    GraphSnapshots,
    LearnWiring,
    NodesDataModule,
    Run,
    Temperature,
)
from scge_pyg.train.checkpoint_files import checkpoints_in, newest_checkpoint, read_checkpoint
from scge_pyg.train.random_states import random_states, restore_random_states

GRID = SharedGraph.from_grid((4, 4))


class Interrupt(Exception):
    pass


class Watch(Callback):
    """Which samples each step was trained on; may break the run off after a step."""

    def __init__(self, stop=None):
        self.stop, self.steps = stop, {}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.steps[trainer.global_step] = batch[0][:, 0, 0].long().tolist()
        np.random.rand()  # noqa: NPY002
        random.random()
        if trainer.global_step == self.stop:
            raise Interrupt


class Noisy(torch.nn.Module):
    """Draws from the global random numbers in each step."""

    def __init__(self, in_channels, num_classes, num_nodes):
        super().__init__()
        self.head = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Dropout(0.3), torch.nn.Linear(num_nodes * in_channels, num_classes)
        )

    def forward(self, x):
        return self.head(x)


def numbered(workers=0, **options):
    """Samples whose first value is their number."""
    x = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    x[:, 0] = torch.arange(60)
    options = {"batch_size": 7, "val": 0.1, "test": 0.1, "standardize": False, "workers": workers, **options}
    return NodesDataModule(x, torch.arange(60) % 2, **options)


def noisy(**options):
    return ClassificationModule(f"{__name__}.Noisy", lr=1e-3, **options)


def fitted(folder, stops, workers=0, **options):
    """Steps of a run that was broken off after each of some steps, and its last checkpoint."""
    steps = {}
    for stop in [*stops, None]:
        watch = Watch(stop)
        run = Run(folder, epochs=3, accelerator="cpu", log_every=1, **{"checkpoint_every": 2, **options})
        if stop is None:
            run.fit(noisy(), numbered(workers), [watch])
        else:
            with pytest.raises(Interrupt):
                run.fit(noisy(), numbered(workers), [watch])
        steps |= watch.steps
    return steps, run.folder.newest()[1], run.folder


def assert_same(one, other, where=""):
    if where.endswith("/seconds"):
        return
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for place, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}/{place}")
    else:
        assert one == other, where


@pytest.mark.parametrize(("workers", "stops"), [(0, (3, 5, 12, 14)), (2, (9,))])
def test_every_sample_is_seen_as_in_one_piece(workers, stops, tmp_path):
    whole, checkpoint, folder = fitted(tmp_path / "whole", [])
    assert len(whole) == 18
    for epoch in range(3):
        seen = [sample for step in range(6 * epoch, 6 * epoch + 6) for sample in whole[step + 1]]
        assert len(set(seen)) == 42
    steps, after, pieces = fitted(tmp_path / "pieces", stops, workers)
    assert steps == whole
    assert_same(checkpoint, after)
    assert pieces.metrics() == folder.metrics()
    assert [step for step, _ in folder.metrics()["train_loss"]] == list(range(18))


def test_checkpoints_at_the_end_of_epochs_alone(tmp_path):
    whole, checkpoint, _ = fitted(tmp_path / "whole", [], checkpoint_every=0)
    steps, after, folder = fitted(tmp_path / "pieces", [4, 15], 2, checkpoint_every=0)
    assert steps == whole
    assert_same(checkpoint, after)
    assert [path.name for path in checkpoints_in(folder.checkpoints)] == ["step-00000018.ckpt", "step-00000012.ckpt"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "pickled"])
def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_used(damage, tmp_path):
    whole, checkpoint, _ = fitted(tmp_path / "whole", [])
    run = Run(tmp_path / "run", epochs=3, checkpoint_every=2, accelerator="cpu", log_every=1)
    with pytest.raises(Interrupt):
        run.fit(noisy(), numbered(), [Watch(11)])
    newest, before = checkpoints_in(run.folder.checkpoints)
    content = newest.read_bytes()
    if damage == "cut":
        newest.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        with zipfile.ZipFile(newest) as archive:
            entry = max(archive.infolist(), key=lambda info: info.file_size)
        place = entry.header_offset + 300
        newest.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    elif damage == "empty":
        newest.write_bytes(b"")
    else:
        torch.save({"state_dict": noisy}, newest)
    with pytest.warns(UserWarning, match=f"{newest.name} can't be read.*the checkpoint before it is used"):
        assert newest_checkpoint(run.folder.checkpoints)[0] == before
    watch = Watch()
    with pytest.warns(UserWarning, match=newest.name):
        run.fit(noisy(), numbered(), [watch])
    assert min(watch.steps) == 9
    assert watch.steps == {step: whole[step] for step in range(9, 19)}
    assert_same(checkpoint, run.folder.newest()[1])


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "step-00000001.ckpt"
    writer = AtomicCheckpointIO()
    writer.save_checkpoint({"state_dict": {"a": torch.ones(3)}}, path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        writer.save_checkpoint({"state_dict": {"a": torch.zeros(3)}}, path)
    assert torch.equal(read_checkpoint(path)["state_dict"]["a"], torch.ones(3))
    assert [left.name for left in tmp_path.iterdir()] == [path.name]


def test_random_states_survive_a_file_without_pickle(tmp_path):
    random.gauss(0, 1)
    np.random.standard_normal()  # noqa: NPY002
    torch.save(random_states(), tmp_path / "states")
    draws = [(random.gauss(0, 1), np.random.standard_normal(), torch.randn(3).tolist()) for _ in range(2)]  # noqa: NPY002
    restore_random_states(torch.load(tmp_path / "states", weights_only=True))
    again = [(random.gauss(0, 1), np.random.standard_normal(), torch.randn(3).tolist()) for _ in range(2)]  # noqa: NPY002
    assert draws == again


def test_another_configuration_is_refused_with_what_differs(tmp_path):
    fit = lambda config, **options: Run(tmp_path, epochs=1, accelerator="cpu", **options).fit(  # noqa: E731
        noisy(), numbered(), config=config
    )
    fit({"model": {"lr": 0.1, "k": 3}})
    fit({"model": {"lr": 0.1, "k": 3}})
    with pytest.raises(ValueError, match=r"configuration:\n  model.lr: 0.1 before, 0.2 now;\n  extra: absent"):
        fit({"model": {"lr": 0.2, "k": 3}, "extra": True})
    with pytest.raises(ValueError, match="seed: 0 before, 1 now"):
        fit({"model": {"lr": 0.1, "k": 3}}, seed=1)
    fit({"model": {"lr": 0.2, "k": 3}}, force=True)
    assert json.loads((tmp_path / "config.json").read_text())["model"]["lr"] == 0.2
    assert json.loads((tmp_path / "config.1.json").read_text())["model"]["lr"] == 0.1
    with pytest.raises(TypeError, match="config must hold plain values"):
        fit({"model": torch.ones(2)})


def test_a_start_that_fails_is_no_run_and_changes_none(tmp_path):
    gaps = numbered()
    gaps.x[3, 1] = float("nan")
    make = lambda **options: Run(tmp_path, epochs=1, accelerator="cpu", **options)  # noqa: E731
    with pytest.raises(ValueError, match="missing"):
        make().fit(noisy(), gaps, config={"missing": "refuse"})
    make().fit(noisy(), numbered(), config={"missing": "mean"})
    kept = {path.name: path.read_bytes() for path in tmp_path.glob("*.json")}
    assert {"config.json", "versions.json"} == kept.keys()
    with pytest.raises(ValueError, match="missing"):
        make(force=True).fit(noisy(), gaps, config={"missing": "refuse"})
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.json")} == kept


@pytest.mark.parametrize("epochs", [1, 3])
def test_other_epochs_are_another_run(epochs, tmp_path):
    Run(tmp_path, epochs=2, accelerator="cpu").fit(noisy(), numbered())
    said = rf"epochs: 2 before, {epochs} now.\nGive.*more or fewer are another run"
    with pytest.raises(ValueError, match=said) as refused:
        Run(tmp_path, epochs=epochs, accelerator="cpu").fit(noisy(), numbered())
    assert "force" not in str(refused.value)
    with pytest.raises(ValueError, match=rf"laid out for 12 steps.* make {6 * epochs}\. Give the epochs"):
        Run(tmp_path, epochs=epochs, accelerator="cpu", force=True).fit(noisy(), numbered())
    Run(tmp_path, epochs=2, accelerator="cpu").fit(noisy(), numbered())


HOLDER = """
import sys
from scge_pyg.train import RunFolder
with RunFolder(sys.argv[1]).held():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_never_fit_in_one_folder(tmp_path):
    run = Run(tmp_path, epochs=1, accelerator="cpu")
    run.fit(noisy(), numbered())
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], **pipes) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match=f"in use by process {holder.pid}; wait"):
            run.fit(noisy(), numbered())
        assert run.test(noisy(), numbered())
        holder.kill()
    run.fit(noisy(), numbered())
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="can't be a folder"):
        Run(tmp_path / "file" / "run", accelerator="cpu").fit(noisy(), numbered())


def test_a_run_is_tested_while_it_goes_on(tmp_path, monkeypatch):
    run = Run(tmp_path, epochs=1, accelerator="cpu")
    run.fit(noisy(), numbered())
    expected = run.test(noisy(), numbered())
    (only,) = checkpoints_in(run.folder.checkpoints)

    def read(path):
        """The file, after which the run writes the next one and removes it; once, it is gone before."""
        if path.name == "step-00000099.ckpt":
            path.unlink()
            raise FileNotFoundError(path)
        content = read_checkpoint(path)
        path.rename(path.with_name("step-00000007.ckpt"))
        return content

    only.with_name("step-00000099.ckpt").touch()
    monkeypatch.setattr("scge_pyg.train.checkpoint_files.read_checkpoint", read)
    assert run.test(noisy(), numbered()) == expected


def test_checkpoints_that_are_all_damaged_are_no_new_start(tmp_path):
    run = Run(tmp_path, epochs=1, accelerator="cpu")
    run.fit(noisy(), numbered())
    for path in checkpoints_in(run.folder.checkpoints):
        path.write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="there is none before it"),
        pytest.raises(ValueError, match=r"none of the checkpoints in .* can be read; remove them to start anew"),
    ):
        run.fit(noisy(), numbered())


def test_parts_in_another_order_are_named(tmp_path):
    run = Run(tmp_path, epochs=1, accelerator="cpu")
    with pytest.raises(TypeError, match="module must be a NodeModule, got NodesDataModule"):
        run.fit(numbered(), noisy())
    with pytest.raises(TypeError, match="data must be a NodesDataModule, got DataLoader"):
        run.fit(noisy(), torch.utils.data.DataLoader([1]))
    with pytest.raises(TypeError, match="callbacks must be a list, got DiscoverGraph"):
        run.fit(noisy(), numbered(), DiscoverGraph())
    for options, said in (({"devices": 0}, "devices=0"), ({"strategy": "dpd"}, "strategy='dpd'")):
        with pytest.raises(ValueError, match=f"accelerator='cpu'.*{said}.* can't be had here"):
            Run(tmp_path, accelerator="cpu", **options).fit(noisy(), numbered())


def test_another_order_of_samples_is_refused(tmp_path):
    run = Run(tmp_path, epochs=1, accelerator="cpu")
    run.fit(noisy(), numbered())
    with pytest.raises(ValueError, match=r"written with \{'seed': 0\} where this run has \{'seed': 1\}"):
        run.fit(noisy(), numbered(seed=1))


def test_samples_of_other_sizes_are_named(tmp_path):
    run = Run(tmp_path, epochs=1, accelerator="cpu")
    run.fit(noisy(), numbered())
    x = torch.randn(60, 5)
    with pytest.raises(ValueError, match="the run has 4 nodes, x has 5"):
        run.predict(noisy(), NodesDataModule(x, torch.arange(60) % 3, batch_size=8))
    x, y = torch.randn(60, 4, 2), torch.arange(60) % 2
    with pytest.raises(ValueError, match="like those of the run: in_channels 1 before, 2 now"):
        run.predict(noisy(), NodesDataModule(x, y, batch_size=8, standardize=False))


def test_plain_lightning_goes_on_too(tmp_path, quiet_trainer):
    def fit(stop=None, path=None, folder=tmp_path):
        torch.manual_seed(0)
        module, callbacks = noisy(), [Watch(stop), Checkpoints(folder, every=2)]
        trainer = quiet_trainer(epochs=2, callbacks=callbacks, enable_checkpointing=True)
        if stop is None:
            trainer.fit(module, datamodule=numbered(), ckpt_path=path)
        else:
            with pytest.raises(Interrupt):
                trainer.fit(module, datamodule=numbered(), ckpt_path=path)
        return module.state_dict()

    whole = fit(folder=tmp_path / "whole")
    fit(stop=9)
    assert_same(dict(whole), dict(fit(path=checkpoints_in(tmp_path)[0])))


@pytest.fixture
def impatient(monkeypatch):
    """Schedules that hand over after some dozens of lessons."""
    monkeypatch.setattr("scge_pyg.nn.trained.falling._FEWEST", 15)
    monkeypatch.setattr("scge_pyg.nn.trained.falling._CLOSE", 100.0)
    monkeypatch.setattr("scge_pyg.nn.trained.attempts._MOST", 1)


def test_wiring_and_temperature_go_on_to_the_same_bits(tmp_path, impatient, images):
    def fit(folder, stops):
        for stop in [*stops, None]:
            options = {"channels": [4, 4], "neighbors": "nearest", "k": 3}
            module = ClassificationModule("StridedClassifier", options, places=2)
            run = Run(folder, epochs=2, checkpoint_every=3, accelerator="cpu")
            learning = LearnWiring(batch_size=128, lessons=1, every=20)
            callbacks = [learning, Temperature(4.0, 1.0), GraphSnapshots(run.folder.graphs), Watch(stop)]
            if stop is None:
                run.fit(module, images(64), callbacks)
            else:
                with pytest.raises(Interrupt):
                    run.fit(module, images(64), callbacks)
        return run, learning, module

    whole, learned, module = fit(tmp_path / "whole", [])
    pieces, again, _ = fit(tmp_path / "pieces", [7])
    assert repr(learned) == repr(again)
    assert_same(whole.folder.newest()[1], pieces.folder.newest()[1])
    assert learned.schedule.count > 10
    assert len(list(whole.folder.graphs.iterdir())) == 2
    taus = [part.product.tau for part in module.model.modules() if isinstance(part, SCGEConv)]
    assert taus == pytest.approx([4.0 ** (1 / 10)] * 2)


def test_learn_wiring_is_what_fit_classifier_does(quiet_trainer, impatient, images):
    from scge_pyg.models import fit_classifier

    data = images(64)

    def built():
        torch.manual_seed(0)
        return StridedClassifier(1, 2, NodeEmbedding(16, 2), channels=(4,))

    module = ClassificationModule(built())
    learning = LearnWiring(batch_size=128, lessons=1, every=20, seed=3)
    quiet_trainer(epochs=1, callbacks=[learning]).fit(module, datamodule=data)
    alone = built()
    teacher = HebbianLoss(alone.levels[0], every=20, seed=3)
    wiring = WiringSchedule(teacher, alone, batch_size=128, lessons=1, seed=3)
    rows = data.rows["train"]
    fit_classifier(alone, rows.x, rows.y, epochs=1, batch_size=64, wiring=wiring)
    assert_same(dict(module.model.state_dict()), dict(alone.state_dict()))


def test_what_is_asked_for_must_be_there(tmp_path):
    with pytest.raises(ValueError, match="holds no checkpoint that can be read; fit first"):
        Run(tmp_path).test(noisy(), numbered())
    with pytest.raises(ValueError, match="keep"):
        Run(tmp_path, keep=1)
    run = Run(tmp_path, epochs=1, accelerator="cpu")
    with pytest.raises(ValueError, match="no layer on trained places"):
        run.fit(noisy(), numbered(), [Temperature()])
    with pytest.raises(ValueError, match="has no trained places; build it on a NodeEmbedding"):
        run.fit(noisy(), numbered(), [LearnWiring()])
