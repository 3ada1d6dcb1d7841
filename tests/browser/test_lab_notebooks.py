"""The notebooks as a newcomer meets them: opened in JupyterLab and run."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from browser.chatview import ChatView, shown
from browser.lab import LabPage
from tools.javascript import ROOT

pytestmark = pytest.mark.usefixtures("static_files")

QUICKSTART = ROOT / "notebooks" / "01_quickstart.ipynb"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def cell_with(notebook: Path, code: str) -> int:
    """The index of the first code cell that holds `code`."""
    cells = nbformat.read(notebook, as_version=4).cells
    found = (i for i, cell in enumerate(cells) if cell.cell_type == "code" and code in cell.source)
    return next(found)


def letters(markdown: str) -> str:
    """What of a Markdown text must be on the page however it is drawn."""
    unmarked = re.sub(r"\]\([^)]*\)|^ *(```\w*|\d+\.)", "", markdown, flags=re.MULTILINE)
    return re.sub(r"[\W_]+", "", unmarked)


def drawn_letters(view: ChatView, index: int) -> str:
    text: str = view.answers.nth(index).evaluate(
        """(answer) => {
          const content = answer.querySelector(".kernelchat-content").cloneNode(true);
          for (const own of content.querySelectorAll("[data-kernelchat-own]")) own.remove();
          return content.textContent;
        }"""
    )
    return re.sub(r"[\W_]+", "", text)


def test_the_quickstart_is_a_chat_that_streams_stops_and_survives_a_reload(lab: LabPage) -> None:
    lab.open(QUICKSTART)
    first = cell_with(QUICKSTART, "Chat()")
    lab.run_cell(first)
    view = shown(lab, first)
    view.wait_for_transport("direct")
    view.watch()

    view.ask("How do I stop an answer?")
    view.wait_for_status(0, "done")
    assert len(view.seen_texts()) >= 8
    assert drawn_letters(view, 0) == letters(lab.evaluate_in_kernel("chat.messages[-1].text"))
    lab.screenshot("quickstart")

    view.ask("What can I do while a cell runs?")
    view.wait_for_growth(1)
    view.stop_button.click()
    view.wait_for_status(1, "stopped")

    lab.run_cell(cell_with(QUICKSTART, "chat.ask"))
    view.wait_for_status(2, "done")
    expect(view.questions).to_have_count(3)

    lab.reload()
    expect(view.questions).to_have_count(3)
    view.wait_for_status(1, "stopped")
    view.ask("什么是 token？")
    view.wait_for_status(3, "done")
    assert drawn_letters(view, 3) == letters(lab.evaluate_in_kernel("chat.messages[-1].text"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(lab: LabPage, notebook: Path) -> None:
    lab.open(notebook)

    lab.run_all()

    code = lab.page.locator(".jp-Notebook .jp-CodeCell")
    for number in range(1, code.count() + 1):
        expect(code.nth(number - 1).locator(".jp-InputPrompt")).to_have_text(f"[{number}]:")
    lab.screenshot(f"notebook-{notebook.stem}")
