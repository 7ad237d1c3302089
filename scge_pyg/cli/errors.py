"""The one error that a user of the command can mend."""

from __future__ import annotations

import importlib

__all__ = ["UsageError", "need"]


class UsageError(Exception):
    """Bad arguments or bad input: the command prints the message on one line and exits with 2."""


def need(*modules: str, extra: str, purpose: str) -> None:
    """Raise :class:`UsageError` naming ``extra`` unless all ``modules`` can be imported."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise UsageError(f"{purpose} needs the extra '{extra}': pip install 'scge-pyg[{extra}]'") from error
