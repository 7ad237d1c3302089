"""Training on Lightning: modules for three tasks, data, callbacks, and runs that go on where they were killed."""

from importlib.util import find_spec

if find_spec("lightning") is None or find_spec("torchmetrics") is None:
    raise ModuleNotFoundError("scge_pyg.train needs the extra 'train': pip install 'scge-pyg[train]'")

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.train.autoencoding import AutoencodingModule
    from scge_pyg.train.batch_order import BatchOrder, ResumableLoader
    from scge_pyg.train.classification import ClassificationModule
    from scge_pyg.train.forecasting import ForecastingModule
    from scge_pyg.train.node_module import NodeModule
    from scge_pyg.train.nodes_data import NodesDataModule
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "AutoencodingModule",
    "BatchOrder",
    "ClassificationModule",
    "ForecastingModule",
    "NodeModule",
    "NodesDataModule",
    "ResumableLoader",
]
