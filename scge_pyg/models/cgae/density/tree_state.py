"""A mixture of trees of slots as a flat dictionary of tensors, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from scge_pyg.models.cgae.density.placement import Placement
from scge_pyg.models.cgae.density.slot_tree import Slot, SlotTree

__all__ = ["state_of_trees", "trees_of_state"]

_PLACEMENT = tuple(field for field in Placement._fields if field != "grid")


def state_of_trees(weight: Tensor, trees: Iterable[SlotTree]) -> dict[str, Tensor]:
    """The weights, and one entry a field: ``trees.0.2.beside.gain`` is that of slot 2 of component 0."""
    state = {"weight": weight}
    for m, tree in enumerate(trees):
        for v, slot in enumerate(tree.slots):
            at = f"trees.{m}.{v}"
            state[f"{at}.parent"] = torch.tensor(slot.parent)
            state |= {f"{at}.prototype": slot.prototype, f"{at}.share": slot.share}
            for name, placement in (("beside", slot.beside), ("alone", slot.alone)):
                if placement is not None:
                    state |= {f"{at}.{name}.{field}": getattr(placement, field) for field in _PLACEMENT}
    return state


def trees_of_state(
    where: str, state: Mapping[str, Tensor], grid: tuple[int, int], num_prototypes: int
) -> tuple[Tensor, tuple[SlotTree, ...]]:
    """The weights and trees of :func:`state_of_trees`.

    Raises:
        ValueError: If an entry is missing or of another number of prototypes.
    """
    fields: dict[tuple[int, int], dict[str, Tensor]] = {}
    for name, value in state.items():
        if name.startswith("trees."):
            _, component, slot, field = name.split(".", 3)
            fields.setdefault((int(component), int(slot)), {})[field] = value
    trees: dict[int, list[Slot]] = {}
    try:
        weight = state["weight"]
        for (m, _), own in sorted(fields.items(), key=lambda entry: entry[0]):
            beside = _placement("beside", own, grid) if "beside.gain" in own else None
            slot_of = Slot(int(own["parent"]), own["prototype"], beside, _placement("alone", own, grid), own["share"])
            trees.setdefault(m, []).append(slot_of)
    except KeyError as error:
        raise ValueError(f"{where}: state has no {error}; pass what state_dict() of a fitted one gave") from error
    sizes = {slot_of.prototype.shape[1] - 1 for slots in trees.values() for slot_of in slots}
    if sizes != {num_prototypes} or len(weight) != len(trees):
        raise ValueError(
            f"{where}: state must have {num_prototypes} prototypes and a weight for each tree, "
            f"got {sorted(sizes)} prototypes, {len(weight)} weights and {len(trees)} trees"
        )
    return weight, tuple(SlotTree(tuple(slots)) for _, slots in sorted(trees.items()))


def _placement(name: str, own: Mapping[str, Tensor], grid: tuple[int, int]) -> Placement:
    return Placement(grid, *(own[f"{name}.{field}"] for field in _PLACEMENT))
