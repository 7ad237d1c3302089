"""The one error that a user of the command can mend, and hints how."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["UsageError", "nearest", "need"]


class UsageError(Exception):
    """Bad arguments or bad input: the command prints the message on one line and exits with 2."""


def need(*modules: str, extra: str, purpose: str) -> None:
    """Raise :class:`UsageError` naming ``extra`` unless all ``modules`` can be imported."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise UsageError(f"{purpose} needs the extra '{extra}': pip install 'scge-pyg[{extra}]'") from error


def nearest(word: str, known: Iterable[str]) -> str:
    """``"; did you mean X?"`` for the word that is nearest, or nothing.

    Example:
        >>> nearest("--ouptut", ["--output", "--key"])
        '; did you mean --output?'
    """
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
