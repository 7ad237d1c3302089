"""Measures the rows of the table of operators on graphs: accuracy after training, and seconds to expect of it."""

from __future__ import annotations

import time
from typing import Any

import torch
from operator_models import LogisticRegression
from operator_rows import Row, Wiring, build, setting
from small_images import SmallImages
from torch import Tensor

from scge_pyg.models import accuracy, fit_classifier

__all__ = ["BATCH", "Bench"]

BATCH = 64
_TIMED_STEPS = 4


class Bench:
    """Trains and tests; the images and graphs of a run are made once.

    Args:
        train: Training images.
        epochs: Passes over them.
    """

    def __init__(self, train: int, epochs: int) -> None:
        self.train, self.epochs = train, epochs
        self._wirings: dict[tuple[str, int], Wiring] = {}

    def wiring(self, data: str, run: int) -> Wiring:
        """The graphs of a run; those of other runs are let go."""
        if (data, run) not in self._wirings:
            self._wirings = {key: kept for key, kept in self._wirings.items() if key[1] == run}
            self._wirings[data, run] = Wiring(data, SmallImages(data, run, self.train), run)
        return self._wirings[data, run]

    def measure(self, data: str, row: Row, run: int) -> dict[str, Any]:
        """The record of one row."""
        wiring, rate = self.wiring(data, run), setting(data, row)
        record = {"data": data, "network": row.network, "graph": row.graph, "run": run, "rate": rate}
        record |= self.trained(wiring, row, rate)
        if row.graph:
            graph: Any = getattr(wiring, row.graph)
            scores = wiring.scores(row.graph)
            record |= {"degree": graph.num_edges / graph.num_nodes}
            record |= {"precision": scores.precision, "recall": scores.recall}
        return record

    def trained(self, wiring: Wiring, row: Row, rate: float) -> dict[str, float]:
        """Accuracy on the test images after the last epoch, and seconds of training."""
        images = wiring.images
        torch.manual_seed(wiring.run)
        model, order = build(row, wiring, rate)
        title = f"run {wiring.run}, {row.network} {row.graph}"
        seconds = self._fit(model, images.x[:, order], images.y, self.epochs, rate, wiring.run, title)
        return {"accuracy": accuracy(model, images.x_test[:, order], images.y_test), "seconds": round(seconds, 1)}

    def expected(self, data: str, row: Row) -> float:
        """Seconds of training on run 0, from those of a few steps; logistic regression's from a tenth of the images."""
        wiring, rate = self.wiring(data, 0), setting(data, row)
        model, order = build(row, wiring, rate)
        x, y = wiring.images.x[:, order], wiring.images.y
        if isinstance(model, LogisticRegression):
            return 10 * self._fit(model, x[: self.train // 10], y[: self.train // 10], 1, rate, 0)
        some = _TIMED_STEPS * BATCH
        self._fit(model, x[:BATCH], y[:BATCH], 1, rate, 0)
        return self._fit(model, x[:some], y[:some], 1, rate, 0) * self.train / some * self.epochs

    @staticmethod
    def _fit(
        model: torch.nn.Module, x: Tensor, y: Tensor, epochs: int, rate: float, seed: int, title: str | None = None
    ) -> float:
        start = time.perf_counter()
        if isinstance(model, LogisticRegression):
            model.fit(x, y)
        else:
            fit_classifier(model, x, y, epochs=epochs, batch_size=BATCH, lr=rate, seed=seed, progress=title)
        return time.perf_counter() - start
