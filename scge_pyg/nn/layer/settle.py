"""`settle`: a model whose places were trained moves onto the lattice that they have learned."""

from __future__ import annotations

import copy
import warnings
from typing import Any, TypeVar

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.nn.fixed.tap_table import build_taps
from scge_pyg.nn.layer.kernel import kernel_points
from scge_pyg.nn.layer.scge_conv import SCGEConv
from scge_pyg.nn.layer.seating import Seating
from scge_pyg.nn.trained.node_embedding import NodeEmbedding

__all__ = ["settle"]

Model = TypeVar("Model", bound=torch.nn.Module)
_ROUNDING = 1e-4  # relative difference above which a warning says that the model is another function


def settle(model: Model, graph: SharedGraph, x: Any = None) -> Model:
    r"""A copy of ``model`` whose layers stand on a lattice instead of the trained places that it was read off.

    Every :class:`SCGEConv` on a :class:`NodeEmbedding` becomes a layer with fixed taps, one for each cell :math:`c` of
    its window, which keeps the weights as far as a convolution can:

    .. math::
        \mathbf{W}'_c = \sum_p M_{cp} \mathbf{W}_p, \qquad
        M_{cp} = \operatorname*{mean}_{(i, j) :\, \text{apart by } c} a_{ij}\, \phi_p(\mathbf{e}_j - \mathbf{q}_i)

    over targets i in whose window no cell is empty; :math:`a_{ij} = 0` for pairs that are not heard. So taps that
    stood across the rows, between them, or in another unit turn into those of the cells, and attention weights of the
    places go into the matrices. On exact rows every mean is one of equal numbers:

    * where nodes hear the kernel's support with weight 1 (``neighbors="support"``) and taps meet cells, the copy
      equals the model;
    * where they hear the k nearest with a softmax, it does in the interior, if these are the window. At borders and
      holes the softmax is shared by fewer nodes or goes further in, and a convolution pads with zeros.

    What is left is for a short fine-tuning. Then :func:`scge_pyg.lower_to_conv` gives ``nn.Conv2d``.

    A coarser table in the frame of the finest one (``NodeEmbedding.coarsen``) moves onto every second, fourth and so on
    cell or the middle between them, whichever is nearer, each node to a cell of its own at the least total distance, in
    its order, so that dense layers behind it keep their inputs.

    Cost: :math:`O(N P k)` a layer, and :math:`O(M^3)` for M coarse nodes.

    Args:
        model: Any module with layers on trained places.
        graph: What ``to_graph`` made of the finest table, or what ``discover`` found for its nodes.
        x: Samples that ``model`` takes: outputs are compared, in evaluation mode.

    Returns:
        The copy, with new parameters for the layers that moved. Its attribute ``left_alone`` says which layers did not,
        and why; ``difference``, for ``x``, by how much each layer's outputs differ at the inputs that it has in
        ``model``, and the whole (``""``): the largest absolute difference over the largest output.

    Raises:
        TypeError: If ``model`` is no module or ``graph`` no :class:`SharedGraph`.
        ValueError: If the graph has no lattice, the model no layer on a table of its nodes, or of the live ones, tables
            or weights are on the meta device, or outputs for ``x`` are not finite.

    Warns:
        UserWarning: If outputs for ``x`` differ by more than rounding.

    Example:
        >>> import torch
        >>> from scge_pyg import NodeEmbedding, SCGEConv, lower_to_conv
        >>> turned = 0.9 * NodeEmbedding.from_grid((5, 6))().detach() @ torch.tensor([[0.6, -0.8], [0.8, 0.6]])
        >>> table = NodeEmbedding.from_points(turned)
        >>> model = torch.nn.Sequential(SCGEConv(1, 4, table), torch.nn.ReLU())
        >>> settled = settle(model, table.to_graph())
        >>> x = torch.randn(2, 30, 1)
        >>> inner = [7, 8, 9, 10, 13, 14, 15, 16, 19, 20, 21, 22]
        >>> torch.allclose(settled(x)[:, inner], model(x)[:, inner], atol=1e-5)
        True
        >>> lower_to_conv(settled, strict=True)[0].body[0]
        Conv2d(1, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """
    if not isinstance(model, torch.nn.Module) or not isinstance(graph, SharedGraph):
        raise TypeError(
            f"settle: takes a module and a SharedGraph, got {type(model).__name__} and {type(graph).__name__}"
        )
    if graph.lattice is None:
        raise ValueError(
            f"settle: {graph} has no lattice; places off a lattice stay in their table, and "
            f"table.requires_grad_(False) keeps them where they are"
        )
    moving = copy.deepcopy(model).eval()
    layers = {name: one for name, one in moving.named_modules() if isinstance(one, SCGEConv) and one.trainable}
    _check_memory(layers)
    sets = Seating(graph, [one for layer in layers.values() for one in (layer.source, layer.target)])
    moved: dict[torch.nn.Module, SCGEConv] = {}
    left: dict[str, str] = {}
    for name, layer in layers.items():
        reason = _reason(layer)
        if reason is None:
            moved[layer] = _on_cells(layer, sets[layer.source], sets[layer.target])
        else:
            left[name] = reason
    settled: Any = moved.get(moving, moving)
    for module in list(moving.modules()):
        for name, child in module._modules.items():
            if child in moved:
                module._modules[name] = moved[child]
    _name_graphs(settled, sets)
    settled.train(model.training)
    settled.left_alone = left
    if x is not None:
        difference = settled.difference = _difference(model, settled, x)
        if difference[""] > _ROUNDING:
            layerwise = ", ".join(f"{name} {value:.2g}" for name, value in difference.items() if name)
            layerwise = f", those of layers at equal inputs: {layerwise}" if layerwise else ""
            warnings.warn(
                f"settle: on the lattice outputs differ by up to {difference['']:.2g} of the largest{layerwise}; "
                f"places are off their cells, or nodes hear the nearest, whose softmax is another at borders. "
                f"Fine-tune the copy for some steps",
                UserWarning,
                stacklevel=2,
            )
    return settled


