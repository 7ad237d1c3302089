"""SCGEConv: the layer, its constructors, and what every form of it shares."""

__all__: list[str] = []
