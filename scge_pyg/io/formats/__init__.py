"""One file a format: ``matches(source)`` says whether it knows a file or an object, ``read(source, ...)`` reads it."""

__all__: list[str] = []
