"""A network by its name: what its constructor asks for of nodes, channels and classes, the data and the graph know."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch

from scge_pyg.graph import SharedGraph
from scge_pyg.nn import NodeEmbedding
from scge_pyg.train.naming import nearest

__all__ = ["DataSizes", "Option", "build_model", "check_model", "model_class"]

Option = bool | int | float | str | list[int] | list[float] | list[str] | None
_PLACES = ("scge_pyg.models", "scge_pyg.models.autoencoders", "scge_pyg.models.forecasting")
_NODES = ("graph", "nodes")


@dataclass(frozen=True)
class DataSizes:
    """What a network has to know of the data.

    Args:
        num_nodes: Number of nodes N.
        in_channels: Channels of a node.
        num_classes: Number of classes, where there are some.
        window: Steps that a forecaster sees.
        horizon: Steps that it predicts.
    """

    num_nodes: int
    in_channels: int = 1
    num_classes: int | None = None
    window: int | None = None
    horizon: int | None = None


def model_class(name: str) -> type[torch.nn.Module]:
    """The class of a network: by its name in :mod:`scge_pyg.models`, or by a dotted path.

    Raises:
        ValueError: If there is none; the message names the nearest.

    Example:
        >>> model_class("NodeMLP").__name__
        'NodeMLP'
    """
    path, _, last = name.rpartition(".")
    known: set[str] = set()
    for place in [path] if path else _PLACES:
        try:
            module = importlib.import_module(place)
        except ModuleNotFoundError as error:
            raise ValueError(f"model: {name!r} can't be imported ({error}); give module.Class") from error
        found = getattr(module, last, None)
        if isinstance(found, type) and issubclass(found, torch.nn.Module):
            return found
        known |= {key for key in dir(module) if _is_network(getattr(module, key))}
    raise ValueError(f"model: {name!r} is no network{f' of {path}' if path else ''}; {nearest(last, known)}")


def build_model(
    name: str,
    options: Mapping[str, Option],
    sizes: DataSizes,
    graph: SharedGraph | None = None,
    table: NodeEmbedding | None = None,
) -> torch.nn.Module:
    """A network for the data at hand, with what its constructor asks for by name.

    ``graph`` or ``nodes`` is the table of trained places, or else the graph; ``num_nodes``, ``in_channels``,
    ``num_classes``, ``window`` and ``horizon`` are those of the data, unless ``options`` say otherwise.

    Args:
        name: As for :func:`model_class`.
        options: Further arguments by name.
        sizes: What the data say.
        graph: The modality.
        table: Trained places of its nodes.

    Raises:
        ValueError: If an option is unknown, or something is asked for that neither data nor options give.

    Example:
        >>> build_model("NodeMLP", {"hidden": [16]}, DataSizes(9, 1, num_classes=2)).num_nodes
        9
    """
    check_model(name, options, on_places=table is not None)
    network = model_class(name)
    asked = inspect.signature(network).parameters
    known: dict[str, object] = {key: value for key, value in vars(sizes).items() if value is not None}
    nodes = graph if table is None else table
    known |= {} if nodes is None else dict.fromkeys(_NODES, nodes)
    given = {key: known[key] for key in asked if key in known} | dict(options)
    lacking = [key for key, entry in asked.items() if key not in given and _required(entry)]
    if lacking:
        mend = (
            "add DiscoverGraph() to the callbacks, or give graph= (--graph discover, or a file)"
            if lacking[0] in _NODES
            else _in_options(lacking[0])
        )
        raise ValueError(f"model: {name} needs {lacking[0]}, which the data don't say; {mend}")
    if graph is not None and graph.num_nodes != sizes.num_nodes:
        raise ValueError(
            f"model: the graph has {graph.num_nodes} nodes, the samples {sizes.num_nodes}; give samples of the nodes "
            f"of this graph, or the graph of these (--graph)"
        )
    try:
        return network(**given)
    except TypeError as error:
        if not options:
            raise
        raise TypeError(
            f"model: {name} can't be built with options={dict(options)} (--model.options): {error}"
        ) from error
    except ValueError as error:
        if table is not None or graph is None or graph.dim:
            raise
        raise ValueError(
            f"model: {name} needs places of the nodes, and the graph has none: no geometry was found in these samples. "
            f"DiscoverGraph(dim=2) (--discover.dim 2) draws a map all the same; NodeMLP, MLPAutoEncoder or "
            f"SharedForecaster (--model.name) needs none"
        ) from error


def check_model(name: str, options: Mapping[str, Option], *, on_places: bool = False) -> None:
    """Refuse a network by name for what neither data nor graph can mend, before there are any.

    Args:
        name: As for :func:`model_class`.
        options: Further arguments by name.
        on_places: Whether it is to stand on a :class:`NodeEmbedding`.

    Raises:
        ValueError: If an option is unknown, one is lacking, or the network can't stand on trained places.
    """
    asked = inspect.signature(model_class(name)).parameters
    every = [key for key, entry in asked.items() if entry.kind is not inspect.Parameter.VAR_KEYWORD]
    if len(every) == len(asked) and (foreign := [key for key in options if key not in asked]):
        raise ValueError(f"model: {name} takes no option {foreign[0]!r}; {nearest(foreign[0], every)}")
    told = {*options, *_NODES, *(field.name for field in fields(DataSizes))}
    if lacking := [key for key, entry in asked.items() if key not in told and _required(entry)]:
        raise ValueError(f"model: {name} needs {lacking[0]}, which the data don't say; {_in_options(lacking[0])}")
    kinds = [str(asked[key].annotation) for key in _NODES if key in asked]
    on_graph_alone = [kind for kind in kinds if "SharedGraph" in kind and "NodeEmbedding" not in kind]
    if on_places and (on_graph_alone or (len(every) == len(asked) and not kinds)):
        raise ValueError(
            f"model: {name} can't stand on trained places (places=, --model.places), only on a graph or none; "
            f"StridedClassifier, SCGEAutoEncoder and SCGEForecaster can (--model.name)"
        )


def _in_options(key: str) -> str:
    return f"give options={{{key!r}: ...}} (--model.options.{key} VALUE)"


def _is_network(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, torch.nn.Module)


def _required(parameter: inspect.Parameter) -> bool:
    named = parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return named and parameter.default is inspect.Parameter.empty
