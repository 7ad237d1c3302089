"""A geometry as other libraries and their files take it: names and places in the order of the nodes."""

__all__: list[str] = []
