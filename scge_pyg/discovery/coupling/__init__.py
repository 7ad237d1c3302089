"""Who is wired to whom, by pairwise statistics."""

__all__: list[str] = []
