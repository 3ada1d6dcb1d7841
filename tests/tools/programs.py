"""Small programs in a Python of their own: imports, exits, forks."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

from .pushed import PATIENCE


def run_program(source: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `source`; warnings count, and it must end by itself."""
    # From 3.12 on Python warns of every fork beside threads: here that is what is tested.
    warnings = ["-W", "error::ResourceWarning", "-W", "ignore::DeprecationWarning:__main__"]
    return subprocess.run(
        [sys.executable, *warnings, "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        env={**os.environ, **environment},
        check=False,
    )


def output_of(source: str, **environment: str) -> str:
    """What `source` prints; it must end well and without a word on stderr."""
    ended = run_program(source, **environment)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    return ended.stdout
