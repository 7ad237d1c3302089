"""Where parts lie and what they make: canvases, and decoders that add or cover."""

__all__: list[str] = []
