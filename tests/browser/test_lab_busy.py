"""A cell that runs does not stop the chat: it takes a question, streams, and stops."""

from __future__ import annotations

import pytest

from browser.chatview import LONG, SHORT, chat_cell, open_chat
from browser.lab import LabPage
from tools.kernels import KERNELS

pytestmark = pytest.mark.usefixtures("static_files")

# Each runs until it is interrupted; what the tests do meanwhile takes a fraction of that.
SLEEPS = "import time\ntime.sleep(600)"
COMPUTES = "number = 0\nwhile True:\n    number += 1"


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("busy", [SLEEPS, COMPUTES], ids=["sleeps", "computes"])
def test_a_chat_goes_on_beside_a_running_cell(lab: LabPage, kernel: str, busy: str) -> None:
    view = open_chat(lab, chat_cell(SHORT, LONG), busy, "2 + 2", kernel=kernel)
    lab.start_cell(1)
    lab.wait_until_busy()

    view.ask("count")
    view.wait_for_answer(0, SHORT)
    view.ask("count far")
    view.wait_for_growth(1)
    view.stop_button.click()
    view.wait_for_status(1, "stopped")

    assert lab.server.busy()
    lab.server.interrupt()
    lab.wait_for_kernel()
    lab.run_cell(2)
    assert lab.output_text(2) == "4"
    statuses = lab.evaluate_in_kernel("[message.status for message in chat.messages]")
    assert statuses == ["done", "done", "done", "stopped"]


def test_an_answer_that_runs_when_a_cell_starts_goes_on(lab: LabPage) -> None:
    view = open_chat(lab, chat_cell(LONG), SLEEPS)
    view.ask("count far")
    view.wait_for_growth(0)

    lab.start_cell(1)
    lab.wait_until_busy()

    view.wait_for_growth(0, steps=10)
    assert lab.server.busy()
    lab.server.interrupt()
