"""k-means as a code: the number of an image's nearest centre, entropy-coded by how often training images have it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from cgae_curves import Candidate, Split
from draws import Array
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

__all__ = ["kmeans", "kmeans_code"]

_SIZES = tuple(2**b for b in range(4, 13))
_BATCH = 4_096
_SMALL = 256  # up to here the best of several full runs is cheap


def kmeans_code(centers: Array, usage: Array, x: Array) -> tuple[float, float]:
    """Bits and error of images ``x [S, N]``, each replaced by the nearest of ``centers [K, N]``.

    Args:
        centers: The code book.
        usage: Training images of each centre ``[K]``; half an image is added to each.
        x: Images.
    """
    length = -np.log2((usage + 0.5) / (usage + 0.5).sum())
    index, square = nearest(centers, x)
    return float(length[index].mean()), float(square.mean())


def nearest(centers: Array, x: Array) -> tuple[Array, Array]:
    """The nearest centre of each image ``[S]`` and its squared distance ``[S]``."""
    norm = np.square(centers).sum(1) / 2
    index = np.concatenate([(part @ centers.T - norm).argmax(1) for part in np.array_split(x, -(-len(x) // _BATCH))])
    return index, np.square(x - centers[index]).sum(1)


def kmeans(data: Split, quick: bool) -> Iterator[Candidate]:
    """K from 16 to 4,096 (``quick``: 128): k-means++, mini-batches, then Lloyd's iteration on all images."""
    for size in _SIZES[: 4 if quick else None]:
        for seed in range(3 if size <= _SMALL and not quick else 1):
            fast = MiniBatchKMeans(
                size, max_iter=10, n_init=1, init_size=3 * size, batch_size=_BATCH, random_state=seed
            )
            start = fast.fit(data.train).cluster_centers_
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model = KMeans(size, init=start, n_init=1, max_iter=20).fit(data.train)
            usage = np.bincount(model.labels_, minlength=size)
            centers = model.cluster_centers_
            valid, test = (kmeans_code(centers, usage, x) for x in (data.valid, data.test))
            yield Candidate({"K": size, "seed": seed}, valid, test)
