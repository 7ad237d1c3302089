"""From any input to signals."""

__all__: list[str] = []
