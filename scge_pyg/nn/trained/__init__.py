"""Geometry that is learned: the embedding, the choice of neighbours, the Hebbian teacher."""

__all__: list[str] = []
