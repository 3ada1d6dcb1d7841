"""The house rules, as far as a program can tell."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from kernelchat import __version__
from tools.javascript import ROOT

LONGEST_FILE = 400
LONGEST_README = 150
TRY_IT = (
    'python3 -m venv .venv && .venv/bin/python -m pip install -e ".[lab]" && '
    ".venv/bin/python -m jupyterlab notebooks/01_quickstart.ipynb"
)
TEST_IT = (
    'python3 -m venv .venv && .venv/bin/python -m pip install -e ".[dev]" && '
    ".venv/bin/python -m pytest"
)
MACHINE_PATH = re.compile(r"(?<![\w./-])/(work|root|tmp|home|Users)/")
UNFINISHED = re.compile(
    r"\b(TODO|FIXME|NotImplementedError)\b"
    r"|pytest\.(mark\.)?(skip|skipif|xfail)\b"
    r"|\b(it|test|describe)\.(skip|todo|only)\("
)


def files(*folders: str, suffixes: tuple[str, ...] = ("",)) -> list[Path]:
    """The files of the project: those that git tracks, and new ones that it does not ignore."""
    command = [
        "git",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        *folders,
    ]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = (ROOT / name for name in sorted({*listed.split("\0")} - {""}))
    return [file for file in found if file.is_file() and file.name.endswith(suffixes)]


CODE = files("src", "js", "tests", suffixes=(".py", ".ts", ".tsx", ".mjs", ".css"))


def hits(pattern: re.Pattern[str], among: list[Path]) -> list[str]:
    found = []
    for file in among:
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()}")
    return found


def test_no_file_is_too_long_to_read_at_once() -> None:
    lengths = {str(f.relative_to(ROOT)): len(f.read_text("utf-8").splitlines()) for f in CODE}

    assert {name: n for name, n in lengths.items() if n > LONGEST_FILE} == {}


def test_nothing_is_left_unfinished_or_skipped() -> None:
    others = [file for file in CODE if file != Path(__file__)]

    assert hits(UNFINISHED, others) == []


def test_no_path_of_a_machine_stands_in_a_file() -> None:
    text = [file for file in files() if file.suffix != ".png" and file != Path(__file__)]

    assert hits(MACHINE_PATH, text) == []


def test_what_is_built_is_not_committed() -> None:
    command = ["git", "ls-files", "--", "src/kernelchat/static", "*.whl", "*node_modules*"]
    tracked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert tracked.stdout == ""


def test_locks_name_no_registry() -> None:
    assert "resolved" not in (ROOT / "js" / "package-lock.json").read_text("utf-8")
    assert not (ROOT / "uv.lock").exists()


def test_notebooks_are_committed_without_outputs() -> None:
    notebooks = files("notebooks", suffixes=(".ipynb",))

    assert notebooks
    for notebook in notebooks:
        cells = json.loads(notebook.read_text("utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert not any(cell["outputs"] or cell["execution_count"] for cell in code), notebook


def test_the_readme_is_short_and_begins_with_the_two_commands() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()

    assert len(lines) <= LONGEST_README
    beginning = [line.strip() for line in lines[:30]]
    assert TRY_IT in beginning
    assert TEST_IT in beginning


def test_continuous_integration_runs_the_command_of_the_readme() -> None:
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()

    assert TEST_IT in [line.strip() for line in lines]


def test_both_halves_have_one_version() -> None:
    package = json.loads((ROOT / "js" / "package.json").read_text("utf-8"))

    assert package["version"] == __version__
