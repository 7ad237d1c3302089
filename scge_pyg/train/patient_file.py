"""`PatientFile`: a file to which torch writes, and which tells of a full disk when torch is done."""

from __future__ import annotations

from typing import IO, Any

__all__ = ["PatientFile"]


class PatientFile:
    """Hands bytes on until a write fails; what comes after is dropped, and :meth:`finish` raises what went wrong.

    Torch's writer of archives meets a write that fails with a ``RuntimeError`` about positions, or, where it closes the
    archive, by ending the process (torch 2.13).

    Args:
        file: Open for binary writing.

    Example:
        >>> import io, torch
        >>> store = io.BytesIO()
        >>> file = PatientFile(store)
        >>> torch.save({"a": 1}, file)
        >>> file.finish()
        >>> torch.load(io.BytesIO(store.getvalue()), weights_only=True)
        {'a': 1}
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._error: OSError | None = None

    def write(self, content: Any) -> int:
        """Write, or drop what comes after a failure."""
        if self._error is None:
            try:
                self._file.write(content)
            except OSError as error:
                self._error = error
        return len(content)

    def flush(self) -> None:
        """Nothing: :meth:`finish` does."""

    def finish(self) -> None:
        """Flush, and raise what went wrong."""
        if self._error is not None:
            raise self._error
        self._file.flush()
