"""Which tables may be out of date: code that changed since a commit, in a repository of three files."""

import subprocess
from pathlib import Path

import pytest

PAGE = """# Figures

<!-- table: commit {commit}; files: src, bench.py -->

| what | seconds |
| --- | --- |
| a | 1 |

Words, and a table that says nothing:

| other | |
| --- | --- |
"""
SOURCE = '"""What it does."""\n\nLIMIT = 3  # chosen by hand\n\n\ndef twice(x):\n    """2 x."""\n    return 2 * x\n'


@pytest.fixture
def check_tables(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import check_tables

    check_tables.changed.cache_clear()
    return check_tables


def git(root, *arguments):
    names = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *names, *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A commit with a folder, a benchmark and a page whose table is from it."""
    for folder in ("src", "docs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "src" / "model.py").write_text(SOURCE)
    (tmp_path / "src" / "weights.txt").write_text("1 2\n")
    (tmp_path / "bench.py").write_text("print(1)\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "measured")
    write(tmp_path, git(tmp_path, "rev-parse", "--short=7", "HEAD"))
    return tmp_path


def write(root, commits):
    (root / "docs" / "page.md").write_text(PAGE.format(commit=commits))


def told(check_tables, root, capsys, *arguments):
    check_tables.changed.cache_clear()
    check_tables.main(["--root", str(root), *arguments])
    return capsys.readouterr().out.splitlines()


def test_what_is_as_it_was(check_tables, repository, capsys):
    assert told(check_tables, repository, capsys) == ["0 of 1 tables may be out of date"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# chosen by hand", "# chosen on simulated data"),
        ("2 x.", "The double of x."),
        ("What it does.", "What it does, in other words."),
        ("return 2 * x", "return (\n        2 * x\n    )"),
        ("LIMIT = 3  # chosen by hand", "# a line more\n\nLIMIT = 3"),
    ],
)
def test_words_and_layout_change_no_figure(old, new, check_tables, repository, capsys):
    path = repository / "src" / "model.py"
    assert old in SOURCE
    path.write_text(SOURCE.replace(old, new))
    git(repository, "commit", "-aqm", "words")
    assert told(check_tables, repository, capsys)[-1] == "0 of 1 tables may be out of date"


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize(("old", "new"), [("LIMIT = 3", "LIMIT = 4"), ("2 * x", "x + x"), ('    """2 x."""\n', "")])
def test_code_that_changed(old, new, committed, check_tables, repository, capsys):
    """A docstring that goes is no change, whatever line it stood on."""
    (repository / "src" / "model.py").write_text(SOURCE.replace(old, new))
    if committed:
        git(repository, "commit", "-aqm", "code")
    lines = told(check_tables, repository, capsys)
    if new:
        commit = git(repository, "rev-list", "--max-parents=0", "HEAD")[:7]
        assert lines[:2] == ["docs/page.md:5: what", f"    since {commit} 1 changed: src/model.py"]
        assert lines[2:] == ["1 of 1 tables may be out of date"]
    else:
        assert lines == ["0 of 1 tables may be out of date"]


def test_new_removed_and_other_files(check_tables, repository, capsys):
    (repository / "src" / "new.py").write_text("x = 1\n")
    (repository / "src" / "__init__.py").write_text("from src.new import x\n")
    (repository / "src" / "model.py").unlink()
    (repository / "src" / "weights.txt").write_text("1 3\n")
    (repository / "elsewhere.py").write_text("x = 1\n")
    line = told(check_tables, repository, capsys)[1]
    assert line.endswith("3 changed: src/model.py, src/new.py, src/weights.txt")


def test_at_most_five_are_named(check_tables, repository, capsys):
    for number in range(7):
        (repository / "src" / f"new_{number}.py").write_text("x = 1\n")
    assert told(check_tables, repository, capsys)[1].endswith("src/new_4.py and 2 more")
    assert told(check_tables, repository, capsys, "--all")[1].endswith("src/new_5.py, src/new_6.py")


def test_unknown_commits_and_files_are_said(check_tables, repository, capsys):
    good = git(repository, "rev-parse", "--short=7", "HEAD")
    write(repository, f"{good}, 0123abc")
    git(repository, "rm", "-q", "bench.py")
    lines = told(check_tables, repository, capsys)
    assert lines[1:] == [
        "    not there any more: bench.py",
        f"    since {good} 1 changed: bench.py",
        "    0123abc is no commit of this repository",
        "1 of 1 tables may be out of date",
    ]


def test_no_repository(check_tables, tmp_path):
    with pytest.raises(SystemExit, match="no git repository"):
        check_tables.main(["--root", str(tmp_path)])


def test_the_pages_of_this_project(check_tables):
    """Every comment is read, stands above a table and names files that are there."""
    root = Path(__file__).parents[2]
    pages = sorted(root.glob("docs/*.md"))
    listed = [table for page in pages for table in check_tables.tables(page)]
    assert len(listed) == sum(page.read_text().count("<!-- table:") for page in pages) > 40
    for table in listed:
        lines = table.page.read_text().splitlines()
        assert lines[table.line].startswith("| -"), table
        assert lines[table.line - 3].startswith("<!-- table:"), table
        assert not [name for name in table.files if not (root / name).exists()], table
        assert all(len(commit) == 7 for commit in table.commits), table
