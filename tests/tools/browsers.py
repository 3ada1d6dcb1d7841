"""Fixtures for tests in Chromium: a browser, an empty profile, and a picture of what failed."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import playwright.sync_api
import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tools.chromium import ARGUMENTS
from tools.kernels import CACHE

SCREENSHOTS = CACHE / "screenshots"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    context = getattr(item, "funcargs", {}).get("context")
    if call.when == "call" and call.excinfo is not None and context is not None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for number, page in enumerate(context.pages):
            path = SCREENSHOTS / f"failed-{item.name}-{number}.png"
            try:
                page.screenshot(path=path)
            except playwright.sync_api.Error as error:
                report.sections.append(("Screenshot", f"none: {error}"))
            else:
                report.sections.append(("Screenshot", str(path)))
    return report


# Not for the session: while Playwright's own loop lives in this thread, no asyncio test can run.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """An empty profile; what its pages wrote to the console is printed with a failure."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    context.on("console", lambda message: print(f"console.{message.type}: {message.text}"))
    context.on("weberror", lambda error: print(f"uncaught in the page: {error.error}"))
    yield context
    context.close()
