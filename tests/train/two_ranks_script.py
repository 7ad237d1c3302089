"""One of two processes that torchrun starts: the graph is discovered and a network trained under Lightning's DDP."""

import sys
import warnings

import torch
from lightning.pytorch import Trainer

from scge_pyg.train import ClassificationModule, DiscoverGraph, NodesDataModule


def samples(count=600, side=8):
    """Smoothed noise on a shuffled grid, in two classes by its mean."""
    generator = torch.Generator().manual_seed(0)
    white = torch.randn(count, 1, side + 2, side + 2, generator=generator)
    x = torch.nn.functional.avg_pool2d(white, 3, 1).flatten(1)[:, torch.randperm(side**2, generator=generator)]
    return x + 0.1 * torch.randn(x.shape, generator=generator), (x.mean(1) > 0).long()


def data():
    return NodesDataModule(*samples(), batch_size=32, val=0.0)


def main(folder):
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    module = ClassificationModule("SCGEClassifier", options={"channels": (4,)})
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        use_distributed_sampler=False,  # the order of the data module knows ranks
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[DiscoverGraph(f"{folder}/graph.safetensors")],
    )
    trainer.fit(module, datamodule=data())
    torch.save((module.graph, module.state_dict(), trainer.global_step), f"{folder}/{trainer.global_rank}.pt")


if __name__ == "__main__":
    main(sys.argv[1])
