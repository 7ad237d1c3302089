"""Construction 1 of the notes (SOGAE): a decoder whose Jacobian is linear in the code."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scge_pyg.models.autoencoders.base import AutoEncoder
from scge_pyg.models.autoencoders.inference import EncoderKind, LatentEncoder
from scge_pyg.models.autoencoders.pca import principal_components, sample_batches, whitening
from scge_pyg.nn.fixed.tables import Tabled

__all__ = ["SecondOrderAutoEncoder"]

_RIDGE = 1e-3  # of the quadratic regression, in codes of unit variance


class SecondOrderAutoEncoder(AutoEncoder, Tabled):
    r"""The second-order generative autoencoder: a quadratic decoder.

    .. math::
        r(z) = \mu + A z + \tfrac{1}{2} z^T W z, \qquad \nabla_z r = A + W z

    for D values and E latents, A of :math:`D \times E` and W of :math:`D \times E \times E`, symmetric in its last
    two indices. The notes (CATSMILE-9015) write :math:`\nabla_z r = W z` for any W; that is put right in two places.
    Only a symmetric W is the Jacobian of anything, as second derivatives commute, so the parameters are the
    :math:`E (E + 1) / 2` pairs :math:`i \le j` of each value. And without A the Jacobian is zero at :math:`z = 0`,
    where inference by gradient would never start; A also makes PCA a special case.

    Args:
        num_nodes: Number of nodes N.
        in_channels: Channels C of a node.
        latent: Size of the code, E.
        encoder: ``"amortized"`` for a small MLP, ``"gradient"`` for codes inferred under the present decoder; see
            :class:`LatentEncoder`.
        hidden: Width of the amortised encoder. Default: 256.
        steps: Steps of inference. Default: 20 with ``encoder="gradient"``, else 0.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **code:** :math:`(B, \text{latent})`
        - **output:** :math:`(B, N, C)`

    Raises:
        ValueError: If a size is not positive.

    Example:
        >>> model = SecondOrderAutoEncoder(64, 1, 2)
        >>> x = torch.rand(100, 64, 1)
        >>> model.initialize(x)
        >>> model(x).shape, model.jacobian(model.encode(x)).shape
        (torch.Size([100, 64, 1]), torch.Size([100, 64, 1, 2]))
    """

    row: Tensor
    col: Tensor
    factor: Tensor

    def __init__(
        self,
        num_nodes: int,
        in_channels: int,
        latent: int,
        *,
        encoder: EncoderKind = "amortized",
        hidden: int = 256,
        steps: int | None = None,
    ) -> None:
        super().__init__(num_nodes, in_channels, latent)
        values = num_nodes * in_channels
        self.encoder = LatentEncoder(values, latent, encoder, hidden, steps)
        row, col = torch.triu_indices(latent, latent, device="cpu")
        self.register_table("row", row)
        self.register_table("col", col)
        self.register_table("factor", torch.where(row == col, 0.5, 1.0))
        self.mean = nn.Parameter(torch.zeros(values))
        self.linear = nn.Parameter(torch.empty(latent, values).uniform_(-1, 1).div_(latent**0.5))
        self.quadratic = nn.Parameter(torch.empty(len(row), values).uniform_(-1, 1).div_(10 * latent))

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        r"""Start from samples ``[S, N, C]``: PCA codes of unit variance, and the best quadratic decoder of them.

        The encoder becomes the PCA projection; :math:`\mu`, A and W are the ridge regression of samples on
        :math:`1, z, z_i z_j` with the PCA decoder as prior, so the start already is below PCA on the samples.

        Raises:
            TypeError: If ``x`` is no floating-point tensor.
            ValueError: If the shape is another, a value is NaN or infinite, or there are no samples.
        """
        where = "SecondOrderAutoEncoder.initialize"
        if not isinstance(x, Tensor):
            raise TypeError(f"{where}: x must be a tensor [S, N, C], got {type(x).__name__}")
        parts = list(sample_batches(x, self.num_nodes, self.in_channels, where))
        found = principal_components(parts, self.latent, where)
        project, expand = whitening(found)
        size = 1 + self.latent + len(self.row)
        gram, moment = project.new_zeros(size, size), project.new_zeros(size, project.shape[1])
        for part in parts:
            centered = part.flatten(1).double() - found.mean
            z = centered @ project.T
            features = torch.cat([torch.ones_like(z[:, :1]), z, self._products(z)], 1)
            gram.addmm_(features.T, features)
            moment.addmm_(features.T, centered - z @ expand)
        ridge = _RIDGE * gram[0, 0] * torch.eye(size).to(gram)  # gram[0, 0] counts samples
        change = torch.linalg.solve(gram + ridge, moment)
        self.encoder.start_from(found.mean, project)
        self.mean.copy_(found.mean + change[0])
        self.linear.copy_(expand + change[1 : self.latent + 1])
        self.quadratic.copy_(change[self.latent + 1 :])

    def hessian(self) -> Tensor:
        """The second derivative W of each value ``[N, C, latent, latent]``, the same for all codes."""
        full = self.quadratic.new_zeros(self.latent, self.latent, self.quadratic.shape[1])
        full = full.index_put((self.row, self.col), self.quadratic).index_put((self.col, self.row), self.quadratic)
        return full.movedim(2, 0).unflatten(0, (self.num_nodes, self.in_channels))

    def jacobian(self, z: Tensor) -> Tensor:
        """The decoder's Jacobian :math:`A + W z` in closed form, ``[B, N, C, latent]`` of ``[B, latent]``."""
        linear = self.linear.T.unflatten(0, (self.num_nodes, self.in_channels))
        return linear + torch.einsum("ncij,bj->bnci", self.hessian(), z)

    def _products(self, z: Tensor) -> Tensor:
        return z[:, self.row] * z[:, self.col] * self.factor.to(z)

    def _encode(self, x: Tensor) -> Tensor:
        z: Tensor = self.encoder(x, self._decode)
        return z

    def _decode(self, z: Tensor) -> Tensor:
        x = self.mean + z @ self.linear + self._products(z) @ self.quadratic
        return x.unflatten(1, (self.num_nodes, self.in_channels))
