"""Choices made on run 100 before the table of operators on graphs was measured: rates, and the kind of k-NN graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from operator_bench import Bench
from operator_models import OPERATORS
from operator_rows import LABELS, RATES, Row, Wiring
from report import Records, markdown_table
from small_images import SHAPES, SmallImages

__all__ = ["climb", "tune", "tuning_table"]

_RUN = 100
_RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
_INVERSE_PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_NEAREST = [(k, metric) for k in (3, 4, 8) for metric in ("correlation", "euclidean")]
_JUDGES = ("GraphSAGE", "GIN")
_SAME = ("offsets",)  # as Transformer


def climb(ladder: tuple[float, ...], measure: Callable[[float], float]) -> float:
    """The best rung, from the middle one up or down until both neighbours are worse.

    Example:
        >>> climb((1.0, 2.0, 3.0, 4.0, 5.0), lambda rung: -abs(rung - 4.5))
        4.0
    """
    middle = len(ladder) // 2
    tried = {middle: measure(ladder[middle])}
    while True:
        best = max(tried, key=lambda rung: tried[rung])
        beside = [rung for rung in (best - 1, best + 1) if 0 <= rung < len(ladder) and rung not in tried]
        if not beside:
            return ladder[best]
        tried |= {rung: measure(ladder[rung]) for rung in beside}


def tune(bench: Bench, records: Records) -> None:
    """Climb to the rate of each row on CIFAR-10, to the penalty of logistic regression and the k-NN graph on both."""

    @cache
    def wiring(data: str, nearest: tuple[int, str] | None) -> Wiring:
        return Wiring(data, SmallImages(data, _RUN, bench.train), _RUN, nearest)

    def measure(data: str, row: Row, rate: float, nearest: tuple[int, str] | None = None) -> float:
        keys = {"data": data, "network": row.network, "rate": rate, "nearest": list(nearest or ())}
        record = records.find(**keys)
        if record is None:
            record = {**keys, **bench.trained(wiring(data, nearest), row, rate)}
            records.add(record)
        return float(record["accuracy"])

    for data in SHAPES:
        for nearest in _NEAREST:
            for name in _JUDGES:
                measure(data, Row(name, "knn"), RATES[name], nearest)
        climb(_INVERSE_PENALTIES, partial(measure, data, Row("logistic")))
    networks = [Row(name) for name in sorted(LABELS, key="dynamic".__eq__) if name not in ("logistic", *_SAME)]
    for row in (*(Row(name, "knn") for name in OPERATORS), *networks):
        climb(_RATES, partial(measure, "cifar10", row))


def tuning_table(records: Records) -> str:
    """Accuracies in % by rate, and by k-NN graph."""
    parts = []
    for data in SHAPES:
        for judged in (False, True):
            found = [r for r in records.items if r["data"] == data and bool(r["nearest"]) == judged]
            choice = {id(r): "{}, {}".format(*r["nearest"]) if judged else f"{r['rate']:.0e}" for r in found}
            columns = sorted(set(choice.values()))
            lines = []
            for name in dict.fromkeys(r["network"] for r in found):
                own = {choice[id(r)]: f"{100 * r['accuracy']:.1f}" for r in found if r["network"] == name}
                lines.append([name, *(own.get(column, "") for column in columns)])
            if lines:
                parts.append(f"{data}, run {_RUN}\n\n" + markdown_table(["network", *columns], lines))
    return "\n\n".join(parts)
