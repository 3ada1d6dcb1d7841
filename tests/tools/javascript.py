"""The browser half as the tests need it: built from js/ as it is, by this environment's Node."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hatch_build

ROOT = Path(__file__).parents[2]
STATIC = hatch_build.static_folder(ROOT)


def ensure_built() -> None:
    """Has src/kernelchat/static fit js/, and js/node_modules fit its lock.

    Raises hatch_build.JavaScriptBuildError with npm's output and what to do.
    """
    with _one_process():
        hatch_build.install_packages(ROOT)
        hatch_build.ensure_built(ROOT)


def run_script(name: str) -> subprocess.CompletedProcess[str]:
    """Runs a script of js/package.json."""
    return hatch_build.run_npm(ROOT, "run", name)


@contextlib.contextmanager
def _one_process() -> Iterator[None]:
    # Two test runs in one checkout would otherwise write the same files at once.
    lock = ROOT / ".cache" / "javascript.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
