"""Python programs run to their end, for what only a process of its own can show."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

TESTS = Path(__file__).parents[1]
TIMEOUT = 60.0


def environment() -> dict[str, str]:
    """This environment, with `tools` to be imported from."""
    return {**os.environ, "PYTHONPATH": str(TESTS)}


def run_python(
    program: str, *arguments: str, timeout: float = TIMEOUT
) -> subprocess.CompletedProcess[str]:
    """Runs `program`, however it is indented."""
    return subprocess.run(
        [sys.executable, "-c", dedent(program), *arguments],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=timeout,
        check=False,
    )


def check_python(program: str, *arguments: str) -> str:
    """Runs `program`, which must end well and say nothing on stderr; returns what it printed."""
    done = run_python(program, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout
