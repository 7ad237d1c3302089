"""The general engine of a layer: places, choice of neighbours, content and kernel, on a padded table of neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.nn.fixed.entries import suits
from scge_pyg.nn.fixed.heard import Heard
from scge_pyg.nn.fixed.neighbor_product import blended_weights, neighbor_product
from scge_pyg.nn.fixed.neighborhood import Neighborhood
from scge_pyg.nn.fixed.tap_product import TapProduct
from scge_pyg.nn.fixed.tap_table import sorted_table
from scge_pyg.nn.layer.content import ContentScore, gathered
from scge_pyg.nn.layer.kernel import Kernel
from scge_pyg.nn.trained.estimators import TopK
from scge_pyg.nn.trained.selection import masked_softmax
from scge_pyg.nn.trained.subset_sampling import mutual

__all__ = ["Heard", "NeighborAttention"]


class NeighborAttention(torch.nn.Module):
    r"""Attention weights :math:`a_{ij}`, kernel weights :math:`\phi_{pij}`, and the products with the features.

    Cost, for K neighbours a node, P taps, C to C' channels, H heads (1 without content) and batch size B:
    :math:`O(N B H (E C + P C C'))` time for :math:`E \le K P` neighbours that a target's taps meet, with kernel points
    in d dimensions at most :math:`2^d K`; memory for input, output and the scores :math:`B N K H`
    (:mod:`scge_pyg.nn.fixed.sparse_products`). That is on a CPU in eager mode. Under a compiler, ``torch.func``,
    autocast and on a GPU all K P count, and with content :math:`B N (K + H P) C` values are held, or, where mixing the
    matrices costs less, :math:`O(N K H C C' (P + B))` time and :math:`B N K (C + H \min(C, C'))` values.

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
        kernel: Kernel | None,
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
        return 1 if self.kernel is None else self.kernel.num_taps

    def heard(self, x: Tensor | None = None, target: Tensor | None = None, present: Tensor | None = None) -> Heard:
        """Neighbours and weights for features ``x [B, N_s, C]`` and ``target [B, N_t, C]``; places alone for None.

        Args:
            x: Source features; None leaves content out.
            target: Target features.
            present: Sources that a sample has ``[B, N_s]``. Default: all.
        """
        query, places = self.query(), self.source()
        device = query.device if x is None else x.device  # tables are real, also where a layer has no values
        query, places = query.to(device), places.to(device)
        if self.table is None:
            index, valid = None, torch.ones(query.shape[0], places.shape[0], dtype=torch.bool, device=device)
        else:
            index, valid = self.table.index.to(device), self.table.valid.to(device)
        normalised = self.estimator is not None or self.content is not None
        # the weights of the k best are those of the chosen alone; all other estimators look at every candidate
        chosen = type(self.estimator) is TopK
        if self.estimator is not None:
            with torch.set_grad_enabled(torch.is_grad_enabled() and not chosen):
                offset = _offsets(places, query, index)
                slot, weight = self.estimator(torch.where(valid, self._score(offset), -torch.inf))
            valid = valid.gather(1, slot)
            index = slot if index is None else index.gather(1, slot)
            if chosen:
                offset = _offsets(places, query, index)
                weight = masked_softmax(self._score(offset), valid, 1)
            else:
                offset = offset.gather(1, slot.unsqueeze(-1).expand(-1, -1, offset.shape[-1]))
            if self.symmetric:
                valid = valid & mutual(index, valid)
                weight = torch.where(valid, weight, 0.0)
                weight = weight / weight.sum(1, keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)
        else:
            offset = _offsets(places, query, index)
            weight = masked_softmax(self._score(offset), valid, 1) if normalised else valid.to(query.dtype)
        alpha = self._with_samples(weight, index, valid, x, target, present, normalised)
        return Heard(index, valid, alpha, offset, self.kernel, self.means)

    def _score(self, offset: Tensor) -> Tensor:
        return -offset.square().sum(-1) / self.tau

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

        A NaN or an infinity reaches the targets that hear its node, and no others: padding and whatever else has the
        weight 0 would make NaN of it. Where its presence can't be looked up first, as under a compiler, it is taken
        out and put back each time.
        """
        taps, channels, _, width = weight.shape
        finite = suits(x) and bool((x.detach().sum() + heard.alpha.detach().sum()).isfinite())
        shared = heard.alpha.dim() == 2
        blended = heard.kernel is not None and blended_weights(x.shape[0], heard.offset.shape[1], taps, width)
        sparse = heard.source is not None and suits(x) and not blended and not (shared and taps * width < channels)
        if sparse and finite:
            return heard.products(x, weight)
        phi = heard.phi
        clean = x if finite else torch.where(x.isfinite(), x, 0.0)
        y = heard.products(clean, weight) if sparse else self._dense(clean, heard, phi, weight, blended)
        return y if finite else y + heard.poison(x, phi)

    def _dense(self, x: Tensor, heard: Heard, phi: Tensor | None, weight: Tensor, blended: bool) -> Tensor:
        """The products with all neighbours at all taps.

        Without content there is one head, and the batch goes through as columns of one matrix, node by node.
        """
        taps, channels, heads, width = weight.shape
        batch, sources, _ = x.shape
        if heard.alpha.dim() == 2:
            mix = heard.alpha.unsqueeze(-1) if phi is None else heard.alpha.unsqueeze(-1) * phi
            columns = x.transpose(0, 1).reshape(sources, batch * channels)
            mix = mix.to(x.dtype)
            if heard.source is None:
                met = (mix.transpose(1, 2).flatten(0, 1) @ columns).view(-1, taps, batch, channels)
                return torch.einsum("npbc,pchf->bnhf", met, weight)
            y = neighbor_product(columns, heard.source, mix, weight.flatten(0, 1).flatten(1))
            return y.transpose(0, 1).unflatten(2, (heads, -1))
        if phi is not None and blended:
            own = torch.einsum("nkp,pchf->nhkcf", phi.to(x.dtype), weight)
            alpha = heard.alpha.to(x.dtype)
            # the attention weights meet what is smaller: neighbours, or their products
            if channels <= width:
                scaled = gathered(x, heard.source).unsqueeze(4) * alpha.unsqueeze(3)  # [B, N, K, C, H]
                return (scaled.permute(1, 4, 0, 2, 3).flatten(3) @ own.flatten(2, 3)).permute(2, 0, 1, 3)
            near = gathered(x.transpose(0, 1).unsqueeze(0), heard.source).squeeze(0)  # [N or 1, K, B, C]
            told = (near @ own.permute(0, 2, 3, 1, 4).flatten(3)).unflatten(3, (heads, -1))  # [N, K, B, H, F]
            return (told * alpha.permute(1, 2, 0, 3).unsqueeze(4)).sum(1).transpose(0, 1)
        alpha = heard.alpha.to(x.dtype).transpose(2, 3).expand(-1, -1, heads, -1)
        if heard.source is None and phi is None:
            return torch.einsum("bihj,bjc,chf->bihf", alpha, x, weight[0])
        mix = alpha.unsqueeze(3)
        if phi is not None:
            mix = mix * phi.to(x.dtype).transpose(1, 2)[:, None]
        near = gathered(x, heard.source)
        met = (mix.flatten(2, 3) @ near.expand(-1, mix.shape[1], -1, -1)).unflatten(2, (heads, taps))
        return torch.einsum("bihpc,pchf->bihf", met, weight)


def _offsets(places: Tensor, query: Tensor, index: Tensor | None) -> Tensor:
    """Offsets ``[N_t, K, d]`` from targets to their neighbours, to all sources for None; in memory axis by axis."""
    if index is None:
        return places.unsqueeze(0) - query.unsqueeze(1)
    near = places.t().gather(1, index.flatten().expand(places.shape[1], -1)).unflatten(1, index.shape)
    return (near - query.t().unsqueeze(2)).permute(1, 2, 0)
