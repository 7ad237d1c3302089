"""The general engine of a layer: places, choice of neighbours, content and kernel, on a padded table of neighbours."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.nn.fixed.neighbor_product import blended_weights, neighbor_product
from scge_pyg.nn.fixed.neighborhood import Neighborhood
from scge_pyg.nn.fixed.tap_product import TapProduct, Wiring
from scge_pyg.nn.fixed.tap_table import ENOUGH, sorted_table
from scge_pyg.nn.layer.content import ContentScore, gathered
from scge_pyg.nn.trained.selection import masked_softmax
from scge_pyg.nn.trained.subset_sampling import mutual

__all__ = ["Heard", "NeighborAttention"]


class Heard(NamedTuple):
    """Whom the targets hear, and how.

    Attributes:
        source: Sources ``[N_t, K]``, or None if every target hears all sources in their order.
        valid: Entries that count ``[N_t, K]``.
        alpha: Attention weights ``[N_t, K]``, or ``[B, N_t, K, H]`` where they depend on the sample.
        phi: Kernel weights ``[N_t, K, P]``, or None for a kernel that is 1 everywhere.
    """

    source: Tensor | None
    valid: Tensor
    alpha: Tensor
    phi: Tensor | None

    def wiring(self) -> Wiring:
        """As a list of edges, sorted by target."""
        target, slot = self.valid.nonzero(as_tuple=True)
        source = slot if self.source is None else self.source[target, slot]
        alpha = self.alpha[target, slot] if self.alpha.dim() == 2 else self.alpha[:, target, slot]
        return Wiring(torch.stack([source, target]), alpha, None if self.phi is None else self.phi[target, slot])


class NeighborAttention(torch.nn.Module):
    r"""Attention weights :math:`a_{ij}`, kernel weights :math:`\phi_{pij}`, and the products with the features.

    Cost, for K neighbours a node, P taps, C to C' channels and batch size B: without content
    :math:`O(N B (K P C + P C C'))` time and memory for input and output
    (:mod:`scge_pyg.nn.fixed.neighbor_product`); with
    content and H heads :math:`O(B N H P (K C + C C'))` time and :math:`B N (K + H P) C` values, or, where mixing the
    matrices costs less, :math:`O(N K H C C' (P + B))` and :math:`B N K (C + H \min(C, C'))`.

    Args:
        source: Module that returns the places of the sources ``[N_s, d]``.
        target: The same for the targets ``[N_t, d]``; the same object for a square layer.
        table: Candidates, or None if every target hears all sources.
        kernel: Kernel of the offset, or None for 1 everywhere.
        estimator: Choice among the candidates from their scores, or None to hear all of them.
        tau: Temperature of the score of places, :math:`-|q_i - e_j|^2 / \tau`; infinite for none.
        content: Content scores, or None.
        symmetric: Whether i hears j only if j hears i.
        means: Whether each tap is the mean of the sources that it meets, as on a fixed geometry
            (:mod:`scge_pyg.nn.fixed.tap_table`), instead of their sum.
    """

    def __init__(
        self,
        source: torch.nn.Module,
        target: torch.nn.Module,
        table: Neighborhood | None,
        kernel: torch.nn.Module | None,
        estimator: torch.nn.Module | None,
        tau: float,
        content: ContentScore | None,
        symmetric: bool = False,
        means: bool = False,
    ) -> None:
        super().__init__()
        self.source = source
        self.target = None if target is source else target
        self.table, self.kernel, self.estimator, self.content = table, kernel, estimator, content
        self.tau, self.symmetric, self.means = float(tau), symmetric, means
        self._frozen: tuple[list[tuple[Tensor, int, torch.device, torch.dtype]], TapProduct] | None = None

    def reset_parameters(self) -> None:
        """Reset kernel, estimator and content; places are the node sets' own."""
        for module in (self.kernel, self.estimator, self.content):
            reset = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()

    def refresh(self, hears: Tensor, speaks: Tensor) -> None:
        """Search the candidates of the live targets among the live sources anew."""
        self._frozen = None
        if self.table is not None:
            device = self.table.index.device
            self.table.search(self.query(), self.source(), hears.to(device), speaks.to(device))

    def query(self) -> Tensor:
        """Places of the targets ``[N_t, d]``."""
        places: Tensor = (self.source if self.target is None else self.target)()
        return places

    @property
    def taps(self) -> int:
        """Number of weight matrices P."""
        return 1 if self.kernel is None else int(self.kernel.num_taps)  # type: ignore[arg-type]

    def heard(self, x: Tensor | None = None, target: Tensor | None = None, present: Tensor | None = None) -> Heard:
        """Neighbours and weights for features ``x [B, N_s, C]`` and ``target [B, N_t, C]``; places alone for None.

        Args:
            x: Source features; None leaves content out.
            target: Target features.
            present: Sources that a sample has ``[B, N_s]``. Default: all.
        """
        query, places = self.query(), self.source()
        if self.table is None:
            index, valid = None, torch.ones(query.shape[0], places.shape[0], dtype=torch.bool, device=query.device)
            offset = places.unsqueeze(0) - query.unsqueeze(1)
        else:
            index, valid = self.table.index, self.table.valid
            offset = places[index] - query.unsqueeze(1)
        weight = valid.to(query.dtype)
        normalised = self.estimator is not None or self.content is not None
        if self.estimator is not None:
            score = -offset.square().sum(-1) / self.tau
            slot, weight = self.estimator(torch.where(valid, score, -torch.inf))
            valid = valid.gather(1, slot)
            index = slot if index is None else index.gather(1, slot)
            offset = offset.gather(1, slot.unsqueeze(-1).expand(-1, -1, offset.shape[-1]))
            if self.symmetric:
                valid = valid & mutual(index, valid)
                weight = torch.where(valid, weight, 0.0)
                weight = weight / weight.sum(1, keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)
        elif normalised:
            score = -offset.square().sum(-1) / self.tau
            weight = masked_softmax(score, valid, 1)
        phi = None if self.kernel is None else self.kernel(offset)
        if self.means and phi is not None:
            phi = phi * valid.unsqueeze(-1)
            phi = phi / phi.sum(1, keepdim=True).clamp_min(ENOUGH)
            valid = (phi > 0).any(-1)
        return Heard(index, valid, self._with_samples(weight, index, valid, x, target, present, normalised), phi)

    def tabulated(self) -> TapProduct | None:
        """The product of fixed places, many times faster, where taps are means and every place is frozen; else None.

        It is made once, and anew after :meth:`refresh` or after a frozen table was written to.
        """
        if not self.means or torch.compiler.is_compiling():
            return None
        places = list(self.parameters())
        if not all(isinstance(one, torch.nn.Parameter) and not one.requires_grad for one in places):
            return None
        state = [(one, one._version, one.device, one.dtype) for one in (*places, *self.buffers())]
        if self._frozen is not None:
            known, product = self._frozen
            if all(old[0] is new[0] and old[1:] == new[1:] for old, new in zip(known, state, strict=True)):
                return product
        with torch.no_grad():
            edge_index, _, phi = self.heard().wiring()
        assert phi is not None
        edge, tap = phi.cpu().nonzero(as_tuple=True)
        source, target = edge_index.cpu()[:, edge]
        size = (self.taps, self.query().shape[0], self.source().shape[0])
        table = sorted_table(tap, target, source, phi.cpu()[edge, tap].double(), size)
        product = TapProduct(table).to(phi)
        self._frozen = state, product
        return product

    def _with_samples(
        self,
        weight: Tensor,
        index: Tensor | None,
        valid: Tensor,
        x: Tensor | None,
        target: Tensor | None,
        present: Tensor | None,
        normalised: bool,
    ) -> Tensor:
        """Attention weights of the places, joined by content and by which nodes a sample has."""
        if x is None or (self.content is None and (present is None or not normalised)):
            return weight
        counts = valid & (weight > 0)
        logits = torch.where(counts, weight, 1.0).log()[None, ..., None]
        counts = counts[None, ..., None]
        if present is not None:
            counts = counts & gathered(present, index).unsqueeze(-1)
        if self.content is not None:
            assert target is not None
            logits = logits.to(x.dtype) + self.content(x, target, index)
        return masked_softmax(logits, counts, 2)

    def forward(self, x: Tensor, heard: Heard, weight: Tensor) -> Tensor:
        """Products of ``x [B, N_s, C]`` with ``weight [P, C, H, F]``: ``[B, N_t, H, F]``.

        Without content there is one head, and the batch goes through as columns of one matrix, node by node.
        """
        taps, channels, heads, _ = weight.shape
        batch, sources, _ = x.shape
        if heard.alpha.dim() == 2:
            mix = heard.alpha.unsqueeze(-1) if heard.phi is None else heard.alpha.unsqueeze(-1) * heard.phi
            columns = x.transpose(0, 1).reshape(sources, batch * channels)
            mix = mix.to(x.dtype)
            if heard.source is None:
                met = (mix.transpose(1, 2).flatten(0, 1) @ columns).view(-1, taps, batch, channels)
                return torch.einsum("npbc,pchf->bnhf", met, weight)
            y = neighbor_product(columns, heard.source, mix, weight.flatten(0, 1).flatten(1))
            return y.transpose(0, 1).unflatten(2, (heads, -1))
        if heard.phi is not None and blended_weights(batch, heard.phi.shape[1], taps, weight.shape[3]):
            own = torch.einsum("nkp,pchf->nhkcf", heard.phi.to(x.dtype), weight)
            alpha = heard.alpha.to(x.dtype)
            # the attention weights meet what is smaller: neighbours, or their products
            if channels <= weight.shape[3]:
                scaled = gathered(x, heard.source).unsqueeze(4) * alpha.unsqueeze(3)  # [B, N, K, C, H]
                return (scaled.permute(1, 4, 0, 2, 3).flatten(3) @ own.flatten(2, 3)).permute(2, 0, 1, 3)
            near = gathered(x.transpose(0, 1).unsqueeze(0), heard.source).squeeze(0)  # [N or 1, K, B, C]
            told = (near @ own.permute(0, 2, 3, 1, 4).flatten(3)).unflatten(3, (heads, -1))  # [N, K, B, H, F]
            return (told * alpha.permute(1, 2, 0, 3).unsqueeze(4)).sum(1).transpose(0, 1)
        alpha = heard.alpha.to(x.dtype).transpose(2, 3).expand(-1, -1, heads, -1)
        if heard.source is None and heard.phi is None:
            return torch.einsum("bihj,bjc,chf->bihf", alpha, x, weight[0])
        mix = alpha.unsqueeze(3)
        if heard.phi is not None:
            mix = mix * heard.phi.to(x.dtype).transpose(1, 2)[:, None]
        near = gathered(x, heard.source)
        met = (mix.flatten(2, 3) @ near.expand(-1, mix.shape[1], -1, -1)).unflatten(2, (heads, taps))
        return torch.einsum("bihpc,pchf->bihf", met, weight)
