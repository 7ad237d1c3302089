"""One of two processes that discover and learn together, with what each is given and what each found."""

import sys
import warnings

import torch
import torch.distributed as dist

from scge_pyg import HebbianLoss, discover
from scge_pyg.discovery import Numbered
from scge_pyg.discovery.coupling import choice, local, similar
from scge_pyg.discovery.parts import discover_part, views
from scge_pyg.discovery.sharing.workers import sharing
from scge_pyg.discovery.signals import most_correlated, samples, scores
from scge_pyg.nn import NodeEmbedding

SAMPLES, SIDE = 3000, 12


def field():
    """Samples ``[S, N]`` of smoothed noise on a shuffled grid, some of them missing."""
    generator = torch.Generator().manual_seed(0)
    white = torch.randn(SAMPLES, 1, SIDE + 2, SIDE + 2, generator=generator)
    x = torch.nn.functional.avg_pool2d(white, 3, 1).flatten(1)[:, torch.randperm(SIDE**2, generator=generator)]
    x[torch.rand(x.shape, generator=generator) < 0.01] = torch.nan
    return x + 0.1 * torch.randn(x.shape, generator=generator)


def as_if_large():
    """Few kept samples, and many blocks of rows: what large inputs go through."""
    for module in (choice, similar, views, discover_part):
        if hasattr(module, "DENSE_NODES"):
            module.DENSE_NODES = 64
    samples._KEPT_BYTES, samples._FEW = 4 * SIDE**2 * 1700, 0
    scores._BLOCK_VALUES, most_correlated._BLOCK_ROWS, local._ROWS, local._PROBED_ROWS = 2**15, 32, 32, 32


def loader(x, own):
    """Batches with their numbers, in some order."""
    own = own[torch.randperm(len(own), generator=torch.Generator().manual_seed(1))]
    return (Numbered(x[some], some) for some in own.split(50))


def learn(x, steps=60):
    """State of a loss and an embedding after steps on batches of 16 over all ranks."""
    torch.manual_seed(0)
    embedding = NodeEmbedding(x.shape[1], 2)
    loss = HebbianLoss(embedding, every=20, memory=256)
    ranks = dist.get_world_size() if dist.is_initialized() else 1
    model = torch.nn.parallel.DistributedDataParallel(loss) if ranks > 1 else loss
    optimizer = torch.optim.Adam(embedding.parameters(), lr=0.3)
    for batch in x[: 16 * steps].split(16):
        value = model(batch.chunk(ranks)[dist.get_rank()] if ranks > 1 else batch)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return loss.state_dict()


def refused(call):
    """Type and text of the error."""
    try:
        call()
    except Exception as error:
        return type(error).__name__, str(error)
    return None


def errors(x, rank):
    """What each worker is told where they disagree or one of them fails."""
    half = x[rank * 1500 : rank * 1500 + 1500]
    infinite = half.clone()
    infinite[7, 2 + rank] = torch.inf if rank else 0.0
    names = [f"n{node + rank}" for node in range(SIDE**2)]
    loss = HebbianLoss(NodeEmbedding(4, 2))
    group = {"group": True}
    return {
        "seed": refused(lambda: discover(half, seed=rank, **group)),
        "snap": refused(lambda: discover(half, snap=bool(rank), **group)),
        "dim": refused(lambda: discover(half, dim=rank, **group)),
        "N": refused(lambda: discover(half[:, rank:], **group)),
        "C": refused(lambda: discover(half.reshape(1500, 72, 2) if rank else half[:, :72], **group)),
        "names": refused(lambda: discover(half, names=names, **group)),
        "infinite": refused(lambda: discover(infinite, **group)),
        "text": refused(lambda: discover("file" if rank else half, **group)),
        "twice": refused(lambda: discover(Numbered(x[:800], 0), **group)),
        "unnumbered": refused(lambda: discover(iter(half.split(100)), **group)),
        "affinity": refused(lambda: discover(affinity=torch.eye(4), **group)),
        "hebbian": refused(lambda: loss(torch.full((2, 4), torch.nan if rank else 0.0))),
        "channels": refused(lambda: loss(torch.zeros(2, 4, 1 + rank))),
    }


def main(rank, folder):
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    as_if_large()
    x = field()
    numbers = torch.arange(SAMPLES)
    with sharing(True) as workers:
        before = samples.read(loader(x, numbers[rank::2]))
        received = workers.received
    found = {
        "read": (before.values, before.number, before.count, before.live),
        "received": received,
        "contiguous": discover(x[:800] if rank == 0 else x[800:], group=True),
        "interleaved": discover(loader(x, numbers[rank::2]), group=dist.group.WORLD),
        "one has all": discover(x if rank else x[:0], group=True),
        "learned": learn(x.nan_to_num()),
        "errors": errors(x, rank),
    }
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
