"""Figures that the benchmarks found are printed at the end of the run, whether it passed or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

figures = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.bench)
            if "chromium" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.browser)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = terminalreporter.config.stash.get(figures, [])
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture
def print_figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Prints a line below the test results."""
    return request.config.stash.setdefault(figures, []).append
