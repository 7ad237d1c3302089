"""Whether channels are where a layout says: how coupling falls with distance, and what fits better."""

__all__: list[str] = []
