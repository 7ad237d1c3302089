"""How well a map predicts samples that it has not seen."""

__all__: list[str] = []
