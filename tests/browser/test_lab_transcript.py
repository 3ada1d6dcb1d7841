"""What a saved notebook keeps of a talk: hidden while a view shows it, there when no kernel is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from playwright.sync_api import Locator, expect

from browser.chatview import SECONDS, ChatView, chat_cell, open_chat, shown
from browser.lab import LabPage
from tools.safehtml import CONTENT, SafeHtml

pytestmark = pytest.mark.usefixtures("static_files")

ANSWER = """A *mean* is:

```python
sum(values) / len(values)
```

| values | mean |
| ------ | ---: |
| 1, 2, 3 | 2 |

See [the documentation](https://docs.python.org/3/) and ![a chart](https://example.com/a.png).

<img src=x onerror="document.title = 'broken in'">
<button data-commandlinker-command="notebook:create-new">new</button>
"""

TEXT = "A mean is: sum(values) / len(values) values mean 1, 2, 3 2 See the documentation"

TOKENS = "[chat.endpoint.token, chat._runtime.registry.token]"

SAVES = "@jupyter-widgets/jupyterlab-manager/plugin.jupyterlab-settings"


def transcript(lab: LabPage, index: int = 0) -> Locator:
    return lab.output(index).locator(".kernelchat-transcript")


def answered(lab: LabPage, *more: str) -> ChatView:
    """A chat in which one question was asked in the view and answered."""
    view = open_chat(lab, chat_cell(ANSWER, speed="instant"), *more)
    view.ask("What is a mean?")
    view.wait_for_status(0, "done")
    wait_for_transcript(lab, "sum(values)")
    return view


def wait_for_transcript(lab: LabPage, text: str) -> None:
    """Waits until the transcript that the notebook would save holds the text."""
    expect(transcript(lab)).to_contain_text(text, timeout=SECONDS)


def reopen(lab: LabPage, *, trusted: bool, with_kernel: bool = False) -> str:
    """Saves the notebook, ends its kernel and opens the file again; the text of the file.

    Args:
        lab: where the notebook is open.
        trusted: whether Lab may run what the outputs hold.
        with_kernel: with a new kernel, else with none.
    """
    lab.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    text = (lab.server.folder / lab.name).read_text("utf-8")
    lab.page.goto("about:blank")
    lab.server.clear()
    saved = nbformat.reads(text, as_version=4)
    if not with_kernel:
        # Lab then asks, and takes none for an answer.
        del saved.metadata["kernelspec"]
    if trusted:
        NotebookNotary().sign(saved)
    nbformat.write(saved, lab.server.folder / lab.name)
    lab.page.goto(f"{lab.server.url}/lab/tree/{lab.name}?token={lab.server.token}&reset")
    if not with_kernel:
        lab.page.get_by_role("dialog").get_by_role("button", name="No Kernel").click()
    lab.page.wait_for_selector(".jp-Notebook .jp-Cell")
    return text


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
def test_the_talk_is_there_without_a_kernel(lab: LabPage, trusted: bool) -> None:
    answered(lab)
    expect(transcript(lab)).to_have_count(1)
    expect(transcript(lab)).to_be_hidden()
    tokens = lab.evaluate_in_kernel(TOKENS)
    lab.screenshot("transcript-live")

    text = reopen(lab, trusted=trusted)

    expect(transcript(lab)).to_have_count(1)
    expect(transcript(lab)).to_be_visible()
    lab.screenshot(f"transcript-{'trusted' if trusted else 'untrusted'}")
    seen = " ".join(transcript(lab).inner_text().split())
    assert seen.startswith(f"You What is a mean? Assistant {TEXT}")
    assert "<img src=x onerror=" in seen
    # What Lab has made of it: links get a target, nothing of ours is lost.
    tags = transcript(lab).evaluate(
        "(root) => [...root.querySelectorAll('*')].map((e) => e.localName)"
    )
    assert set(tags) <= CONTENT | {"div"}
    assert {"strong", "em", "pre", "table", "a", "span"} <= set(tags)
    borders = transcript(lab).evaluate(
        "(root) => ['div', 'pre', 'span'].map((n) => root.querySelector(n).style.borderLeftStyle)"
    )
    assert borders == ["solid"] * 3
    assert lab.page.title() != "broken in"
    assert len(tokens) == 2
    assert not any(token in text for token in tokens)
    SafeHtml("".join(nbformat.reads(text, as_version=4).cells[0].outputs[1].data["text/html"]))


def test_the_talk_is_there_beside_a_widget_drawn_from_saved_state(lab: LabPage) -> None:
    settings = Path(os.environ["JUPYTER_CONFIG_DIR"]) / "lab" / "user-settings" / SAVES
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"saveState": True}), "utf-8")
    answered(lab)
    tokens = lab.evaluate_in_kernel(TOKENS)

    text = reopen(lab, trusted=True, with_kernel=True)

    assert "application/vnd.jupyter.widget-state+json" in text
    assert not any(token in text for token in tokens)
    # The view is drawn, and has nothing to show.
    expect(shown(lab, 0).root).to_be_visible(timeout=SECONDS)
    expect(transcript(lab)).to_be_visible()
    lab.screenshot("transcript-saved-state")


def test_it_follows_what_is_done_in_the_view_and_in_cells(lab: LabPage) -> None:
    view = answered(lab, "chat.clear()", "chat.ask('Again?').result()")

    lab.run_cell(1)
    expect(transcript(lab)).to_have_text("", timeout=SECONDS)
    lab.run_cell(2)
    wait_for_transcript(lab, "Again?")
    view.ask("And by hand?")
    wait_for_transcript(lab, "And by hand?")

    expect(transcript(lab)).to_be_hidden()
    expect(transcript(lab)).to_have_count(1)


def test_it_shows_again_once_no_view_shows_the_talk(lab: LabPage) -> None:
    answered(lab, "chat", "chat.close()")
    lab.run_cell(1)
    expect(shown(lab, 1).answers).to_have_count(1)
    for index in (0, 1):
        expect(transcript(lab, index)).to_be_hidden()

    lab.run_cell(2)

    for index in (0, 1):
        expect(shown(lab, index).root).to_have_count(0)
        expect(transcript(lab, index)).to_be_visible()


def test_after_a_reload_the_view_hides_it_again(lab: LabPage) -> None:
    answered(lab)

    lab.reload()

    expect(shown(lab, 0).answers).to_have_count(1, timeout=SECONDS)
    expect(transcript(lab)).to_have_count(1)
    expect(transcript(lab)).to_be_hidden()