def _check_memory(layers: dict[str, SCGEConv]) -> None:
    """Places and weights must have values."""
    for name, layer in layers.items():
        empty = [of for of, parameter in layer.named_parameters() if parameter.is_meta]
        if empty:
            raise ValueError(
                f"settle: parameters of {f'layer {name!r}' if name else 'the layer'} are on the meta device, where "
                f"they have no values: {', '.join(empty)}; give them memory and values first, "
                f"model.to_empty(device='cpu') and load_state_dict"
            )


def _name_graphs(model: torch.nn.Module, sets: Seating) -> None:
    """Where modules other than layers name tables, as the levels of an autoencoder, they name the graphs."""
    for module in model.modules():
        for name, value in () if isinstance(module, SCGEConv) else list(vars(module).items()):
            if isinstance(value, list | tuple) and any(isinstance(one, NodeEmbedding) for one in value):
                vars(module)[name] = type(value)(sets[one] if isinstance(one, NodeEmbedding) else one for one in value)


def _reason(layer: SCGEConv) -> str | None:
    """Why a layer can't move; None if it can."""
    if type(layer) is not SCGEConv:
        return f"{type(layer).__name__} is a subclass, which may compute something else"
    if getattr(layer.product, "content", None) is not None:
        return "its weights depend on content"
    if isinstance(layer.source, SharedGraph) or isinstance(layer.target, SharedGraph):
        return "one of its node sets is a graph already, in a frame of its own"
    return None


