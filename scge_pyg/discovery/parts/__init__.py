"""One connected part: judged, then drawn as a lattice, as a map, or as edges alone."""

__all__: list[str] = []
