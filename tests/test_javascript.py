"""The browser half's own tests and checks, run as part of these."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import javascript

WIDGET_LIMIT = 230_000
"""Bytes. Jupyter sends the module once per widget, uncompressed."""

pytestmark = pytest.mark.usefixtures("static_files")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("script", ["test", "check"])
def test_script_passes(script: str) -> None:
    done = javascript.run_script(script)

    if done.returncode != 0:
        pytest.fail(f"`npm run {script}` in js/ failed:\n{done.stdout}", pytrace=False)


def test_widget_module_is_small_enough_to_travel_with_every_widget(static_files: Path) -> None:
    assert (static_files / "widget.js").stat().st_size <= WIDGET_LIMIT
