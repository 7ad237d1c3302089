"""Places from counts between rows and columns, and from affinities between nodes."""

__all__: list[str] = []
