"""Integer cells, where the geometry is a regular grid."""

__all__: list[str] = []
