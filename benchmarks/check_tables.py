"""Which tables of the pages may be out of date: those whose code has changed since the commit that they are from.

A table says so in a comment above it, with the files and folders that its figures depend on:

    <!-- table: commit abc1234; files: scge_pyg/discovery, benchmarks/discovery.py -->

What counts is code. A Python file that differs in comments, docstrings or layout alone is the same, and an
`__init__.py` only names what others do; of other files every line counts. Files that are not committed yet are looked
at as they are. The exit code is 0: a list to think about, no test.

    python benchmarks/check_tables.py                             # every page in docs/
    python benchmarks/check_tables.py docs/measured.md --all      # names every file that has changed
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_NOTE = re.compile(r"<!--\s*table:\s*commits?\s+(?P<commits>[^;]+?)\s*;\s*files:\s*(?P<files>.+?)\s*-->", re.S)
_SHOWN = 5
_HAS_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Table:
    """A table, where it stands, and what its figures depend on."""

    page: Path
    line: int
    head: str
    commits: tuple[str, ...]
    files: tuple[str, ...]


def tables(page: Path) -> Iterator[Table]:
    """Those of a page that say what they depend on."""
    text = page.read_text()
    for note in _NOTE.finditer(text):
        commits, files = (tuple(re.split(r"[\s,]+", note[part])) for part in ("commits", "files"))
        rows = re.search(r"^\|.*$", text[note.end() :], re.M)
        line = text.count("\n", 0, note.end() + (rows.start() if rows else 0)) + 1
        head = rows[0].strip("| ").split(" |")[0].rstrip() if rows else "no table below"
        yield Table(page, line, head, commits, files)


def git(root: Path, *arguments: str) -> str | None:
    """What git prints, or None where it fails."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def code(path: str, text: str | None) -> str | None:
    """What of a file can change a figure."""
    if text is None or not path.endswith(".py"):
        return text
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return text
    for node in ast.walk(tree):
        if isinstance(node, _HAS_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


@cache
def changed(root: Path, commit: str, files: tuple[str, ...]) -> list[str]:
    """Files whose code is another one than at ``commit``, new and removed ones among them."""
    names = git(root, "diff", "--name-only", "--no-renames", commit, "--", *files) or ""
    news = git(root, "ls-files", "--others", "--exclude-standard", "--", *files) or ""

    def now(name: str) -> str | None:
        return (root / name).read_text(errors="replace") if (root / name).is_file() else None

    candidates = sorted({*names.split("\n"), *news.split("\n")} - {""})
    candidates = [name for name in candidates if not name.endswith("__init__.py")]
    return [name for name in candidates if code(name, now(name)) != code(name, git(root, "show", f"{commit}:{name}"))]


def findings(root: Path, table: Table, most: int | None = _SHOWN) -> list[str]:
    """What there is to say about a table; nothing if its code is what it was."""
    missing = [name for name in table.files if not (root / name).exists()]
    found = [f"not there any more: {', '.join(missing)}"] if missing else []
    for commit in table.commits:
        if git(root, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}") is None:
            found.append(f"{commit} is no commit of this repository")
            continue
        names = changed(root, commit, table.files)
        more = f" and {len(names) - most} more" if most is not None and len(names) > most else ""
        if names:
            found.append(f"since {commit} {len(names)} changed: {', '.join(names[:most])}{more}")
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", type=Path, help="default: README.md and docs/*.md")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="the repository")
    parser.add_argument("--all", action="store_true", help="name every file, not the first five")
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    if git(root, "rev-parse", "HEAD") is None:
        raise SystemExit(f"check_tables: {root} is no git repository with a commit")
    pages = options.pages or sorted(page for page in (root / "README.md", *root.glob("docs/*.md")) if page.exists())
    listed = [table for page in pages for table in tables(page)]
    stale = 0
    for table in listed:
        told = findings(root, table, None if options.all else _SHOWN)
        stale += bool(told)
        if told:
            page = table.page.resolve()
            print(f"{page.relative_to(root) if page.is_relative_to(root) else page}:{table.line}: {table.head}")
            print(*(f"    {line}" for line in told), sep="\n")
    print(f"{stale} of {len(listed)} tables may be out of date")


if __name__ == "__main__":
    main()
