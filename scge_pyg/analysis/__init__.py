"""What a decoder's Jacobian says: its norm along paths, path lengths, Lemma 1, isometry, the translation test;
of the data, their intrinsic dimension; and of the loss, its landscape."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.analysis.geodesic import Geodesic, geodesic
    from scge_pyg.analysis.intrinsic_dimension import IntrinsicDimension, intrinsic_dimension
    from scge_pyg.analysis.isometry import delta_orthogonal_, initialize_, orthogonal_, singular_values
    from scge_pyg.analysis.jacobian import HutchinsonEstimate, frobenius_norm, hutchinson, jacobian
    from scge_pyg.analysis.landscape import (
        TopEigenvalue,
        filter_direction,
        filter_norms,
        loss_slice,
        top_eigenvalue,
    )
    from scge_pyg.analysis.lemma1 import Lemma1, lemma1
    from scge_pyg.analysis.mean_field import (
        MeanField,
        SpectrumMoments,
        critical_sigma_w,
        mean_field,
        spectrum_moments,
        variance_map,
    )
    from scge_pyg.analysis.path_length import (
        PerceptualPathLength,
        jacobian_along,
        l2_path_length,
        perceptual_path_length,
    )
    from scge_pyg.analysis.paths import spherical, straight
    from scge_pyg.analysis.translation import PathShape, TranslationPath, path_shape, shift_images, translation_path
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "Geodesic",
    "HutchinsonEstimate",
    "IntrinsicDimension",
    "Lemma1",
    "MeanField",
    "PathShape",
    "PerceptualPathLength",
    "SpectrumMoments",
    "TopEigenvalue",
    "TranslationPath",
    "critical_sigma_w",
    "delta_orthogonal_",
    "filter_direction",
    "filter_norms",
    "frobenius_norm",
    "geodesic",
    "hutchinson",
    "initialize_",
    "intrinsic_dimension",
    "jacobian",
    "jacobian_along",
    "l2_path_length",
    "lemma1",
    "loss_slice",
    "mean_field",
    "orthogonal_",
    "path_shape",
    "perceptual_path_length",
    "shift_images",
    "singular_values",
    "spectrum_moments",
    "spherical",
    "straight",
    "top_eigenvalue",
    "translation_path",
    "variance_map",
]
