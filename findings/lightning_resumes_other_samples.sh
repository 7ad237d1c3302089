#!/usr/bin/env bash
# Lightning 2.6 goes on with other samples than the run would have had, in two cases, and says nothing.
# 1. A checkpoint at the end of an epoch and a sampler with set_epoch, as DistributedSampler: workers draw the first
#    batches of the next epoch before set_epoch is called, so that this epoch has the order of epoch 0.
# 2. A checkpoint within an epoch and a loader with state_dict, as StatefulDataLoader, where configure_optimizers asks
#    for estimated_stepping_batches: the loader is set up before the states are there, and they are never loaded; what
#    was trained on comes again, and the end of the epoch never.
# Remedy: a data module that restores the place in its own load_state_dict, which is called before either.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check -c "$here/../constraints.txt" torch==2.13.0 \
    lightning==2.6.6 torchdata==0.11.0 numpy
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - 2> errors <<'E' || { cat errors; exit 1; }
import lightning
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, Sampler
from torchdata.stateful_dataloader import StatefulDataLoader

DATA = torch.arange(8.0).view(8, 1)


class Order(Sampler):
    epoch = 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return 8

    def __iter__(self):
        return iter(torch.randperm(8, generator=torch.Generator().manual_seed(self.epoch)).tolist())


class Module(LightningModule):
    def __init__(self, estimates):
        super().__init__()
        self.layer, self.estimates, self.seen = torch.nn.Linear(1, 1), estimates, {}

    def training_step(self, batch, batch_idx):
        self.seen.setdefault(self.current_epoch, []).extend(batch.flatten().long().tolist())
        return self.layer(batch).sum()

    def configure_optimizers(self):
        if self.estimates:
            self.trainer.estimated_stepping_batches
        return torch.optim.SGD(self.parameters(), 1e-3)


def fit(folder, epochs, loader, path=None, estimates=False, every=None):
    module = Module(estimates)
    saving = ModelCheckpoint(folder, filename="{step}", save_top_k=-1, every_n_train_steps=every)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    Trainer(max_epochs=epochs, callbacks=[saving], **quiet).fit(module, loader, ckpt_path=path)
    return module.seen


print("lightning", lightning.__version__, "torch", torch.__version__)
found = []
for workers in (0, 2):
    loader = lambda: DataLoader(DATA, batch_size=2, sampler=Order(), num_workers=workers)
    whole = fit(f"whole{workers}", 3, loader())[2]
    fit(f"parts{workers}", 2, loader())
    resumed = fit(f"parts{workers}", 3, loader(), f"parts{workers}/step=8.ckpt")[2]
    print(f"third epoch, {workers} workers: {whole}, resumed {resumed}")
    found.append(whole == resumed)
for estimates in (False, True):
    folder = f"within{estimates}"
    fit(folder, 1, StatefulDataLoader(DATA, batch_size=2), every=3)
    rest = fit(folder, 1, StatefulDataLoader(DATA, batch_size=2), f"{folder}/step=3.ckpt", estimates)[0]
    print(f"after 3 of 4 batches, estimated_stepping_batches {'' if estimates else 'not '}asked for: {rest}")
    found.append(rest == [6, 7])
if found != [True, False, True, False]:
    raise SystemExit(f"the behaviour changed: {found}")
E
