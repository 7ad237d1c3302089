"""What the command says on stderr: log records that don't break progress bars, and warnings on one line each."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from scge_pyg.cli.option_names import as_options

__all__ = ["collected_warnings", "logging_to_stderr", "wants_progress", "warnings_as_they_come"]


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


@contextmanager
def logging_to_stderr(verbosity: int) -> Iterator[None]:
    """Show records of this package: errors (-1), warnings (0), what was decided (1), everything (2)."""
    logger = logging.getLogger("scge_pyg")
    handler, before = _Handler(), (logger.level, logger.propagate)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    levels = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}
    logger.setLevel(levels.get(verbosity, logging.DEBUG))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before


@contextmanager
def collected_warnings(messages: list[str], *, shown: bool) -> Iterator[None]:
    """Append the text of every ``UserWarning`` to ``messages`` and, if ``shown``, print it on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        finally:
            texts = [" ".join(str(w.message).split()) for w in caught if w.category is UserWarning]
            messages += texts
            if shown:
                for text in texts:
                    tqdm.write(f"warning: {text}", file=sys.stderr)


@contextmanager
def warnings_as_they_come(*, shown: bool) -> Iterator[None]:
    """Print each ``UserWarning`` on stderr at once, on one line, if ``shown``; other categories are for programmers."""

    def show(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
        if shown and category is UserWarning:
            tqdm.write(f"warning: {as_options(' '.join(str(message).split()))}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


def wants_progress(verbosity: int) -> bool | None:
    """What to tell a progress bar: never when quiet or when nobody watches, else where the work is long (None)."""
    return None if verbosity >= 0 and sys.stderr.isatty() else False
