"""A JupyterLab and a Chromium for the tests here, and a page that shows its trouble on failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from browser.lab import SCREENSHOTS, LabPage, LabServer
from tools.chromium import ARGUMENTS

failed = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    item.stash[failed] = item.stash.get(failed, False) or call.excinfo is not None
    return report


@pytest.fixture(scope="session")
def lab_server(
    jupyter: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabServer]:
    server = LabServer(tmp_path_factory.mktemp("notebooks"), jupyter)
    yield server
    server.close()


# Not for the session: while Playwright's own loop lives in this thread, no asyncio test can run.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """An empty profile; what its pages wrote to the console is printed with a failure."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    context.on("console", lambda message: print(f"console.{message.type}: {message.text}"))
    context.on("weberror", lambda error: print(f"uncaught in the page: {error.error}"))
    yield context
    if request.node.stash.get(failed, False):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for number, page in enumerate(context.pages):
            page.screenshot(path=SCREENSHOTS / f"failed-{request.node.name}-{number}.png")
    context.close()


@pytest.fixture
def lab(context: BrowserContext, lab_server: LabServer) -> Iterator[LabPage]:
    """A page in JupyterLab; open a notebook in it."""
    yield LabPage(context.new_page(), lab_server)
    lab_server.end_kernels()
