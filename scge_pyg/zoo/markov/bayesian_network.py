"""`BayesianNetwork`: a directed model as a set of factors, with what its graph alone says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import networkx as nx
import torch
from torch import Tensor

from scge_pyg.graph.checks import whole_number
from scge_pyg.zoo.markov.factors import Factor
from scge_pyg.zoo.markov.junction_tree import JunctionTree

__all__ = ["BayesianNetwork", "unrolled"]


class BayesianNetwork:
    r"""Conditional tables on a directed acyclic graph, :math:`P(x) = \prod_i P(x_i \mid \mathrm{pa}_i)`.

    d-separation and the moral graph are networkx's; sums are :class:`~scge_pyg.zoo.markov.JunctionTree`'s.

    Args:
        tables: For each variable its parents and the table ``[..., K_parents..., K]``, rows of which sum to 1.

    Attributes:
        graph: ``networkx.DiGraph``.

    Raises:
        ValueError: If the graph has a cycle, a parent is missing, or a table doesn't sum to 1 over its last axis.

    Source: Koller, Friedman (2009); note 003, section 20.1.

    Example:
        >>> wet = torch.tensor([[0.9, 0.1], [0.3, 0.7]])
        >>> rain = BayesianNetwork({0: ((), torch.tensor([0.8, 0.2])), 1: ((0,), wet)})
        >>> rain.posterior(0, {1: 1})
        tensor([0.3636, 0.6364])
    """

    def __init__(self, tables: Mapping[int, tuple[Sequence[int], Tensor]]) -> None:
        self.graph = nx.DiGraph()
        self.factors: list[Factor] = []
        for child, (parents, table) in tables.items():
            strange = [parent for parent in parents if parent not in tables]
            if strange:
                raise ValueError(
                    f"BayesianNetwork: tables must hold every parent, got none for {strange[0]} of {child}"
                )
            total = torch.as_tensor(table).sum(-1)
            if not torch.allclose(total, torch.ones_like(total), atol=1e-5):
                raise ValueError(f"BayesianNetwork: tables must sum to 1 over the last axis, got others for {child}")
            self.graph.add_node(child)
            self.graph.add_edges_from((parent, child) for parent in parents)
            self.factors.append(Factor((*parents, child), torch.as_tensor(table)))
        if not nx.is_directed_acyclic_graph(self.graph):
            cycle = nx.find_cycle(self.graph)
            raise ValueError(f"BayesianNetwork: parents must not form a cycle, got {[edge[0] for edge in cycle]}")

    def d_separated(self, x: Iterable[int], y: Iterable[int], given: Iterable[int] = ()) -> bool:
        """Whether the graph alone makes ``x`` and ``y`` independent given ``given``."""
        return bool(nx.is_d_separator(self.graph, {*x}, {*y}, {*given}))

    def moral_graph(self) -> nx.Graph:
        """The undirected graph in which parents of a child are joined."""
        return nx.moral_graph(self.graph)

    def junction_tree(self, evidence: Mapping[int, int] | None = None) -> JunctionTree:
        """The network as a junction tree, with what is known."""
        return JunctionTree(self.factors, evidence)

    def posterior(self, variable: int, evidence: Mapping[int, int] | None = None) -> Tensor:
        """Probabilities ``[..., K]`` of a variable given others."""
        return self.junction_tree(evidence).marginal(variable)

    def __repr__(self) -> str:
        return f"BayesianNetwork(variables={self.graph.number_of_nodes()}, edges={self.graph.number_of_edges()})"


def unrolled(initial: Tensor, transition: Tensor, emission: Tensor, steps: int) -> BayesianNetwork:
    """A hidden Markov model over ``steps`` times: states are variables 0, 2, 4, ..., what is seen 1, 3, 5, ...

    Args:
        initial: ``[K]``.
        transition: ``[K, K]``, from row to column.
        emission: ``[K, M]``.
        steps: At least 1.

    Source: note 003, section 20.4, where the temporal models are a heading alone.

    Example:
        >>> chain = unrolled(torch.tensor([0.5, 0.5]), torch.tensor([[0.9, 0.1], [0.1, 0.9]]), torch.eye(2), 3)
        >>> chain.posterior(2, {1: 0, 5: 0})
        tensor([0.9878, 0.0122])
    """
    tables: dict[int, tuple[Sequence[int], Tensor]] = {}
    for step in range(whole_number("unrolled", "steps", steps, 1)):
        tables[2 * step] = ((2 * step - 2,), transition) if step else ((), initial)
        tables[2 * step + 1] = ((2 * step,), emission)
    return BayesianNetwork(tables)
