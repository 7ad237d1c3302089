"""Any autoencoder with a dense last layer to its code, trained as a variational one and used without noise."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from scge_pyg.models.autoencoders.base import AutoEncoder, summed_squared_error
from scge_pyg.nn import SCGEConv

__all__ = ["VariationalAutoEncoder"]


class VariationalAutoEncoder(AutoEncoder):
    r"""VAE and beta-VAE on the layers of another autoencoder, with a calibrated decoder.

    The encoder answers with a mean :math:`\mu` and a deviation :math:`s` for each number of the code, training decodes
    draws :math:`z = \mu + s \epsilon`, and everything else (:meth:`encode`, :meth:`forward`, the reconstruction error)
    takes the mean: the code without noise. The loss of a batch is

    .. math::
        L = \lVert x - r(z) \rVert^2 + 2 \sigma^2 \beta
        \operatorname{KL}\left(\mathcal{N}(\mu, s^2) \,\Vert\, \mathcal{N}(0, 1)\right), \qquad
        \operatorname{KL} = \frac{1}{2} \sum_e \left(\mu_e^2 + s_e^2 - 1 - \log s_e^2\right)

    with the mean squared error of the batch, over all values, as the decoder's variance :math:`\sigma^2`. That is its
    maximum likelihood (Rybkin et al.): up to the factor :math:`2 \sigma^2` the gradient is that of
    :math:`\frac{D}{2} \log \sigma^2 + \beta \operatorname{KL}` for D values, the negative evidence bound. A fixed
    :math:`\sigma = 1` would count one nat as much as a squared error of 2, and pixels in [0, 1] have little more.

    Sources: Kingma and Welling 2014, "Auto-encoding variational Bayes"; Higgins et al. 2017, "beta-VAE"; Rybkin,
    Daniilidis and Levine 2021, "Simple and effective VAE training with calibrated decoders".

    Args:
        base: The autoencoder. It is copied, and the last layer of its encoder widened for the deviations; the means
            start as its codes.
        beta: Weight of the divergence. Default: 1, the VAE.

    Shapes:
        - **input:** as ``base``
        - **code:** :math:`(B, \text{latent})`
        - **output:** as ``base``

    Raises:
        TypeError: If ``base`` is no :class:`AutoEncoder`.
        ValueError: If ``base`` has no dense last layer to its code, or ``beta`` is negative or not finite.

    Example:
        >>> from scge_pyg.models.autoencoders import MLPAutoEncoder, fit_autoencoder, reconstruction_error
        >>> x = torch.rand(64, 6, 1)
        >>> model = VariationalAutoEncoder(MLPAutoEncoder(6, 1, 2, hidden=(8,)), beta=4.0)
        >>> fit = fit_autoencoder(model, x, epochs=3, batch_size=16)
        >>> reconstruction_error(model, x) < 10, model.sample(5).shape
        (True, torch.Size([5, 6, 1]))
    """

    def __init__(self, base: AutoEncoder, *, beta: float = 1.0) -> None:
        if not isinstance(base, AutoEncoder):
            raise TypeError(
                f"VariationalAutoEncoder: base must be an autoencoder of scge_pyg.models.autoencoders, "
                f"got {type(base).__name__}"
            )
        super().__init__(base.num_nodes, base.in_channels, base.latent)
        if not isinstance(beta, int | float) or not 0 <= beta < math.inf:
            raise ValueError(f"VariationalAutoEncoder: beta must be a finite number of at least 0, got {beta!r}")
        self.model, self.beta = copy.deepcopy(base), beta
        layers = self.model._to_code()
        if layers is None:
            raise ValueError(
                f"VariationalAutoEncoder: base must end its encoder with a dense layer, as MLPAutoEncoder, "
                f"ConvAutoEncoder and SCGEAutoEncoder do, got {type(base).__name__}"
            )
        layers[-1] = _widened(layers[-1])

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Means and deviations ``[B, latent]`` of the codes of ``[B, N, C]``, flat ``[B * N, C]`` or ``[N, C]``."""
        mean, log_variance = self.model._encode(self._samples(x)).chunk(2, 1)
        return mean, (log_variance / 2).exp()

    def loss(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The loss above of ``[B, N, C]``, mean over samples, from one draw of each code.

        Args:
            x: Samples.
            generator: Source of the draws, on the device of ``x``. Default: torch's global one.
        """
        samples = self._some(x)
        mean, deviation = self.posterior(samples)
        noise = torch.empty_like(mean).normal_(generator=generator)
        error = summed_squared_error(samples, self.decode(mean + deviation * noise))
        variance = error.detach() / (self.num_nodes * self.in_channels)
        return error + 2 * variance * self.beta * _divergence(mean, deviation).mean()

    def divergence(self, x: Tensor) -> Tensor:
        """The divergence KL of the code of each sample from the prior, in nats ``[B]``: what the code says."""
        return _divergence(*self.posterior(x))

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Decoded draws ``[count, N, C]`` from the prior.

        Args:
            count: Number of samples.
            generator: Source of the codes, on the device of the model. Default: torch's global one.
        """
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(f"VariationalAutoEncoder: count must be an integer of at least 0, got {count!r}")
        like = next(self.parameters())
        return self.decode(torch.randn(count, self.latent, generator=generator, dtype=like.dtype, device=like.device))

    def initialize(self, x: Tensor) -> None:
        """As the autoencoder it is made of."""
        self.model.initialize(x)

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """As the autoencoder it is made of."""
        return self.model.parameter_groups(lr)

    def regroup(self) -> None:
        """Renew what hangs by trained places: the coarse levels of a base that has any, else its layers' partners."""
        regroup = getattr(self.model, "regroup", None)
        if regroup is not None:
            regroup()
            return
        for layer in self.model.modules():
            if isinstance(layer, SCGEConv):
                layer.refresh()

    def _encode(self, x: Tensor) -> Tensor:
        return self.model._encode(x)[:, : self.latent]

    def _decode(self, z: Tensor) -> Tensor:
        return self.model._decode(z)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, beta={self.beta}"


def _divergence(mean: Tensor, deviation: Tensor) -> Tensor:
    return 0.5 * (mean.square() + deviation.square() - 1 - 2 * deviation.log()).sum(1)


def _widened(layer: nn.Module) -> nn.Linear:
    """The same layer with as many outputs again, drawn as any layer is."""
    assert isinstance(layer, nn.Linear)
    wide = nn.Linear(layer.in_features, 2 * layer.out_features).to(layer.weight)
    with torch.no_grad():
        wide.weight[: layer.out_features] = layer.weight
        wide.bias[: layer.out_features] = layer.bias
    return wide
