"""Choices made on run 100 before the table of operators on graphs was measured: rates, and the kind of k-NN graph."""

from __future__ import annotations

from collections.abc import Callable

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
_SAME = {"offsets": "Transformer"}


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
    """Climb to the rate of each row, operators on the k-NN graph, and try the k-NN graphs with the rates in use."""
    for data in SHAPES:
        images = SmallImages(data, _RUN, bench.train)

        def measure(row: Row, rate: float, wiring: Wiring, kind: str = "", data: str = data) -> float:
            keys = {"data": data, "network": row.network, "rate": rate, "nearest": kind}
            record = records.find(**keys)
            if record is None:
                record = {**keys, **bench.trained(wiring, row, rate)}
                records.add(record)
            return float(record["accuracy"])

        wiring = Wiring(data, images, _RUN)
        for row in (*map(Row, LABELS), *(Row(name, "knn") for name in OPERATORS)):
            if row.network not in _SAME:
                ladder = _INVERSE_PENALTIES if row.network == "logistic" else _RATES
                climb(ladder, lambda rate, row=row, measure=measure, wiring=wiring: measure(row, rate, wiring))
        for k, metric in _NEAREST:
            wiring = Wiring(data, images, _RUN, (k, metric))
            for name in _JUDGES:
                measure(Row(name, "knn"), RATES[data][name], wiring, f"{k}, {metric}")


def tuning_table(records: Records) -> str:
    """Accuracies in % by rate, and by k-NN graph."""
    parts = []
    for data in SHAPES:
        for judged in (False, True):
            found = [r for r in records.items if r["data"] == data and bool(r["nearest"]) == judged]
            columns = [r["nearest"] for r in found] if judged else sorted(r["rate"] for r in found)
            columns = list(dict.fromkeys(columns))
            lines = []
            for name in dict.fromkeys(r["network"] for r in found):
                own = {r["nearest"] or r["rate"]: r["accuracy"] for r in found if r["network"] == name}
                lines.append([name, *(f"{100 * own[key]:.1f}" if key in own else "" for key in columns)])
            if lines:
                parts.append(f"{data}, run {_RUN}\n\n" + markdown_table(["network", *map(str, columns)], lines))
    return "\n\n".join(parts)
