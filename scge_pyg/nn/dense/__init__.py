"""Dense equivalents: lowering to convolutions on a grid."""

__all__: list[str] = []
