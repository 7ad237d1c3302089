"""How prototypes are learned, what keeps them from collapsing, and estimators of gradients of a discrete code."""

__all__: list[str] = []
