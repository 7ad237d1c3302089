"""Networks that read a code off an image at once, or part by part, in place of a search."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.models.cgae.encoders.convolutional import ConvEncoder
    from scge_pyg.models.cgae.encoders.encoder import Encoder
    from scge_pyg.models.cgae.encoders.fitting import EncoderFit, fit_encoder
    from scge_pyg.models.cgae.encoders.recurrent import RecurrentEncoder
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = ["ConvEncoder", "Encoder", "EncoderFit", "RecurrentEncoder", "fit_encoder"]
