"""A notebook that ran holds its talk, for whoever opens it without a kernel."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from tools.kernels import KERNELS, notebook, output_text, run_notebook
from tools.safehtml import SafeHtml

HOSTILE = (
    "It is <b onclick=alert(1)>so</b>.\n\n<script>alert(1)</script>\n\n"
    "[x](javascript:alert(1)) ![y](https://example.com/leak.png)"
)

CHAT = "from kernelchat import Chat\nchat = Chat(script=[{!r}])\n"

pytestmark = pytest.mark.usefixtures("jupyter", "static_files")


def transcripts(cell: NotebookNode) -> list[str]:
    """The transcripts among the outputs of a cell."""
    found = [output["data"].get("text/html", "") for output in cell["outputs"] if "data" in output]
    return [html for html in found if "kernelchat-transcript" in html]


def shown(cell: NotebookNode) -> str:
    """What a reader sees of the one transcript of a cell."""
    (html,) = transcripts(cell)
    return " ".join(SafeHtml(html).text.split())


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_talk_is_in_the_cell_that_shows_the_chat(kernel: str) -> None:
    cells = [CHAT.format(HOSTILE) + "chat", "chat.ask('Is it <i>so</i>?').result()"]
    shows, asks = run_notebook(cells, kernel=kernel).cells

    widget, talk = shows.outputs
    assert "application/vnd.jupyter.widget-view+json" in widget.data
    assert set(talk.data) == {"text/html", "text/plain"}
    assert shown(shows) == (
        "You Is it <i>so</i>? Assistant It is <b onclick=alert(1)>so</b>. "
        "<script>alert(1)</script> [x](javascript:alert(1)) Image: y (example.com)"
    )
    assert "Is it <i>so</i>?" in talk.data["text/plain"]
    assert transcripts(asks) == []


@pytest.mark.parametrize("kernel", KERNELS)
def test_it_holds_what_is_shown_last(kernel: str) -> None:
    cells = [
        "from kernelchat import Chat\nanswers = iter(['one', 'two'])\n"
        "chat = Chat(lambda messages: next(answers))\nchat",
        "chat.ask('a').result(); first = chat.messages[1].id",
        "chat.regenerate().result()",
        "chat.select(first)",
        "chat.undo()",
    ]
    made = notebook(cells)
    texts = ["", "You a Assistant one", "You a Assistant two", "You a Assistant one", ""]
    for count, text in enumerate(texts, 1):
        ran = run_notebook([cell.source for cell in made.cells[:count]], kernel=kernel)
        assert shown(ran.cells[0]) == text


@pytest.mark.parametrize("kernel", KERNELS)
def test_each_cell_that_shows_the_chat_keeps_it_once(kernel: str) -> None:
    cells = [
        CHAT.format("So.") + "display(chat)",
        "chat.ask('Why?').result()\nchat",
        "chat.ask('And?').result()",
        "chat.close()\nchat",
    ]
    one, two, _, closed = run_notebook(cells, kernel=kernel).cells

    text = "You Why? Assistant So. You And? Assistant So."
    assert [shown(one), shown(two)] == [text, text]
    assert len(one.outputs) == 2
    assert transcripts(closed) == []
    assert output_text(closed) == "Chat(script, 4 messages, closed)"


def test_an_answer_that_is_not_complete_says_so() -> None:
    cells = [
        """
from kernelchat import Chat
import asyncio
async def model(messages):
    yield "So far"
    await asyncio.sleep(3600)
chat = Chat(model)
chat""",
        "next(iter(chat.ask('Why?')))",
    ]
    running = run_notebook(cells)
    assert shown(running.cells[0]) == "You Why? Assistant So far Still being written."
    stopped = run_notebook([*cells, "chat.close()"])
    assert shown(stopped.cells[0]) == "You Why? Assistant So far Stopped."


def test_a_long_talk_leaves_a_notebook_small() -> None:
    cells = [
        "from kernelchat import Chat\nchat = Chat(lambda messages: 'So.\\n\\n' * 30_000)\nchat",
        "for n in range(12): chat.ask(f'Question {n}?').result()",
    ]
    (html,) = transcripts(run_notebook(cells).cells[0])
    assert len(html) < 2_000_000
    found = SafeHtml(html).text
    assert "Question 11?" in found
    assert "Question 0?" not in found


def test_no_token_is_saved_with_the_notebook_or_its_widgets() -> None:
    cells = [
        CHAT.format("So.") + "chat",
        "chat.ask('Why?').result()",
        "import json\nprint(json.dumps([chat.endpoint.token, chat._runtime.registry.token]))",
    ]
    ran = run_notebook(cells)
    secrets: list[str] = json.loads(output_text(ran.cells.pop()))

    text = nbformat.writes(ran)
    state = ran.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert any("session_id" in widget["state"] for widget in state.values())
    assert len(secrets) == 2
    assert not any(secret in text for secret in secrets)


@pytest.mark.parametrize(("form", "suffix"), [("html", ".html"), ("markdown", ".md")])
def test_nbconvert_shows_the_talk(tmp_path: Path, form: str, suffix: str) -> None:
    path = tmp_path / "report.ipynb"
    cells = [CHAT.format(HOSTILE) + "chat", "chat.ask('Is it so?').result()"]
    nbformat.write(run_notebook(cells), path)

    command = [sys.executable, "-m", "nbconvert", "--to", form, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    text = path.with_suffix(suffix).read_text("utf-8")
    assert text.count('<div class="kernelchat-transcript') == 1
    assert "Is it so?" in text
    talk = text[text.index('<div class="kernelchat-transcript') :]
    talk = talk[: talk.index("</div>\n</div>") + len("</div>\n</div>")]
    assert "It is <b onclick" in SafeHtml(talk).text


@pytest.mark.parametrize("kernel", KERNELS)
def test_callbacks_and_transcripts_move_no_output_of_the_running_cell(kernel: str) -> None:
    cells = [
        CHAT.format("So.") + "chat",
        "import threading\nseen = threading.Event()\n@chat.on_done\n"
        "def note(message): print('called'); seen.set()",
        "chat.ask('Why?').result(); seen.wait(60)\ndisplay('shown')\nprint('printed')\n'result'",
    ]
    ran = run_notebook(cells, kernel=kernel)
    outputs: list[Any] = ran.cells[2].outputs
    found = [output.get("text") or output["data"]["text/plain"] for output in outputs]
    assert found == ["'shown'", "printed\n", "'result'"]
