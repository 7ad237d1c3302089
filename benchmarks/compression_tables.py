"""The tables of the compression benchmark, in Markdown."""

from __future__ import annotations

from statistics import mean, stdev
from typing import Any

from compression_models import MODELS
from report import markdown_table

__all__ = ["NAMES", "tables"]

Record = dict[str, Any]
NAMES = {"fashion": "Fashion-MNIST", "mnist": "MNIST", "two-class": "MNIST, digits 0 and 1"}


def tables(records: list[Record]) -> str:
    """Errors by data set and size of the code, the notes' ladder, and the curves over latents and images."""
    full = [r for r in records if r["part"] in ("main", "other")]
    parts = [_errors(full), _ladder(full), _curve(records, "latent", "latents"), _curve(records, "images", "images")]
    return "\n\n".join(part for part in parts if part)


def _cells(records: list[Record]) -> list[tuple[str, int]]:
    return [
        (data, latent)
        for data in NAMES
        for latent in sorted({r["latent"] for r in records if r["data"] == data})
    ]  # fmt: skip


def _found(records: list[Record], model: str, data: str, latent: int) -> list[Record]:
    return [r for r in records if (r["model"], r["data"], r["latent"]) == (model, data, latent)]


def _errors(records: list[Record]) -> str:
    cells = _cells(records)
    if not cells:
        return ""
    head = ["model", "parameters", *(f"{NAMES[data]}, {latent}" for data, latent in cells), "seconds"]
    lines = []
    for name, model in MODELS.items():
        mine = [r for r in records if r["model"] == name]
        if mine:
            first = min(mine, key=lambda r: (r["latent"], list(NAMES).index(r["data"])))
            values = [_with_spread([r["error"] for r in _found(records, name, *cell)]) for cell in cells]
            seconds = mean(r["seconds"] for r in mine if r["latent"] == first["latent"] and r["data"] == first["data"])
            lines.append([model.what, f"{first['parameters']:,}", *values, f"{seconds:.0f}"])
    return markdown_table(head, lines)


def _with_spread(values: list[float]) -> str:
    if not values:
        return ""
    spread = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
    return f"{mean(values):.3f}{spread} ({len(values)})"


def _ladder(records: list[Record]) -> str:
    """Errors relative to PCA: the notes' shallow : deep : convolutional is 1 : 0.57 : 0.44."""
    lines = []
    for data, latent in _cells(records):
        error = {
            name: mean(r["error"] for r in found)
            for name in ("pca", "mlp", "conv", "scge", "scge-free", "scge-learned", "conv-shuffled")
            if (found := _found(records, name, data, latent))
        }
        if "pca" in error:
            ratios = {name: f"{value / error['pca']:.2f}" for name, value in error.items()}
            row = [NAMES[data], str(latent)]
            lines.append(row + [ratios.get(n, "") for n in ("pca", "mlp", "conv", "scge")] + _against(error))
    head = ["data", "latents", "PCA", "MLP", "convolutional", "SCGE"]
    head += ["SCGE / conv.", "never snapped / conv.", "learned / never snapped", "conv. shuffled / conv."]
    return markdown_table(head, lines) if lines else ""


def _against(error: dict[str, float]) -> list[str]:
    pairs = (("scge", "conv"), ("scge-free", "conv"), ("scge-learned", "scge-free"), ("conv-shuffled", "conv"))
    return [f"{error[a] / error[b]:.3f}" if a in error and b in error else "" for a, b in pairs]


def _curve(records: list[Record], axis: str, part: str) -> str:
    """Error over the size of the code or the number of images, one seed; the shared point comes from the main part."""
    own = [r for r in records if r["part"] == part]
    if not own:
        return ""
    data, most = own[0]["data"], max(r["images"] for r in records)
    fixed = {"images": most} if axis == "latent" else {"latent": own[0]["latent"]}
    shared = [r for r in records if r["part"] == "main" and r["data"] == data and r["seed"] == 0]
    points = own + [r for r in shared if all(r[k] == v for k, v in fixed.items())]
    columns = sorted({r[axis] for r in points})
    lines = []
    for name, model in MODELS.items():
        by_column = {r[axis]: f"{r['error']:.3f}" for r in points if r["model"] == name}
        if len(by_column) > 1:
            lines.append([model.what, *(by_column.get(column, "") for column in columns)])
    return markdown_table([f"{NAMES[data]}, one seed: {axis}", *(f"{c:,}" for c in columns)], lines)
