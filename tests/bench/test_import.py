"""What `import kernelchat` costs beside `import anywidget`, in fresh interpreters by turns."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from statistics import median

import pytest

ROUNDS = 9
TARGET = 1.15
"""Times as long as the yardstick."""

SECONDS = """
import sys, time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""

PACKAGES = """
import sys
import {module}
print(*{{name.partition(".")[0] for name in sys.modules}} - sys.stdlib_module_names)
"""

pytestmark = pytest.mark.usefixtures("static_files")


def in_fresh_interpreter(code: str, module: str) -> str:
    command = [sys.executable, "-c", code.format(module=module)]
    return subprocess.check_output(command, timeout=60, text=True)


def test_import(print_figure: Callable[[str], None]) -> None:
    modules = ("anywidget", "kernelchat")
    rounds = [
        [float(in_fresh_interpreter(SECONDS, module)) for module in modules]
        for _ in range(ROUNDS + 1)
    ][1:]  # the first one compiles what was not compiled yet

    yardstick, ours = (median(times) * 1000 for times in zip(*rounds, strict=True))
    ratio = median(ours / yardstick for yardstick, ours in rounds)
    print_figure(
        f"import kernelchat: {ours:.0f} ms; import anywidget: {yardstick:.0f} ms; "
        f"ratio {ratio:.2f} (target {TARGET})"
    )
    assert ratio <= 2 * TARGET


def test_import_loads_no_other_package_than_anywidget_does() -> None:
    ours, yardstick = (
        set(in_fresh_interpreter(PACKAGES, module).split())
        for module in ("kernelchat", "anywidget")
    )
    assert ours - yardstick == {"kernelchat"}
