"""Autoencoders with a small, deterministic bottleneck: SCGE and what it is compared with."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.models.autoencoders.base import AutoEncoder, summed_squared_error
    from scge_pyg.models.autoencoders.conv import ConvAutoEncoder
    from scge_pyg.models.autoencoders.inference import LatentEncoder, LatentInference, infer_latent
    from scge_pyg.models.autoencoders.locally_connected import LocallyConnectedAutoEncoder
    from scge_pyg.models.autoencoders.locally_linear import LocallyLinearAutoEncoder
    from scge_pyg.models.autoencoders.mlp import MLPAutoEncoder
    from scge_pyg.models.autoencoders.pca import LinearAutoEncoder, PCAAutoEncoder
    from scge_pyg.models.autoencoders.relative_distance import (
        OffsetAutoEncoder,
        calibrate_offset,
        relative_distance_loss,
    )
    from scge_pyg.models.autoencoders.scge import SCGEAutoEncoder
    from scge_pyg.models.autoencoders.second_order import SecondOrderAutoEncoder
    from scge_pyg.models.autoencoders.training import AutoEncoderFit, fit_autoencoder, reconstruction_error
    from scge_pyg.models.autoencoders.transformer import TransformerAutoEncoder
    from scge_pyg.models.autoencoders.variational import VariationalAutoEncoder
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "AutoEncoder",
    "AutoEncoderFit",
    "ConvAutoEncoder",
    "LatentEncoder",
    "LatentInference",
    "LinearAutoEncoder",
    "LocallyConnectedAutoEncoder",
    "LocallyLinearAutoEncoder",
    "MLPAutoEncoder",
    "OffsetAutoEncoder",
    "PCAAutoEncoder",
    "SCGEAutoEncoder",
    "SecondOrderAutoEncoder",
    "TransformerAutoEncoder",
    "VariationalAutoEncoder",
    "calibrate_offset",
    "fit_autoencoder",
    "infer_latent",
    "reconstruction_error",
    "relative_distance_loss",
    "summed_squared_error",
]
