"""The tables of benchmarks/cgae.py."""

from __future__ import annotations

from statistics import mean
from typing import Any

from report import markdown_table

__all__ = ["tables"]


def tables(records: list[dict[str, Any]]) -> str:
    """All tables that there are records for."""
    makers = {
        "shapes": _shapes,
        "unknown": _unknown,
        "speed": _speed,
        "collapse": _collapse,
        "bits": _bits,
        "cover": _cover,
        "shuffled": _shuffled,
    }
    found = {part: [record for record in records if record["part"] == part] for part in makers}
    return "\n\n".join(makers[part](rows) for part, rows in found.items() if rows)


def _shapes(rows: list[dict[str, Any]], title: str = "Known shapes") -> str:
    lines = [[str(r["seed"]), f"{r['cosine']:.3f}", f"{100 * r['exact']:.1f} %", f"{r['seconds']:.0f}"] for r in rows]
    head = ["seed", "cosine of the worst shape", "images with all places exact", "seconds to learn"]
    return f"{title}:\n\n" + markdown_table(head, lines)


def _unknown(rows: list[dict[str, Any]]) -> str:
    return _shapes(rows, "An unknown number of shapes")


def _speed(rows: list[dict[str, Any]]) -> str:
    head = ["sweep (ms)", "direct form (ms)", "ratio", "largest difference of a probability"]
    lines = [
        [f"{1e3 * r['ours']:.0f}", f"{1e3 * r['direct']:.0f}", f"{r['ratio']:.0f}", f"{r['off']:.1e}"] for r in rows
    ]
    return "A sweep of 64 images, 20 prototypes of 7 x 7, 8 parts:\n\n" + markdown_table(head, lines)


def _collapse(rows: list[dict[str, Any]]) -> str:
    lines = []
    for kind in sorted({(r["naive"], -r["prototypes"]) for r in rows}):
        same = [r for r in rows if (r["naive"], -r["prototypes"]) == kind]
        figures = {name: [r[name] for r in same] for name in ("entropy", "alike", "explained", "revived")}
        lines.append(
            [
                f"K = {-kind[1]}" + (", naive" if kind[0] else ""),
                str(len(same)),
                f"{min(figures['entropy']):.3f} ({mean(figures['entropy']):.3f})",
                f"{max(figures['alike']):.3f} ({mean(figures['alike']):.3f})",
                f"{min(figures['explained']):.3f} ({mean(figures['explained']):.3f})",
                f"{mean(figures['revived']):.0f}",
            ]
        )
    head = [
        "model",
        "seeds",
        "usage entropy / log K, least (mean)",
        "likest pair, most (mean)",
        "variance explained, least (mean)",
        "started anew",
    ]
    return "Use of prototypes, MNIST:\n\n" + markdown_table(head, lines)


def _bits(rows: list[dict[str, Any]]) -> str:
    lines = [
        [r["data"], r["model"], "" if p["step"] is None else f"{p['step']:g}", f"{p['bits']:.1f}", f"{p['error']:.2f}",
         f"{r['unquantised']:.2f}", f"{r['fit_seconds']:.0f}"]
        for r in rows
        for p in r["points"]
    ]  # fmt: skip
    head = ["data", "model", "step of b", "bits", "error", "error before rounding", "seconds to learn"]
    return "Error against bits, 8 parts:\n\n" + markdown_table(head, lines)


def _cover(rows: list[dict[str, Any]]) -> str:
    lines = [[str(r["seed"]), f"{r['additive']:.2f}", f"{r['occluding']:.2f}", f"{r['floor']:.2f}"] for r in rows]
    return "Shapes that hide each other:\n\n" + markdown_table(["seed", "additive", "occluding", "noise alone"], lines)


def _shuffled(rows: list[dict[str, Any]]) -> str:
    lines = [
        [str(r["seed"]), "x".join(map(str, r["lattice"] or [])) or "none", f"{r['true']:.2f}", f"{r['shuffled']:.2f}",
         f"{r['shuffled'] / r['true']:.3f}"]
        for r in rows
    ]  # fmt: skip
    return "Shuffled MNIST:\n\n" + markdown_table(["seed", "lattice", "true order", "shuffled", "ratio"], lines)
