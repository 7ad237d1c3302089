"""From couplings to edges and coordinates."""

__all__: list[str] = []