def _on_cells(layer: SCGEConv, source: SharedGraph, target: SharedGraph) -> SCGEConv:
    """The layer with fixed taps on the lattices of its node sets."""
    assert source.lattice is not None
    dim = source.lattice.dim
    options: dict[str, Any] = {
        "kernel_size": (max(layer.kernel_size),) * dim,  # the axes of the table may be any of the lattice
        "dilation": (max(layer.dilation),) * dim,
    }
    options |= {"num_bases": layer.num_bases, "root_weight": layer.root is not None, "bias": layer.bias is not None}
    square = layer.source is layer.target
    state = torch.get_rng_state()
    fixed = SCGEConv(layer.in_channels, layer.out_channels, source if square else (source, target), **options)
    torch.set_rng_state(state)
    fixed.to(layer.weight.device, layer.weight.dtype)
    with torch.no_grad():
        mixed = _taps_of_cells(layer, source, source if square else target, options).to(layer.weight)
        fixed.weight.copy_(torch.einsum("cp,pio->cio", mixed, layer.weight))
        for name in ("gate", "root", "bias"):
            if getattr(layer, name) is not None:
                getattr(fixed, name).copy_(getattr(layer, name))
    for name, parameter in fixed.named_parameters():
        parameter.requires_grad_(layer.get_parameter(name).requires_grad)
    return fixed


@torch.no_grad()
def _taps_of_cells(layer: SCGEConv, source: SharedGraph, target: SharedGraph, options: dict[str, Any]) -> Tensor:
    """How much of each of the layer's matrices a cell of the window hears ``[cells, P]``."""
    wiring = layer.product.heard().wiring()  # type: ignore[operator]
    heard = wiring.alpha.unsqueeze(1) if wiring.phi is None else wiring.alpha.unsqueeze(1) * wiring.phi
    heard = heard.double().cpu()
    sources = layer.num_sources
    key, order = (wiring.edge_index[1] * sources + wiring.edge_index[0]).cpu().sort()
    dim = len(options["kernel_size"])
    table = build_taps(source, target, kernel_points(options["kernel_size"], dim, options["dilation"]))
    wanted = table.target * sources + table.source
    slot = torch.searchsorted(key, wanted).clamp_max(len(key) - 1)
    value = torch.where((key[slot] == wanted).unsqueeze(1), heard[order[slot]], 0.0)
    met = torch.bincount(table.target, minlength=table.size[1])[table.target]
    most = torch.zeros(table.size[0], dtype=met.dtype).scatter_reduce(0, table.tap, met, "amax")
    whole = met == most[table.tap]
    total = value.new_zeros(table.size[0], value.shape[1]).index_add_(0, table.tap[whole], value[whole])
    return total / torch.bincount(table.tap[whole], minlength=table.size[0]).clamp_min(1).unsqueeze(1)


@torch.no_grad()
def _difference(model: torch.nn.Module, settled: torch.nn.Module, x: Any) -> dict[str, float]:
    """Largest relative difference of the outputs of each layer that moved, and of the whole."""
    found: dict[str, float] = {}
    others: dict[str, Any] = dict(settled.named_modules())
    handles = []
    for name, layer in model.named_modules():
        if isinstance(layer, SCGEConv) and layer.trainable and not others[name].trainable:

            def compare(_: Any, given: Any, y: Tensor, name: str = name) -> None:
                found[name] = max(found.get(name, 0.0), _relative(others[name](*given), y))

            handles.append(layer.register_forward_hook(compare))
    training = model.training
    model.eval()
    settled.eval()
    try:
        y = model(x)
        if not bool(y.isfinite().all()):
            raise ValueError(
                f"settle: outputs for x must be finite to be compared, got NaN or infinity in "
                f"{int((~y.isfinite()).sum())} of {y.numel()} values; leave such samples out of x or fill their gaps, "
                f"x.nan_to_num(), or settle without x"
            )
        found[""] = _relative(settled(x), y)
    finally:
        model.train(training)
        settled.train(training)
        for handle in handles:
            handle.remove()
    return found


def _relative(y: Tensor, wanted: Tensor) -> float:
    return float((y - wanted).abs().max() / wanted.abs().max().clamp_min(torch.finfo(wanted.dtype).tiny))
