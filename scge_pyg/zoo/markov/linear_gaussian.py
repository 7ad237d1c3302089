"""`LinearGaussian`: a directed model of real numbers, each a noisy line in its parents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import networkx as nx
import torch
from torch import Tensor

__all__ = ["LinearGaussian"]


class LinearGaussian:
    r"""A network whose conditional distributions are normal around lines.

    .. math::
        p(x_i \mid \mathrm{pa}_i) = \mathcal{N}(\beta_{i0} + \beta_i^\top x_{\mathrm{pa}_i}, \sigma_i^2)

    The joint distribution is Gaussian: with the variables in an order where parents come first,

    .. math::
        \mu_i = \beta_{i0} + \beta_i^\top \mu_{\mathrm{pa}}, \qquad
        \Sigma = (I - B)^{-1} \mathrm{diag}(\sigma^2) (I - B)^{-\top}

    Args:
        models: For each variable its parents, their coefficients ``[k]``, the constant and the variance.

    Attributes:
        order: Variables, in the order of ``mean`` and ``covariance``.
        mean: ``[n]`` float64.
        covariance: ``[n, n]`` float64.

    Source: Koller, Friedman (2009), section 7.2; note 003, (240).

    Example:
        >>> chain = LinearGaussian({0: ((), [], 1.0, 4.0), 1: ((0,), [0.5], 0.0, 1.0)})
        >>> chain.mean.tolist(), chain.covariance.tolist()
        ([1.0, 0.5], [[4.0, 2.0], [2.0, 2.0]])
        >>> [part.tolist() for part in chain.posterior([0], {1: 2.5})]
        [[3.0], [[2.0]]]
    """

    def __init__(self, models: Mapping[int, tuple[Sequence[int], Sequence[float] | Tensor, float, float]]) -> None:
        self.order = list(models)
        place = {variable: number for number, variable in enumerate(self.order)}
        size = len(self.order)
        weight = torch.zeros(size, size, dtype=torch.double)
        constant, variance = torch.zeros(size, dtype=torch.double), torch.zeros(size, dtype=torch.double)
        graph = nx.DiGraph()
        graph.add_nodes_from(self.order)
        for child, (parents, coefficients, bias, noise) in models.items():
            coefficients = torch.as_tensor(coefficients, dtype=torch.double)
            if coefficients.shape != (len(parents),) or not noise > 0 or any(p not in place for p in parents):
                raise ValueError(
                    f"LinearGaussian: models must be (parents, one coefficient each, constant, variance above 0) of "
                    f"known variables, got {list(coefficients.shape)} coefficients for {len(parents)} parents and "
                    f"variance {noise} for variable {child}"
                )
            graph.add_edges_from((parent, child) for parent in parents)
            weight[place[child], [place[parent] for parent in parents]] = coefficients
            constant[place[child]], variance[place[child]] = bias, noise
        if not nx.is_directed_acyclic_graph(graph):
            raise ValueError("LinearGaussian: parents must not form a cycle")
        mixing = torch.linalg.inv(torch.eye(size, dtype=torch.double) - weight)
        self.mean = mixing @ constant
        self.covariance = mixing @ torch.diag(variance) @ mixing.T

    def posterior(self, variables: Sequence[int], evidence: Mapping[int, float] | None = None) -> tuple[Tensor, Tensor]:
        """Mean ``[m]`` and covariance ``[m, m]`` of ``variables`` given the values of others."""
        evidence = evidence or {}
        place = {variable: number for number, variable in enumerate(self.order)}
        strange = [v for v in (*variables, *evidence) if v not in place]
        if strange or {*variables} & {*evidence}:
            raise ValueError(
                f"LinearGaussian: variables and evidence must be different ones of {self.order}, got "
                f"{list(variables)} and {list(evidence)}"
            )
        asked, seen = [place[v] for v in variables], [place[v] for v in evidence]
        mean, covariance = self.mean[asked], self.covariance[asked][:, asked]
        if not seen:
            return mean, covariance
        value = torch.tensor(list(evidence.values()), dtype=torch.double)
        gain = torch.linalg.solve(self.covariance[seen][:, seen], self.covariance[seen][:, asked]).T
        return mean + gain @ (value - self.mean[seen]), covariance - gain @ self.covariance[seen][:, asked]

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density ``[...]`` of ``x [..., n]`` in the order of ``order``."""
        normal = torch.distributions.MultivariateNormal(self.mean, self.covariance)
        density: Tensor = normal.log_prob(x.double())
        return density

    def __repr__(self) -> str:
        return f"LinearGaussian(variables={len(self.order)})"
