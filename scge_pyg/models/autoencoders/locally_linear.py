"""Construction 2 of the notes: local linear maps, gated by where the code lies."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scge_pyg.graph.coarsening import coarsen_points
from scge_pyg.models.autoencoders.base import AutoEncoder
from scge_pyg.models.autoencoders.inference import EncoderKind, LatentEncoder
from scge_pyg.models.autoencoders.pca import principal_components, sample_batches, whitening
from scge_pyg.nn.layer.batching import as_batch

__all__ = ["LocallyLinearAutoEncoder"]

_SMALLEST_WIDTH = 1e-3  # of a gate, in variances of the code


class LocallyLinearAutoEncoder(AutoEncoder):
    r"""K local linear decoders, mixed by a softmax of Gaussian energies of the code.

    .. math::
        r(z) = \sum_k \pi_k(z) \left[ W_k (z - \nu_k) + \mu_k \right], \qquad
        \pi_k(z) = \operatorname{softmax}_k \frac{E_k(z)}{T}, \qquad
        E_k(z) = -\frac{\lVert z - \nu_k \rVert^2}{2 \sigma}

    with centres :math:`\nu_k` in latent space, means :math:`\mu_k` in data space, :math:`W_k` of
    :math:`D \times E` for D values and E latents, and one learned :math:`\sigma`: :math:`O(K (E + 1) D)` parameters.
    At temperature 0 the nearest centre alone decodes, and r is piecewise linear with jumps at the borders.

    The notes' text (CATSMILE-9015) is put right in two places: its :math:`E_k` lacks the minus sign, with which
    the *farthest* map would win, and its :math:`\mu_k` stands for a point of latent space in :math:`E_k` and for a
    point of data space in r; here :math:`\nu_k` and :math:`\mu_k`.

    Args:
        num_nodes: Number of nodes N.
        in_channels: Channels C of a node.
        latent: Size of the code, E.
        num_maps: Number of local maps, K. Default: 16.
        encoder: ``"amortized"`` for a small MLP, ``"gradient"`` for codes inferred under the present decoder; see
            :class:`LatentEncoder`.
        hidden: Width of the amortised encoder. Default: 256.
        steps: Steps of inference. Default: 20 with ``encoder="gradient"``, else 0.
        temperature: T of the gates, also an attribute. Default: 1.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **code:** :math:`(B, \text{latent})`
        - **output:** :math:`(B, N, C)`

    Raises:
        ValueError: If a size is not positive, or the temperature is negative, NaN or infinite.

    Example:
        >>> model = LocallyLinearAutoEncoder(64, 1, 2, num_maps=4)
        >>> x = torch.rand(100, 64, 1)
        >>> model.initialize(x)
        >>> model(x).shape, model.approximate_jacobian(model.encode(x)).shape
        (torch.Size([100, 64, 1]), torch.Size([100, 64, 1, 2]))
    """

    def __init__(
        self,
        num_nodes: int,
        in_channels: int,
        latent: int,
        *,
        num_maps: int = 16,
        encoder: EncoderKind = "amortized",
        hidden: int = 256,
        steps: int | None = None,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(num_nodes, in_channels, latent)
        if isinstance(num_maps, bool) or not isinstance(num_maps, int) or num_maps < 1:
            raise ValueError(f"LocallyLinearAutoEncoder: num_maps must be a positive integer, got {num_maps!r}")
        if not 0 <= temperature < float("inf"):
            raise ValueError(
                f"LocallyLinearAutoEncoder: temperature must be at least 0 and finite, got {temperature}; "
                f"0 lets the nearest centre alone decode"
            )
        values = num_nodes * in_channels
        self.num_maps, self.temperature = num_maps, temperature
        self.encoder = LatentEncoder(values, latent, encoder, hidden, steps)
        self.centers = nn.Parameter(torch.randn(num_maps, latent))
        self.weight = nn.Parameter(torch.empty(num_maps, latent, values).uniform_(-1, 1).div_(latent**0.5))
        self.means = nn.Parameter(torch.zeros(num_maps, values))
        self.log_sigma = nn.Parameter(torch.zeros(()))

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        r"""Start from samples ``[S, N, C]``: whitened PCA codes, and in each of their k-means clusters the best map.

        The encoder becomes the PCA projection to codes of unit variance, :math:`\nu_k` and :math:`\mu_k` the
        clusters' means of codes and samples, and :math:`W_k` the regression of samples on codes, drawn to the PCA
        decoder by as many imagined samples as there are latents. This is a local PCA that keeps the codes in one
        frame, so that one smooth encoder serves all maps. :math:`\sigma` is the mean variance within clusters.
        Nothing is random.

        Raises:
            TypeError: If ``x`` is no floating-point tensor.
            ValueError: If the shape is another, a value is NaN or infinite, or there are fewer samples than maps.
        """
        where = "LocallyLinearAutoEncoder.initialize"
        if not isinstance(x, Tensor):
            raise TypeError(f"{where}: x must be a tensor [S, N, C], got {type(x).__name__}")
        found = principal_components(sample_batches(x, self.num_nodes, self.in_channels, where), self.latent, where)
        flat = as_batch(x, self.num_nodes, self.in_channels, where).flatten(1)
        if len(flat) < self.num_maps:
            raise ValueError(f"{where}: x must hold at least num_maps={self.num_maps} samples, got {len(flat)}")
        project, expand = (matrix.to(flat) for matrix in whitening(found))
        mean = found.mean.to(flat)
        self.encoder.start_from(mean, project)
        z = (flat - mean) @ project.T
        centers, cluster = coarsen_points(z, self.num_maps)
        prior = self.latent * torch.eye(self.latent).to(z)
        for k in range(self.num_maps):
            inside = cluster == k
            if not bool(inside.any()):
                self.weight[k], self.means[k] = expand, mean + centers[k] @ expand
                continue
            codes, samples = z[inside], flat[inside]
            center, level = codes.mean(0), samples.mean(0)
            codes = codes - center
            unexplained = samples - level - codes @ expand
            change = torch.linalg.solve(codes.T @ codes + prior, codes.T @ unexplained)
            centers[k], self.weight[k], self.means[k] = center, expand + change, level
        self.centers.copy_(centers)
        self.log_sigma.copy_((z - centers[cluster]).square().mean().clamp_min(_SMALLEST_WIDTH).log())

    def gates(self, z: Tensor) -> Tensor:
        """Weights of the local maps ``[B, K]`` for codes ``[B, latent]``."""
        energy = -(z.unsqueeze(1) - self.centers).square().sum(2) / (2 * self.log_sigma.exp())
        if self.temperature == 0:
            maps = torch.arange(self.num_maps, device=z.device)
            return (energy.argmax(1, keepdim=True) == maps).to(z.dtype)
        return (energy / self.temperature).softmax(1)

    def approximate_jacobian(self, z: Tensor) -> Tensor:
        r"""The notes' :math:`\nabla_z r \approx \sum_k \pi_k(z) W_k`, ``[B, N, C, latent]`` of ``[B, latent]``.

        It takes the gates as constants. What autograd finds has a second term, the gates' derivative:

        .. math::
            \nabla_z r = \sum_k \pi_k W_k + \frac{1}{\sigma T} \sum_k \pi_k \, r_k \, (\nu_k - \bar\nu)^T, \qquad
            r_k = W_k (z - \nu_k) + \mu_k, \quad \bar\nu = \sum_k \pi_k \nu_k,

        the covariance of local predictions and centres under the gates. It vanishes where one map has all the
        weight and, away from borders, at temperature 0; between maps that disagree it can be the larger one.
        """
        mixed = torch.einsum("bk,ked->bde", self.gates(z), self.weight)
        return mixed.unflatten(1, (self.num_nodes, self.in_channels))

    def _encode(self, x: Tensor) -> Tensor:
        z: Tensor = self.encoder(x, self._decode)
        return z

    def _decode(self, z: Tensor) -> Tensor:
        gates = self.gates(z)
        local = gates.unsqueeze(2) * (z.unsqueeze(1) - self.centers)
        x = local.flatten(1) @ self.weight.flatten(0, 1) + gates @ self.means
        return x.unflatten(1, (self.num_nodes, self.in_channels))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, num_maps={self.num_maps}, temperature={self.temperature}"
