"""How long it takes to load 60,000 Fashion-MNIST images from raw files, and how much memory.

python benchmarks/loading.py      # SCGE_DATA names the folder that holds fashion_mnist/
"""

from __future__ import annotations

import tempfile
import time

from memory import peak_gigabytes

from scge_pyg.datasets import FashionMNISTNodes


def main() -> None:
    """Load once from the raw files and once from the processed one."""
    before = peak_gigabytes()
    with tempfile.TemporaryDirectory() as folder:
        for source in ("raw files", "processed file"):
            start = time.perf_counter()
            data = FashionMNISTNodes(folder)
            seconds = time.perf_counter() - start
            print(f"{len(data):,} images from the {source}: {seconds:.2f} s")
            del data
    after = peak_gigabytes()
    print(f"peak memory of the process {after:.2f} GB, of which {before:.2f} GB before loading (python, torch, PyG)")


if __name__ == "__main__":
    main()
