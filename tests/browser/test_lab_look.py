"""How the chat looks and what a screen reader is told, in light and dark, narrow and Chinese."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page

from browser.chatview import ChatView, chat_cell, open_chat
from browser.lab import LabPage
from tools.browsers import SCREENSHOTS
from tools.javascript import ROOT

pytestmark = pytest.mark.usefixtures("static_files")

AXE = ROOT / "js" / "node_modules" / "axe-core" / "axe.min.js"

ANSWER = """## Averages

The *mean* of `values` is their sum over their number:

```python
def mean(values: list[float]) -> float:
    return sum(values) / len(values)
```

| values | mean |
| ------ | ---: |
| 1, 2, 3 | 2 |

1. Read the [documentation](https://docs.python.org/3/library/statistics.html).
2. Use `statistics.mean`.
"""


def assert_accessible(page: Page, selector: str) -> None:
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate(
        """async (selector) => {
          const { violations } = await axe.run(selector);
          return violations.map(({ id, nodes }) =>
            `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`);
        }""",
        selector,
    )
    assert found == []


def answered(lab: LabPage, **keywords: object) -> ChatView:
    view = open_chat(lab, chat_cell(ANSWER, speed="instant", **keywords))
    view.ask("What is a mean?")
    view.wait_for_status(0, "done")
    return view


@pytest.mark.parametrize(
    ("theme", "scheme"), [("JupyterLab Light", "light"), ("JupyterLab Dark", "dark")]
)
def test_axe_finds_nothing_in_jupyterlab(lab: LabPage, theme: str, scheme: str) -> None:
    answered(lab)

    lab.set_theme(theme)
    lab.page.locator(f".kernelchat[data-scheme={scheme}]").wait_for()

    lab.screenshot(f"lab-{scheme}")
    assert_accessible(lab.page, ".kernelchat")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_page(lab: LabPage, context: BrowserContext, scheme: str) -> None:
    answered(lab, theme=scheme)
    page = context.new_page()
    page.goto(lab.evaluate_in_kernel("chat.link()"))
    ChatView(page.locator(".kernelchat")).wait_for_status(0, "done")

    page.screenshot(path=SCREENSHOTS / f"page-{scheme}.png")
    assert_accessible(page, ".kernelchat")


def test_a_narrow_chinese_chat_stays_within_its_cell(lab: LabPage) -> None:
    lab.page.set_viewport_size({"width": 640, "height": 800})
    view = open_chat(lab, chat_cell(ANSWER, lang="zh", speed="instant"))
    view.box.fill("什么是平均数？")
    view.box.press("Enter")
    view.wait_for_status(0, "done")

    lab.screenshot("lab-narrow-zh")
    assert view.root.evaluate("(root) => root.scrollWidth <= root.clientWidth")
