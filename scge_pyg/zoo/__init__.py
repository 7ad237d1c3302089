"""The survey's systems, each on a geometry that was discovered (extra ``zoo``)."""

__all__: list[str] = []
