"""What scikit-learn's k-means does and a plain argmax k-means doesn't: starts, empty clusters, the order of batches.

Every variant differs from another in one decision, so that a difference in inertia has a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean, stdev
from typing import Any

import numpy as np
from cgae_kmeans import nearest
from draws import Array
from report import markdown_table
from sklearn.cluster import KMeans, kmeans_plusplus
from tqdm import tqdm

__all__ = ["VARIANTS", "argmax_batches", "argmax_kmeans", "comparison", "comparison_table"]

VARIANTS = {
    "library": "scikit-learn: k-means++, best of 5 starts",
    "library-once": "scikit-learn: k-means++, one start",
    "library-images": "scikit-learn: random images as starts",
    "argmax-plus": "argmax, k-means++ as starts",
    "argmax-images": "argmax, random images as starts",
    "argmax-noise": "argmax, noise around the mean image as starts",
    "batches": "argmax in one pass of batches, random images as starts, shuffled",
    "batches-sorted": "argmax in one pass of batches, random images as starts, sorted by class",
    "batches-noise": "argmax in one pass of batches, noise as starts, shuffled",
}
_BATCH, _MOST = 100, 100


def argmax_kmeans(x: Array, start: Array) -> Array:
    """Lloyd's iteration written plainly: an image belongs to the centre with the largest score, a centre is a mean.

    A centre without images stays where it is. Stops when no image moves, after 100 iterations at most.

    Args:
        x: Images ``[S, N]``.
        start: Centres ``[K, N]``.
    """
    centers, before = start.copy(), None
    for _ in range(_MOST):
        index = nearest(centers, x)[0]
        if before is not None and (index == before).all():
            break
        before = index
        count = np.bincount(index, minlength=len(centers))
        total = np.zeros_like(centers)
        np.add.at(total, index, x)
        centers[count > 0] = total[count > 0] / count[count > 0, None]
    return centers


def argmax_batches(x: Array, start: Array) -> Array:
    """One pass of batches: each centre becomes the running mean of all images it was given (MacQueen, 1967)."""
    centers, seen = start.copy(), np.zeros(len(start))
    for batch in np.array_split(x, -(-len(x) // _BATCH)):
        index = nearest(centers, batch)[0]
        count = np.bincount(index, minlength=len(centers))
        total = np.zeros_like(centers)
        np.add.at(total, index, batch)
        seen += count
        moved = count > 0
        centers[moved] += (total[moved] - count[moved, None] * centers[moved]) / seen[moved, None]
    return centers


def _centers(variant: str, x: Array, y: Array, size: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    if variant.startswith("library"):
        init = "random" if variant == "library-images" else "k-means++"
        model = KMeans(size, init=init, n_init=5 if variant == "library" else 1, max_iter=_MOST, random_state=seed)
        return np.asarray(model.fit(x).cluster_centers_)
    if variant.endswith("noise"):
        start = (x.mean(0) + x.std() * rng.standard_normal((size, x.shape[1]))).astype(x.dtype)
    elif variant == "argmax-plus":
        start = kmeans_plusplus(x, size, random_state=seed)[0]
    else:
        start = x[rng.choice(len(x), size, replace=False)]
    if variant.startswith("argmax"):
        return argmax_kmeans(x, start)
    order = rng.permutation(len(x))
    return argmax_batches(
        x[order[np.argsort(y[order], kind="stable")] if variant == "batches-sorted" else order], start
    )


def comparison(x: Array, y: Array, test: Array, sizes: tuple[int, ...], seeds: range) -> Iterator[dict[str, Any]]:
    """One record a variant, size and seed: inertia of an image, dead clusters, error on test images.

    Args:
        x: Training images ``[S, N]``.
        y: Their classes ``[S]``, by which one variant sorts them.
        test: Test images.
        sizes: Numbers K of clusters.
        seeds: Of the starts.
    """
    cells = [(size, variant, seed) for size in sizes for variant in VARIANTS for seed in seeds]
    for size, variant, seed in tqdm(cells, desc="k-means"):
        centers = _centers(variant, x, y, size, seed)
        index, square = nearest(centers, x)
        yield {
            "part": "k-means",
            "variant": variant,
            "K": size,
            "seed": seed,
            "inertia": float(square.mean()),
            "dead": size - len(np.unique(index)),
            "test": float(nearest(centers, test)[1].mean()),
        }


def comparison_table(records: list[dict[str, Any]], name: str) -> str:
    """Inertia of a training image, mean ± deviation over seeds, and the mean number of dead clusters."""
    sizes = sorted({r["K"] for r in records})
    lines = []
    for variant, what in VARIANTS.items():
        runs = [[r for r in records if r["variant"] == variant and r["K"] == size] for size in sizes]
        lines.append([what, *(_cell(mine) if mine else "" for mine in runs)])
    return markdown_table([f"{name}: k-means", *(f"K = {size:,}" for size in sizes)], lines)


def _cell(runs: list[dict[str, Any]]) -> str:
    spread = f" ± {stdev(r['inertia'] for r in runs):.2f}" if len(runs) > 1 else ""
    return f"{mean(r['inertia'] for r in runs):.2f}{spread}, {mean(r['dead'] for r in runs):.1f} dead"
