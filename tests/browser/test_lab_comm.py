"""The chat with HTTP switched off: all goes over Jupyter's own connection to the kernel."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.chatview import LONG, SHORT, assert_grew, chat_cell, open_chat
from browser.lab import LabPage
from tools.kernels import KERNELS

pytestmark = pytest.mark.usefixtures("static_files")


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_chat_streams_and_stops_over_the_comm(lab: LabPage, kernel: str) -> None:
    requests: list[str] = []
    lab.page.on("request", lambda request: requests.append(request.url))
    cell = chat_cell(SHORT, LONG, transport="comm")
    view = open_chat(lab, cell, kernel=kernel, transport="comm")
    view.watch()

    view.ask("count")
    view.wait_for_answer(0, SHORT)
    assert_grew(view.seen_texts(), SHORT)

    view.ask("count far")
    view.wait_for_growth(1)
    view.stop_button.click()
    view.wait_for_status(1, "stopped")
    kept = lab.evaluate_in_kernel("[chat.messages[-1].status, chat.messages[-1].text]")
    assert kept == ["stopped", view.answer_text(1)]
    expect(view.root).to_contain_text("via kernel")
    # (anywidget loads the module from a blob: of the page.)
    own = (lab.server.url, "blob:")
    assert [url for url in requests if not url.startswith(own)] == []


def test_a_stop_that_waits_for_the_running_cell_says_so(lab: LabPage) -> None:
    view = open_chat(
        lab,
        chat_cell(LONG, transport="comm"),
        "import time\ntime.sleep(600)",
        kernel="ipykernel6",
        transport="comm",
    )
    view.ask("count far")
    view.wait_for_growth(0)
    lab.start_cell(1)
    lab.wait_until_busy()

    view.wait_for_growth(0)
    view.stop_button.click()

    expect(view.root).to_contain_text("waits for the running cell")
    lab.server.interrupt()
    view.wait_for_status(0, "stopped")
    expect(view.root).not_to_contain_text("waits for the running cell")


def test_a_page_reloaded_in_an_answer_shows_all_of_it_over_the_comm(lab: LabPage) -> None:
    long = " ".join([SHORT] * 15)
    view = open_chat(lab, chat_cell(long, transport="comm"), transport="comm")
    view.ask("count")
    before = view.wait_for_growth(0)

    lab.reload()

    assert view.wait_for_growth(0, steps=1).startswith(before)
    view.wait_for_answer(0, long)
