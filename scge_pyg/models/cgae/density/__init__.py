"""How probable codes are, and how many bits they take."""

__all__: list[str] = []
