"""One discovery by several workers: what they tell each other, and which blocks of work each of them does."""

__all__: list[str] = []
