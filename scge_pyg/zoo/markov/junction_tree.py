"""`JunctionTree`: exact marginals, the partition function and the likeliest state of a discrete Markov network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import networkx as nx
import torch
from torch import Tensor

from scge_pyg.zoo.markov.factors import Factor, checked_factors, reduced, sum_product

__all__ = ["JunctionTree"]

_MOST_ENTRIES = 2**24  # of the table of a clique


class JunctionTree:
    r"""Sum-product over the cliques of a triangulated graph.

    .. math::
        P(x) = \frac1Z \prod_f f(x_f), \qquad
        m_{a \to b}(x_{a \cap b}) = \sum_{x_{a \setminus b}} \psi_a(x_a) \prod_{c \ne b} m_{c \to a}(x_{a \cap c})

    networkx triangulates (``complete_to_chordal_graph``) and joins the cliques; messages are einsums, scaled to a
    largest entry of 1, and differentiable in the tables. Leading axes of tables are samples, which share one tree.
    Connected parts are independent.

    Args:
        factors: Pairs of variables and their table, ``((0, 3), table [..., K_0, K_3])``; variables are integers.
        evidence: State of variables that are known.

    Attributes:
        cliques: Variables of each clique.
        states: Number of states of each variable.

    Raises:
        ValueError: If tables contradict each other or are negative, the evidence has probability 0, or a clique has
        more
            than 16 million states: the graph is too densely woven, and loopy messages
            (:class:`~scge_pyg.zoo.markov.GraphCRF`) or mean fields must do.

    Cost: O(sum over cliques of their table) a call of anything, times the number of samples.

    Source: Koller, Friedman, Probabilistic Graphical Models (2009), chapter 10; note 003, section 20.

    Example:
        >>> wet = [((0,), torch.tensor([0.8, 0.2])), ((0, 1), torch.tensor([[0.9, 0.1], [0.3, 0.7]]))]
        >>> JunctionTree(wet).marginal(1)
        tensor([0.7800, 0.2200])
        >>> JunctionTree(wet, evidence={1: 1}).marginal(0)  # Bayes: 0.14 / 0.22
        tensor([0.3636, 0.6364])
    """

    def __init__(self, factors: Sequence[Any], evidence: Mapping[int, int] | None = None) -> None:
        known, self.states = checked_factors("JunctionTree", factors)
        evidence = dict(evidence or {})
        for variable, state in evidence.items():
            if variable not in self.states or not 0 <= state < self.states[variable]:
                raise ValueError(
                    f"JunctionTree: evidence must give states of known variables, got {state} for variable {variable}, "
                    f"which has {self.states.get(variable, 'no')} states"
                )
        known = [reduced(factor, evidence) for factor in known]
        graph = nx.Graph()
        graph.add_nodes_from(self.states)
        for factor in known:
            graph.add_edges_from((a, b) for a in factor.variables for b in factor.variables if a < b)
        chordal, _ = nx.complete_to_chordal_graph(graph)
        self.cliques = sorted(tuple(sorted(clique)) for clique in nx.chordal_graph_cliques(chordal))
        largest = max(math.prod(self.states[v] for v in clique) for clique in self.cliques)
        if largest > _MOST_ENTRIES:
            raise ValueError(
                f"JunctionTree: cliques must have at most {_MOST_ENTRIES} states, got {largest}; the graph is woven "
                f"too densely for exact sums: use GraphCRF's messages or mean field"
            )
        self._order = _rooted(self.cliques)
        self._home: list[list[Factor]] = [[] for _ in self.cliques]
        for factor in known:
            first = next(i for i, clique in enumerate(self.cliques) if set(factor.variables) <= set(clique))
            self._home[first].append(factor)
        like = known[0].table
        for variable in self.states:  # every clique knows the states of all its variables
            for clique, home in zip(self.cliques, self._home, strict=True):
                if variable in clique and not any(variable in factor.variables for factor in home):
                    home.append(Factor((variable,), like.new_ones(self.states[variable])))
        self._up, self._scale = self._collect(sum_product)
        if not bool(torch.isfinite(self._scale).all()):
            raise ValueError(
                "JunctionTree: factors and evidence must leave some state possible, got probability 0 for all"
            )
        self._beliefs: list[Tensor] | None = None

    def log_partition(self) -> Tensor:
        r""":math:`\log Z` ``[...]``; with evidence, the logarithm of what is left: :math:`\log P(e)` if Z was 1."""
        return self._scale

    def marginal(self, *variables: int) -> Tensor:
        """Probabilities ``[..., K_1, ...]`` of variables that are in one clique."""
        for clique, belief in zip(self.cliques, self.beliefs(), strict=True):
            if set(variables) <= set(clique) and variables:
                found = sum_product([Factor(clique, belief)], variables)
                return found / found.sum(tuple(range(-len(variables), 0)), keepdim=True)
        raise ValueError(
            f"JunctionTree: marginal takes variables that are in one clique, got {list(variables)}; add a factor of "
            f"ones over them"
        )

    def beliefs(self) -> list[Tensor]:
        """Probabilities of each clique ``[..., K_1, ...]``, in the order of ``cliques``."""
        if self._beliefs is None:
            self._beliefs = self._distribute()
        return self._beliefs

    def most_likely(self) -> dict[int, Tensor]:
        """The likeliest joint state: one ``[...]`` for each variable."""
        up, _ = self._collect(_max_product)
        found: dict[int, Tensor] = {}
        for here, _ in self._order:
            clique = self.cliques[here]
            table = sum_product([*self._home[here], *(up[child] for child, p in self._order if p == here)], clique)
            free = [v for v in clique if v not in found]
            fixed = [v for v in clique if v in found]
            if not free:
                continue
            moved = table.movedim(
                [clique.index(v) - len(clique) for v in (*fixed, *free)], list(range(-len(clique), 0))
            )
            batch = moved.shape[: moved.dim() - len(clique)]
            flat = moved.reshape(*batch, *(self.states[v] for v in fixed), -1)
            for variable in fixed:  # picks the state of each known variable, first axis first
                state = found[variable].expand(batch)
                axis = len(batch)
                index = state.reshape(*batch, 1, *[1] * (flat.dim() - axis - 1))
                flat = flat.gather(axis, index.expand(*batch, 1, *flat.shape[axis + 1 :])).squeeze(axis)
            best = flat.argmax(-1)
            for variable in reversed(free):
                found[variable] = best % self.states[variable]
                best = best // self.states[variable]
        return dict(sorted(found.items()))

    def _collect(self, product: Callable[..., Tensor]) -> tuple[dict[int, Factor], Tensor]:
        """Messages towards the roots, and the logarithm of the total."""
        up: dict[int, Factor] = {}
        waiting: dict[int, list[Factor]] = {}
        scale: Tensor = torch.zeros(())
        for here, parent in reversed(self._order):
            clique = self.cliques[here]
            joint = [v for v in clique if parent is not None and v in self.cliques[parent]]
            message = product([*self._home[here], *waiting.pop(here, [])], joint)
            axes = tuple(range(-len(joint), 0))
            top = message.amax(axes, keepdim=True) if joint else message
            scale = scale + top.reshape(top.shape[: top.dim() - len(joint)]).log()
            if parent is not None:
                up[here] = Factor(tuple(joint), message / top.clamp_min(torch.finfo(top.dtype).tiny))
                waiting.setdefault(parent, []).append(up[here])
        return up, scale

    def _distribute(self) -> list[Tensor]:
        down: dict[int, Factor] = {}
        beliefs: list[Tensor] = [torch.empty(0)] * len(self.cliques)
        children: dict[int | None, list[int]] = {}
        for here, parent in self._order:
            children.setdefault(parent, []).append(here)
        for here, _ in self._order:
            clique = self.cliques[here]
            below = {child: self._up[child] for child in children.get(here, [])}
            above = [down[here]] if here in down else []
            table = sum_product([*self._home[here], *above, *below.values()], clique)
            axes = tuple(range(-len(clique), 0))
            beliefs[here] = table / table.sum(axes, keepdim=True)
            for child, message in below.items():
                told = sum_product([Factor(clique, beliefs[here])], message.variables)
                # what the child said comes out again; where it said 0 there is nothing to take out
                said = message.table > 0
                rest = torch.where(said, told / torch.where(said, message.table, 1.0), 0.0)
                top = rest.amax(tuple(range(-len(message.variables), 0)), keepdim=True) if message.variables else rest
                down[child] = Factor(message.variables, rest / top.clamp_min(torch.finfo(top.dtype).tiny))
        return beliefs

    def __repr__(self) -> str:
        widest = max(len(clique) for clique in self.cliques)
        return f"JunctionTree(variables={len(self.states)}, cliques={len(self.cliques)}, widest={widest})"


def _rooted(cliques: list[tuple[int, ...]]) -> list[tuple[int, int | None]]:
    """Cliques with their parents, parents first; one tree for each connected part."""
    holders: dict[int, list[int]] = {}
    for number, clique in enumerate(cliques):
        for variable in clique:
            holders.setdefault(variable, []).append(number)
    graph = nx.Graph()
    graph.add_nodes_from(range(len(cliques)))
    for several in holders.values():
        for a in several:
            for b in several:
                if a < b:
                    graph.add_edge(a, b, weight=len({*cliques[a]} & {*cliques[b]}))
    tree = nx.maximum_spanning_tree(graph)
    order: list[tuple[int, int | None]] = []
    for part in nx.connected_components(tree):
        root = min(part)
        order.append((root, None))
        order += [(child, parent) for parent, child in nx.bfs_edges(tree, root)]
    return order


def _max_product(factors: Sequence[Factor], keep: Sequence[int]) -> Tensor:
    variables = list(dict.fromkeys(v for factor in factors for v in factor.variables))
    rest = [v for v in variables if v not in keep]
    table = sum_product(factors, [*keep, *rest])
    return table.amax(tuple(range(-len(rest), 0))) if rest else table
