"""How many bits a code takes when nothing is known of how parts stand to each other."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from scge_pyg.graph.checks import positive_number, whole_number
from scge_pyg.models.cgae.code import Code
from scge_pyg.models.cgae.density.coefficients import Coefficients, steps

__all__ = ["CodeLength", "checked_code", "log_orders", "quantize"]


class CodeLength:
    r"""Bits of a code whose parts are independent, with uniform places and prototypes.

    .. math::
        \text{bits} = -\log_2 p(n) + n \log_2 (I J K) + \sum_{h=1}^n \text{bits}(b_h)
            - \log_2 \frac{n!}{\prod_c m_c!}

    with n the parts that are used and :math:`m_c` how often each distinct part c comes up. A sum of parts is a set: any
    of its :math:`n! / \prod_c m_c!` orders decodes to the same image, and :math:`2^{-\text{bits}}` sums to 1 over all
    sets. Linear codes are rounded to whole steps and counted by their empirical entropy (:class:`Coefficients`).

    Args:
        grid: Rows and columns of places, (I, J): of an image with s places a pixel, s times its size.
        num_prototypes: Prototypes K.
        step: Width of a step of the linear codes. Default: there are none.
        unused: Whether parts may be unused, as in a model with a price; then p(n) is counted in training, a half added
            to each count. Default: every code has H parts, p = 1.
        ordered: Whether the order of parts matters, as to the occluding decoder; then the last term falls away.

    Raises:
        ValueError: If a number is less than 1, or the step not above 0.

    Example:
        >>> import torch
        >>> places = torch.tensor([[3, 10, 3]])
        >>> code = Code(places, places, torch.tensor([[0, 5, 0]]), torch.zeros(1, 3, 0), torch.zeros(1))
        >>> CodeLength((16, 16), 8).bits(code)  # 3 * 11 bits, and 3 orders
        tensor([31.4150], dtype=torch.float64)
    """

    def __init__(
        self,
        grid: tuple[int, int],
        num_prototypes: int,
        *,
        step: float | None = None,
        unused: bool = False,
        ordered: bool = False,
    ) -> None:
        rows, columns = grid
        self.grid = (whole_number("CodeLength", "grid", rows, 1), whole_number("CodeLength", "grid", columns, 1))
        self.num_prototypes = whole_number("CodeLength", "num_prototypes", num_prototypes, 1)
        self.step = None if step is None else positive_number("CodeLength", "step", step)
        self.unused, self.ordered = unused, ordered
        self.coefficients: Coefficients | None = None
        self.numbers: Tensor | None = None

    def fit(self, code: Code) -> CodeLength:
        """Count the linear codes and the number of used parts of training codes."""
        code = checked_code("CodeLength.fit", code, self.grid, self.num_prototypes, self.step, self.unused)
        if self.step is not None:
            self.coefficients = Coefficients(self.step, self.num_prototypes).fit(code)
        used = (code.k >= 0).sum(1)
        self.numbers = torch.bincount(used, minlength=code.k.shape[1] + 1).double() + 0.5
        return self

    def bits(self, code: Code) -> Tensor:
        """Of each code ``[B]``, float64.

        Raises:
            ValueError: If a code does not fit the grid, the prototypes or the training codes, or training is missing
                where it is needed: with linear codes or unused parts.
        """
        code = checked_code("CodeLength.bits", code, self.grid, self.num_prototypes, self.step, self.unused)
        if self.numbers is None and (self.unused or self.step is not None):
            raise ValueError("CodeLength.bits: linear codes and unused parts are counted in training; call fit first")
        used = code.k >= 0
        number = used.sum(1)
        bits = number.double() * math.log2(self.grid[0] * self.grid[1] * self.num_prototypes)
        if self.unused and self.numbers is not None:
            if len(self.numbers) != code.k.shape[1] + 1:
                raise ValueError(
                    f"CodeLength.bits: code must have the {len(self.numbers) - 1} parts of the training codes, "
                    f"got {code.k.shape[1]}"
                )
            bits = bits - (self.numbers / self.numbers.sum()).log2()[number]
        if self.coefficients is not None:
            bits = bits + self.coefficients.bits(code).sum(1)
        return bits - (0 if self.ordered else log_orders(code, self.step) / math.log(2))


def quantize(code: Code, step: float) -> Code:
    """The code with linear codes b rounded to multiples of a step; its energy is not known and NaN.

    Example:
        >>> import torch
        >>> place = torch.zeros(1, 1, dtype=torch.long)
        >>> quantize(Code(place, place, place, torch.tensor([[[0.3, -0.9]]]), torch.zeros(1)), 0.5).b
        tensor([[[ 0.5000, -1.0000]]])
    """
    step = positive_number("quantize", "step", step)
    return code._replace(b=steps(code, step) * step, energy=torch.full_like(code.energy, math.nan))


def log_orders(code: Code, step: float | None = None) -> Tensor:
    r"""Nats of the number of distinct orders of the used parts, :math:`n! / \prod_c m_c!`, ``[B]`` float64."""
    used = code.k >= 0
    same = (code.k.unsqueeze(1) == code.k.unsqueeze(2)) & used.unsqueeze(1) & used.unsqueeze(2)
    same &= (code.i.unsqueeze(1) == code.i.unsqueeze(2)) & (code.j.unsqueeze(1) == code.j.unsqueeze(2))
    if step is not None:
        number = steps(code, step)
        same &= (number.unsqueeze(1) == number.unsqueeze(2)).all(3)
    alike = same.sum(2).double()  # of m parts alike, each brings an m-th of log m!
    repeats = torch.where(used, torch.lgamma(alike + 1) / alike.clamp_min(1), 0.0).sum(1)
    return torch.lgamma(used.sum(1).double() + 1) - repeats


def checked_code(
    where: str, code: Code, grid: tuple[int, int], num_prototypes: int, step: float | None, unused: bool
) -> Code:
    """The code on the CPU, without gradients; refused if it is not of such a grid, prototypes and linear codes."""
    for name, value in (("i", code.i), ("j", code.j), ("k", code.k)):
        if value.is_floating_point() or value.dtype == torch.bool:
            raise TypeError(f"{where}: {name} of a code must be integers, got {value.dtype}")
    if code.k.dim() != 2 or code.i.shape != code.k.shape or code.j.shape != code.k.shape:
        shapes = ", ".join(str(list(t.shape)) for t in (code.i, code.j, code.k))
        raise ValueError(f"{where}: i, j and k of a code must be of one shape [B, H], got {shapes}")
    if code.b.shape[:2] != code.k.shape or code.b.dim() != 3:
        raise ValueError(f"{where}: b of a code must be [B, H, q], got {list(code.b.shape)} for k {list(code.k.shape)}")
    if step is None and code.b.shape[2]:
        raise ValueError(f"{where}: the code has linear codes, q = {code.b.shape[2]}; pass a step to round them to")
    for name, value, lowest, size in (
        ("i", code.i, 0, grid[0]),
        ("j", code.j, 0, grid[1]),
        ("k", code.k, -1 if unused else 0, num_prototypes),
    ):
        if value.numel() and not (int(value.min()) >= lowest and int(value.max()) < size):
            more = "" if unused or name != "k" else "; pass unused=True where parts may be unused (-1)"
            raise ValueError(
                f"{where}: {name} of a code must be {lowest} to {size - 1}, "
                f"got {int(value.min())} to {int(value.max())}{more}"
            )
    return Code(*(field.detach().cpu() for field in code))
