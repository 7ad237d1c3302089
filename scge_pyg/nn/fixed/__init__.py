"""Products and pooling on a geometry that stays."""

__all__: list[str] = []
