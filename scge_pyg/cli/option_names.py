"""What the data module calls an argument, as the option that it is on the command line."""

from __future__ import annotations

import re

__all__ = ["as_options"]

_PREFIX = "NodesDataModule: "
_NAMES = "batch_size|columns|drop|header|horizon|limit|missing|standardize|target|task|test|val|window|y"
_ARGUMENT = re.compile(rf"\b({_NAMES})=(?:'([^']*)'|([\w.-]*))")


def as_options(message: str) -> str:
    """The message with options in place of arguments, if it is one of the data module.

    Example:
        >>> as_options("NodesDataModule: say what to put there, missing='mean' or header=False")
        'say what to put there, --data.missing mean or --data.header false'
        >>> as_options("NodesDataModule: task='classification' needs classes; give y= or target=")
        '--task classification needs classes; give --data.y or --data.target'
    """
    return _ARGUMENT.sub(_option, message.removeprefix(_PREFIX)) if message.startswith(_PREFIX) else message


def _option(found: re.Match[str]) -> str:
    name, quoted, plain = found.groups()
    value = f"'{quoted}'" if quoted and " " in quoted else quoted or plain or ""
    value = value.lower() if value in ("True", "False") else value
    return f"--{'' if name == 'task' else 'data.'}{name} {value}".rstrip()
