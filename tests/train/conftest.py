"""Shared by the tests of training: a quiet trainer, and what Lightning 2.6 warns of torch 2.13."""

import pytest
import torch
from lightning.pytorch import Trainer

from scge_pyg.train import NodesDataModule


def pytest_collection_modifyitems(items):
    known = (
        "ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning",
        "ignore:.*does not have many workers",
        "ignore:Checkpoint directory",
    )
    for item in items:
        if "tests/train" in str(item.path):
            for text in known:
                item.add_marker(pytest.mark.filterwarnings(text))


@pytest.fixture
def quiet_trainer():
    """Maker of trainers on one CPU that write nothing."""

    def make(epochs=2, **options):
        silent = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        return Trainer(
            max_epochs=epochs, accelerator="cpu", enable_model_summary=False, num_sanity_val_steps=0, **silent | options
        )

    return make


@pytest.fixture(autouse=True)
def one_thread():
    """Small steps wait for a second thread longer than it works."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def images():
    """Maker of 16-pixel images in two classes."""

    def make(batch_size=16):
        generator = torch.Generator().manual_seed(0)
        field = torch.randn(400, 6, 6, generator=generator)
        smooth = torch.nn.functional.avg_pool2d(field.unsqueeze(1), 3, 1)[:, 0].flatten(1)
        return NodesDataModule(smooth, (smooth.mean(1) > 0).long(), batch_size=batch_size)

    return make
