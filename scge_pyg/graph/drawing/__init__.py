"""What draws a given graph: lengths of its edges, coordinates, intrinsic dimension."""

__all__: list[str] = []
