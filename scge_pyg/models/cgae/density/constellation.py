"""The second level: how the parts of an image stand to each other."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from scge_pyg.graph.checks import positive_number, whole_number
from scge_pyg.models.cgae.code import Code
from scge_pyg.models.cgae.density.arrangements import Arrangements
from scge_pyg.models.cgae.density.code_length import checked_code, log_orders
from scge_pyg.models.cgae.density.coefficients import Coefficients
from scge_pyg.models.cgae.density.placement import Parts
from scge_pyg.models.cgae.density.slot_tree import SlotTree
from scge_pyg.models.cgae.density.slot_tree_fit import fit_slot_tree
from scge_pyg.models.cgae.density.slot_tree_start import first_slot_trees
from scge_pyg.models.cgae.density.tree_state import state_of_trees, trees_of_state

__all__ = ["Constellation"]

_CHUNK = 512  # codes at a time
_MOST = 12  # parts: the sum over arrangements grows as 2^H to 3^H
_FEWEST = 200  # codes of a component, on average, that a round looks at, if there are so many


class Constellation:
    r"""A density of codes, as sets of parts: a mixture of trees of slots, summed over who lies on which slot.

    .. math::
        P(\{z_1, \dots, z_H\}) = \frac{1}{\prod_c m_c!} \sum_{m} \pi_m \sum_{\sigma \in S_H}
            \prod_v p_{mv}\big(z_{\sigma(v)} \mid z_{\sigma(u_m(v))}\big)

    Every component m has H slots on a tree of Chow and Liu, with a Gaussian of each part's place given the part before
    it (:class:`Placement`), mixed with one that stands alone and a uniform rest (:class:`Slot`). Which part lies on
    which slot is not in the code: a sum of parts has no order, and any order decodes to the same image. So P sums over
    all arrangements (exactly, :class:`Arrangements`) and over equal parts once; the :math:`\log_2 H!` bits that an
    order would take are never spent, and nothing is subtracted for them a second time. For parts that are independent
    and uniform P is :math:`H! / \prod_c m_c! \, (I J K)^{-H}`, and its length that of :class:`CodeLength`.

    Fitting is Monte Carlo EM: for each code a component and an arrangement are drawn from their posterior, exactly, by
    the same sums; then each component's tree, tables and Gaussians are estimated anew. Rounds look at more and more of
    the codes, the last at all. For each code and component, H = 8, a round takes about 0.1 ms.

    Args:
        grid: Rows and columns of places, (I, J), as those of :class:`CodeLength`.
        num_prototypes: Prototypes K.
        num_components: Components M. Default: 16.
        step: Width of a step to which linear codes are rounded. Default: there are none.
        ordered: Whether the order of parts matters, as to the occluding decoder. Default: no. If so, all orders of a
            set are equally likely, and a code takes the bits of its set and those of its order.
        tree: Whether the parts of a component depend on each other. Default: yes; without, slots are independent.
        num_rounds: Rounds of EM. Default: 12.
        seed: Of the start and the draws in fitting.

    Attributes:
        weight: Share of each component ``[M]``, after :meth:`fit`; those that no code is drawn to fall away.
        trees: Of each component.

    Raises:
        ValueError: If a number is less than 1, or the step not above 0.

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> i = torch.randint(4, 28, (200, 1), generator=generator)
        >>> i, k = torch.cat([i, i - 4], 1), torch.tensor([[0, 1]]).expand(200, 2)  # always 4 rows apart
        >>> code = Code(i, i.flip(1), k, torch.zeros(200, 2, 0), torch.zeros(200))
        >>> model = Constellation((28, 28), 2, 1, num_rounds=4).fit(code)
        >>> drawn = model.sample(5, generator)
        >>> drawn.i.diff(dim=1).abs().squeeze(1)
        tensor([4, 4, 4, 4, 4])
    """

    def __init__(
        self,
        grid: tuple[int, int],
        num_prototypes: int,
        num_components: int = 16,
        *,
        step: float | None = None,
        ordered: bool = False,
        tree: bool = True,
        num_rounds: int = 12,
        seed: int = 0,
    ) -> None:
        rows, columns = grid
        where = "Constellation"
        self.grid = (whole_number(where, "grid", rows, 1), whole_number(where, "grid", columns, 1))
        self.num_prototypes = whole_number(where, "num_prototypes", num_prototypes, 1)
        self.num_components = whole_number(where, "num_components", num_components, 1)
        self.num_rounds = whole_number(where, "num_rounds", num_rounds, 1)
        self.step = None if step is None else positive_number(where, "step", step)
        self.ordered, self.tree, self.seed = ordered, tree, whole_number(where, "seed", seed, 0, 2**63 - 1)
        self.coefficients: Coefficients | None = None
        self.weight = torch.zeros(0, dtype=torch.double)
        self.trees: tuple[SlotTree, ...] = ()

    def fit(self, code: Code) -> Constellation:
        """Fit to codes of training images; parts that are not used (k = -1) are a state of a slot like any other.

        Raises:
            ValueError: If the codes are not of such a grid and such prototypes, there are none, or parts are too many.
        """
        code, parts = self._parts("Constellation.fit", code)
        number, count = code.k.shape
        if not (number and 1 <= count <= _MOST):
            raise ValueError(
                f"Constellation.fit: code must have 1 to {_MOST} parts in at least one image, "
                f"got {list(code.k.shape)}; all ways of laying parts on slots are summed, too many beyond"
            )
        if self.step is not None:
            self.coefficients = Coefficients(self.step, self.num_prototypes).fit(code)
        shown = torch.where(parts.used, parts.k, self.num_prototypes).flatten()
        background = torch.bincount(shown, minlength=self.num_prototypes + 1) + 0.5
        background = background / background.sum()
        generator = torch.Generator().manual_seed(self.seed)
        self.trees = first_slot_trees(parts, background.double(), self.grid, self.num_components, generator)
        self.weight = torch.full((len(self.trees),), 1 / len(self.trees), dtype=torch.double)
        fewest = _FEWEST * len(self.trees)
        for done in range(self.num_rounds):
            some = torch.randperm(number, generator=generator)[: max(fewest, number * (done + 1) // self.num_rounds)]
            self._round(Parts(*(field[some] for field in parts)), background.double(), generator)
        return self

    def bits(self, code: Code) -> Tensor:
        r""":math:`-\log_2 P` of each code ``[B]`` float64, linear codes counted as in :class:`CodeLength`.

        Raises:
            ValueError: If the model is not fitted, or the codes are not of its grid, prototypes and number of parts.
        """
        code, parts = self._parts("Constellation.bits", code)
        self._check_fitted("bits")
        if code.k.shape[1] != len(self.trees[0].slots):
            raise ValueError(
                f"Constellation.bits: code must have the {len(self.trees[0].slots)} parts of the training codes, "
                f"got {code.k.shape[1]}"
            )
        logs = [
            torch.logsumexp(
                torch.stack([total.log() for total, _ in self._terms(some)]) + self.weight.log().unsqueeze(1), 0
            )
            for some in _chunks(parts)
        ]
        number = parts.used.sum(1).double()
        orders = log_orders(code, self.step)
        alike = torch.lgamma(number + 1) - orders + torch.lgamma(code.k.shape[1] - number + 1)
        bits = (alike - torch.cat(logs) + (orders if self.ordered else 0)) / math.log(2)
        return bits if self.coefficients is None else bits + self.coefficients.bits(code).sum(1)

    def sample(self, n: int, generator: torch.Generator) -> Code:
        """``n`` constellations; parts are in the order of the slots, or in random order if order matters.

        There is no image, so the energy is NaN.
        """
        self._check_fitted("sample")
        n = whole_number("Constellation.sample", "n", n, 0)
        component = torch.multinomial(self.weight.expand(n, -1), 1, generator=generator)[:, 0]
        count = len(self.trees[0].slots)
        place, k = torch.zeros(n, count, 2, dtype=torch.long), torch.zeros(n, count, dtype=torch.long)
        for m, tree in enumerate(self.trees):
            of = (component == m).nonzero().squeeze(1)
            parts = tree.sample(len(of), generator)
            place[of] = torch.where(parts.used.unsqueeze(2), parts.place.long(), 0)
            k[of] = torch.where(parts.used, parts.k, -1)
        if self.ordered:
            order = torch.rand(n, count, generator=generator).argsort(1)
            place, k = place.gather(1, order.unsqueeze(2).expand_as(place)), k.gather(1, order)
        b = torch.zeros(n, count, 0)
        if self.coefficients is not None:
            b = self.coefficients.sample(k.clamp_min(0), generator) * (k >= 0).unsqueeze(2)
        return Code(place[..., 0], place[..., 1], k, b, torch.full((n,), math.nan))

    def state_dict(self) -> dict[str, Tensor]:
        """What :meth:`fit` found, as tensors alone: ``torch.save`` it, and load it with ``weights_only=True``."""
        self._check_fitted("state_dict")
        counted = {} if self.coefficients is None else self.coefficients.state_dict()
        named = {f"coefficients.{name}": value for name, value in counted.items()}
        return {**state_of_trees(self.weight, self.trees), **named}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take what another of the same grid, prototypes and step was fitted to.

        Raises:
            ValueError: If entries are missing or of another number of prototypes, or one of both has no step.
        """
        counted = {name.removeprefix("coefficients."): v for name, v in state.items() if name.startswith("coeff")}
        if bool(counted) != (self.step is not None):
            raise ValueError(
                f"Constellation.load_state_dict: state has {'' if counted else 'no '}rounded linear codes, but step is "
                f"{self.step}; make the model as the one that was saved"
            )
        self.weight, self.trees = trees_of_state("Constellation.load_state_dict", state, self.grid, self.num_prototypes)
        if self.step is not None:
            self.coefficients = Coefficients(self.step, self.num_prototypes)
            self.coefficients.load_state_dict(counted)

    def __repr__(self) -> str:
        fitted = f"{len(self.trees)} components of {len(self.trees[0].slots)} parts" if self.trees else "not fitted"
        return f"Constellation({self.grid}, {self.num_prototypes} prototypes, {fitted})"

    def _parts(self, where: str, code: Code) -> tuple[Code, Parts]:
        code = checked_code(where, code, self.grid, self.num_prototypes, self.step, unused=True)
        return code, Parts(torch.stack([code.i, code.j], 2).double(), code.k.clamp_min(0), code.k >= 0)

    def _check_fitted(self, method: str) -> None:
        if not self.trees:
            raise ValueError(f"Constellation.{method}: the model knows no codes yet; call fit first")

    def _terms(self, parts: Parts, generator: torch.Generator | None = None) -> list[tuple[Tensor, Tensor | None]]:
        """Of each component the sum over arrangements ``[B]`` and, given a generator, one of them ``[B, H]``."""
        terms: list[tuple[Tensor, Tensor | None]] = []
        for tree in self.trees:
            factors = tree.factors(parts)
            arrangements = Arrangements(tree.parent)
            sums = arrangements.sums(*factors)
            drawn = None if generator is None else arrangements.sample(*factors, sums, generator)
            terms.append((sums.total, drawn))
        return terms

    def _round(self, parts: Parts, background: Tensor, generator: torch.Generator) -> None:
        """Draw a component and an arrangement of each code, then estimate each component."""
        components, ordered = [], []
        for some in _chunks(parts):
            totals, drawn = zip(*self._terms(some, generator), strict=True)
            chance = torch.stack(totals, 1) * self.weight
            component = torch.multinomial(chance / chance.amax(1, keepdim=True), 1, generator=generator)[:, 0]
            components.append(component)
            order = torch.stack(drawn, 1)[torch.arange(len(component)), component]
            ordered.append(
                Parts(
                    some.place.gather(1, order.unsqueeze(2).expand_as(some.place)),
                    *(field.gather(1, order) for field in some[1:]),
                )
            )
        component = torch.cat(components)
        arranged = Parts(*(torch.cat(field) for field in zip(*ordered, strict=True)))
        size = torch.bincount(component, minlength=len(self.trees))
        kept = (size >= min(2 * parts.k.shape[1], int(size.max()))).nonzero().squeeze(1).tolist()
        self.trees = tuple(
            fit_slot_tree(Parts(*(field[component == m] for field in arranged)), background, self.grid, self.tree)
            for m in kept
        )
        self.weight = (size[kept] + 1).double() / (size[kept] + 1).sum()


def _chunks(parts: Parts) -> list[Parts]:
    return [Parts(*some) for some in zip(*(field.split(_CHUNK) for field in parts), strict=True)]
