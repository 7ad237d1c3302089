"""The parser of a subcommand: typed options, also from a YAML file, and examples under the help."""

from __future__ import annotations

from argparse import SUPPRESS, Action, HelpFormatter, Namespace
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, DefaultHelpFormatter

from scge_pyg.usage import UsageError, need

__all__ = ["Parser", "as_paths", "check_picture"]


class _Formatter(DefaultHelpFormatter):
    def _get_help_string(self, action: Action) -> str:
        return action.help or ""


class Parser(ArgumentParser):
    """A jsonargparse parser whose options may stand in a file (``--config``), and which raises what is wrong.

    Args:
        command: Name of the subcommand.
        description: One sentence above the options.
        examples: Text below them, shown as it is.
    """

    def __init__(self, command: str, description: str, examples: str = "") -> None:
        super().__init__(
            prog=f"scge {command}",
            description=description,
            formatter_class=_Formatter,
            exit_on_error=False,
            allow_abbrev=False,
        )
        self.examples = examples
        self.add_argument("--config", action="config", metavar="FILE", help="take options from a YAML file")
        self.add_argument("--json", action="store_true", help="print a machine-readable summary on stdout")
        self.add_argument("-v", "--verbose", action="count", default=0, help="say what was decided; twice: everything")
        self.add_argument("-q", "--quiet", action="store_true", help="errors only, no progress bars")

    def add_input(self, metavar: str, help: str) -> None:
        """Add the file that comes without an option; ``None`` where neither words nor file name one."""
        self.add_argument("input", type=str, nargs="?", metavar=metavar, help=help, default=SUPPRESS)

    def parse_args(self, *args: Any, **kwargs: Any) -> Any:
        """Parse; a default of the input would have won over what the file says."""
        parsed = super().parse_args(*args, **kwargs)
        parsed.input = parsed.get("input")
        return parsed

    def format_help(self, formatter: HelpFormatter | None = None) -> str:
        """Help with the examples below it."""
        text = super().format_help(formatter)
        return f"{text}\n{self.examples}" if self.examples else text

    def known(self) -> list[str]:
        """All options, with their dashes and as keys of a file."""
        return [name for action in self._actions for name in (*action.option_strings, action.dest)]


def as_paths(args: Namespace, *names: str) -> None:
    """Turn what names files into paths, and refuse what isn't there before anything heavy is imported."""
    for name in names:
        text = getattr(args, name)
        if text is None:
            continue
        setattr(args, name, Path(text))
        if name != "output" and "::" not in text and not Path(text).exists():
            raise UsageError(f"{text} does not exist")


def check_picture(path: Path | None, *, overwrite: bool) -> None:
    """Refuse a picture that can't be written."""
    if path is None:
        return
    need("matplotlib", extra="plot", purpose="-o")
    if path.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UsageError(f"-o names a picture, .png, .pdf or .svg; got {path}")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists; choose another name with -o or add --overwrite")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path} can't be written: {path.absolute().parent} is no folder")
