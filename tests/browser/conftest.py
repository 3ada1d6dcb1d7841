"""A JupyterLab for the tests here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import BrowserContext

from browser.lab import LabPage, LabServer


@pytest.fixture(scope="session")
def lab_server(
    jupyter: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabServer]:
    server = LabServer(tmp_path_factory.mktemp("notebooks"), jupyter)
    yield server
    server.close()


@pytest.fixture
def lab(context: BrowserContext, lab_server: LabServer) -> Iterator[LabPage]:
    """A page in JupyterLab; open a notebook in it."""
    lab = LabPage(context.new_page(), lab_server)
    yield lab
    # First the page: it would save its settings and ask what became of its kernel.
    lab.page.close()
    lab_server.clear()
