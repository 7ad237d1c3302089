"""CGAE: an image as a few movable parts, each a place, a prototype and a linear code."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import whole_number
from scge_pyg.models.cgae.code import Code, State
from scge_pyg.models.cgae.decoding.decoders import AdditiveDecoder, Decoder
from scge_pyg.models.cgae.decoding.frames import frame_of
from scge_pyg.models.cgae.decoding.occluding import OccludingDecoder
from scge_pyg.models.cgae.draws import checked_temperature
from scge_pyg.models.cgae.inference import METHODS, Posterior, searched
from scge_pyg.models.cgae.learning.fit_parts import PartsFit, fit_parts

__all__ = ["CGAE"]

_DECODERS: dict[str, type[Decoder]] = {"additive": AdditiveDecoder, "occluding": OccludingDecoder}


class CGAE(nn.Module):
    r"""Convolutional generative autoencoder: an image is put together from H parts of K prototypes.

    .. math::
        \hat o &= \sum_{h=1}^{H} g(i_h, j_h, k_h, b_h), \qquad g = (w_k + U_k b) \text{ centred at } (i, j) \\
        -\log p(o, z) &= \tfrac{1}{2 \sigma^2} \lVert o - \hat o \rVert^2 + \tfrac12 \lVert b \rVert^2
        + \mathrm{price} \cdot \mathrm{parts\ used} + \mathrm{const.}

    with every place and prototype equally likely. The sum may be replaced by parts that cover each other
    (``decoder="occluding"``). :math:`\sigma` is learned.

    Args:
        nodes: Rows and columns of the images, or a SharedGraph: places are the cells of its lattice, if it has one, or
            else its nodes, and prototypes functions of the offset on its map, as those of :class:`SCGEConv`.
        num_prototypes: K.
        num_parts: H, the most parts of an image.
        prototype_size: R: prototypes have R x R pixels. As large as the image and with ``padding="valid"``, a prototype
            is a whole image.
        num_linear: Directions q of each prototype's linear code.
        decoder: ``"additive"`` or ``"occluding"``.
        price: Nats of a part. Default: all H parts are used; ``math.log(K * P)`` is what naming one of K prototypes at
            one of P places costs.
        channels: C, for images ``[B, C, I, J]``. Default: images have no such axis.
        padding: ``"same"``: the centre of a part is any pixel, what lies outside is cut; ``"valid"``: it lies within.
        subpixel: Places for each pixel along each axis.

    Shapes:
        - **images:** :math:`(B, I, J)`, or :math:`(B, C, I, J)`; on a graph :math:`(B, N)`, or :math:`(B, N, C)`

    Raises:
        ValueError: If a size is less than 1, prototypes are larger than the image, or the graph has no geometry.

    Source:
        The note "CGAE"; matching pursuit: Mallat and Zhang (1993); convolutional sparse coding: Zeiler et al. (2010).

    Example:
        >>> model = CGAE((8, 8), num_prototypes=2, num_parts=1, prototype_size=3)
        >>> x = torch.zeros(32, 8, 8)
        >>> x[:16, 2:5, 3] = 1.0
        >>> x[16:, 4, 3:6] = 1.0
        >>> fit = model.fit(x, epochs=60, batch_size=16, lr=0.1)
        >>> code = model.encode(x)
        >>> torch.allclose(model.decode(code), x, atol=0.1)
        True
    """

    noise: Tensor

    def __init__(
        self,
        nodes: tuple[int, int] | SharedGraph,
        num_prototypes: int = 20,
        num_parts: int = 8,
        prototype_size: int = 7,
        *,
        num_linear: int = 0,
        decoder: str = "additive",
        price: float | None = None,
        channels: int | None = None,
        padding: str = "same",
        subpixel: int = 1,
    ) -> None:
        super().__init__()
        self.num_prototypes = whole_number("CGAE", "num_prototypes", num_prototypes, 1)
        self.num_parts = whole_number("CGAE", "num_parts", num_parts, 1)
        self.num_linear = whole_number("CGAE", "num_linear", num_linear, 0)
        self.channels = None if channels is None else whole_number("CGAE", "channels", channels, 1)
        if decoder not in _DECODERS:
            raise ValueError(f"CGAE: decoder must be 'additive' or 'occluding', got {decoder!r}")
        if price is not None and not (isinstance(price, int | float) and price >= 0 and math.isfinite(price)):
            raise ValueError(f"CGAE: price must be a number of nats, at least 0, or None, got {price!r}")
        self.price = None if price is None else float(price)
        self.frame = frame_of(nodes, prototype_size, channels=channels, padding=padding, subpixel=subpixel)
        self.decoder = _DECODERS[decoder](self.frame.canvas, num_prototypes, num_linear, channels or 1)
        self.register_buffer("noise", torch.ones(()))

    @property
    def prototypes(self) -> Tensor:
        """``[K, R, R]``, or ``[K, C, R, R]`` with ``channels``."""
        weight = self.decoder.weight.detach()
        return weight.squeeze(1) if self.channels is None else weight

    @property
    def num_places(self) -> int:
        """Places P of a part."""
        return self.decoder.canvas.num_places

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruction of images by :meth:`encode` and :meth:`decode`."""
        return self.decode(self.encode(x))

    def fit(self, x: Tensor, **options: Any) -> PartsFit:
        """Learn prototypes, directions, opacities and noise from images: :func:`fit_parts`."""
        return fit_parts(self, x, **options)

    @torch.no_grad()
    def encode(
        self,
        x: Tensor,
        method: str = "pursuit",
        *,
        temperature: float = 1.0,
        sweeps: int | None = None,
        batch_size: int = 256,
        seed: int = 0,
        progress: str | None = None,
    ) -> Code:
        r"""The codes of images.

        Args:
            x: Images.
            method: ``"pursuit"``: the best part for what is left, one after the other, then refined by ``sweeps``
                rounds in which each is chosen anew, and all linear codes at once. ``"gibbs"``: a sample of the
                posterior at ``temperature``, ``sweeps`` sweeps after the pursuit. ``"annealed"``: Gibbs sampling while
                the temperature falls from 4 to 1/4 times ``temperature`` in ``sweeps`` sweeps; the best code that was
                seen. ``"tempering"``: the best code that parallel chains at 1, 2, 4 and 8 times ``temperature`` have
                seen in ``sweeps`` sweeps.
            temperature: T of the posterior :math:`p_T \propto e^{-E/T}`; 0 is the greedy limit.
            sweeps: Default: 2 for the pursuit, 20 otherwise.
            batch_size: Images at a time.
            seed: Of the samplers; what they draw depends on the batches too.
            progress: Title of a progress bar. Default: no bar.

        Raises:
            TypeError: If ``x`` is no tensor or array of real numbers.
            ValueError: If ``x`` has another shape than the model, is NaN or infinite somewhere; for an unknown option.

        Cost: a sweep is :math:`O(H K (1 + q) P R^2)` products an image, on a graph with m nodes in a window in place of
        :math:`R^2`; tempering takes four times as much.
        """
        if method not in METHODS:
            raise ValueError(f"CGAE: method must be one of {', '.join(map(repr, METHODS))}, got {method!r}")
        temperature = checked_temperature("CGAE", temperature)
        if temperature == 0 and method == "tempering":
            raise ValueError(
                "CGAE: temperature must be above 0 for method='tempering'; method='pursuit' is the greedy limit"
            )
        sweeps = whole_number("CGAE", "sweeps", METHODS[method] if sweeps is None else sweeps, 0)
        size = whole_number("CGAE", "batch_size", batch_size, 1)
        seed = whole_number("CGAE", "seed", seed, 0, 2**63 - 1)
        pixels = self.read(x)
        generator = torch.Generator(pixels.device).manual_seed(seed)
        states, energies = [], []
        with tqdm(total=len(pixels), desc=progress, disable=progress is None, leave=False) as bar:
            for batch in pixels.split(size):
                posterior = self.posterior(batch, generator)
                state = searched(posterior, method, temperature, sweeps)
                states.append(state)
                energies.append(posterior.energy(state))
                bar.update(len(batch))
        return self.handed_out(State(*map(torch.cat, zip(*states, strict=True))), torch.cat(energies))

    def decode(self, code: Code) -> Tensor:
        """Images of codes, in the layout of the model's images; differentiable in ``b`` and the parameters."""
        return self.frame.write(self.decoder(self.taken_in(code)))

    @torch.no_grad()
    def energy(self, x: Tensor, code: Code) -> Tensor:
        """Nats ``[B]`` of images and codes, :math:`-\\log p(o, z)` up to a constant that depends on the noise alone."""
        state = self.taken_in(code)
        pixels = self.read(x)
        if len(pixels) != len(state.kind):
            raise ValueError(f"CGAE: code must be of the {len(pixels)} images in x, got {len(state.kind)}")
        return self.posterior(pixels).energy(state)

    def posterior(self, pixels: Tensor, generator: torch.Generator | None = None) -> Posterior:
        """The posterior of the codes of pixels ``[B, C, N]``, for inference of one's own."""
        return Posterior(
            self.decoder,
            pixels,
            noise=self.noise,
            price=self.price,
            num_parts=self.num_parts,
            generator=generator,
        )

    def read(self, x: Tensor) -> Tensor:
        """Pixels ``[B, C, N]`` of images, checked, in the model's precision and on its device."""
        return self.frame.read(x, self.decoder.weight.dtype, self.decoder.weight.device)

    def handed_out(self, state: State, energy: Tensor) -> Code:
        """Codes of states."""
        used = state.kind >= 0
        i, j = self.frame.split(state.place)
        return Code(torch.where(used, i, 0), torch.where(used, j, 0), state.kind, state.b, energy)

    def taken_in(self, code: Code) -> State:
        """States of codes, checked."""
        kind = code.k
        if kind.dim() != 2 or code.i.shape != kind.shape or code.j.shape != kind.shape:
            raise ValueError(
                f"CGAE: code must have i, j and k of one shape [B, H], got {list(code.i.shape)}, {list(code.j.shape)} "
                f"and {list(kind.shape)}"
            )
        if any(part.is_floating_point() or part.dtype == torch.bool for part in (kind, code.i, code.j)):
            types = ", ".join(str(part.dtype) for part in (code.i, code.j, kind))
            raise TypeError(f"CGAE: code.i, code.j and code.k must be integers, got {types}")
        if tuple(code.b.shape) != (*kind.shape, self.num_linear):
            raise ValueError(f"CGAE: code.b must be {[*kind.shape, self.num_linear]}, got {list(code.b.shape)}")
        if bool(((kind < -1) | (kind >= self.num_prototypes)).any()):
            raise ValueError(
                f"CGAE: code.k must be a prototype from 0 to {self.num_prototypes - 1}, or -1 for none, got values "
                f"from {int(kind.min())} to {int(kind.max())}"
            )
        used = kind >= 0
        return State(self.frame.merge(code.i.long(), code.j.long(), used), kind.long(), code.b * used[..., None])

    def extra_repr(self) -> str:
        """Sizes."""
        price = "" if self.price is None else f", price={self.price:.3g}"
        return (
            f"{self.frame.layout}, num_prototypes={self.num_prototypes}, num_parts={self.num_parts}, "
            f"prototype_size={self.decoder.canvas.kernel_shape[0]}, num_linear={self.num_linear}{price}"
        )
