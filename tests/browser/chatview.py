"""A chat as a reader of the page sees it, in a notebook cell or on a page of its own."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from playwright.sync_api import Locator, expect

from browser.lab import LabPage

SECONDS = 60_000
"""Playwright counts in milliseconds. Long: the machine may be busy, and a failure takes it once."""

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
SHORT = " ".join(WORDS * 4)
LONG = " ".join(f"{word}{number}" for number in range(400) for word in WORDS)

WATCH = """(root) => {
  const seen = [];
  const look = () => {
    const answers = root.querySelectorAll('[data-role="assistant"] .kernelchat-content');
    const text = [...answers].at(-1)?.textContent ?? "";
    if (text !== "" && text !== seen.at(-1)) seen.push(text);
  };
  new MutationObserver(look).observe(root, {
    subtree: true, childList: true, characterData: true,
  });
  root.seenTexts = seen;
}"""


@dataclass(frozen=True)
class ChatView:
    """One drawn chat.

    Args:
        root: finds the element with the class `kernelchat`.
    """

    root: Locator

    def wait_for_transport(self, name: str) -> None:
        expect(self.root).to_have_attribute("data-transport", name, timeout=SECONDS)

    @property
    def box(self) -> Locator:
        return self.root.locator("textarea")

    @property
    def stop_button(self) -> Locator:
        return self.root.get_by_role("button", name="Stop")

    @property
    def questions(self) -> Locator:
        return self.root.locator("[data-role=user] .kernelchat-content")

    @property
    def answers(self) -> Locator:
        return self.root.locator("[data-role=assistant]")

    def ask(self, text: str) -> None:
        """Types a question and presses Enter."""
        self.box.fill(text)
        self.box.press("Enter")

    def answer_text(self, index: int = -1) -> str:
        """The text of an answer as it stands on the page now."""
        return self.answers.nth(index).locator(".kernelchat-content").inner_text()

    def wait_for_answer(self, index: int, text: str) -> None:
        """Waits until an answer ended by itself and reads exactly so."""
        self.wait_for_status(index, "done")
        expect(self.answers.nth(index).locator(".kernelchat-content")).to_have_text(text)

    def wait_for_status(self, index: int, status: str) -> None:
        expect(self.answers.nth(index)).to_have_attribute("data-status", status, timeout=SECONDS)

    def wait_for_growth(self, index: int, steps: int = 3) -> str:
        """Waits until an answer has grown so many times; what stands there then."""
        text = ""
        for _ in range(steps):
            self.answers.nth(index).page.wait_for_function(
                "([element, length]) => element.textContent.length > length",
                arg=[
                    self.answers.nth(index).locator(".kernelchat-content").element_handle(),
                    len(text),
                ],
                timeout=SECONDS,
            )
            text = self.answer_text(index)
        return text

    def watch(self) -> None:
        """From now on remembers each text that the last answer went through."""
        self.root.evaluate(WATCH)

    def seen_texts(self) -> list[str]:
        texts: list[str] = self.root.evaluate("(root) => root.seenTexts")
        return texts


def chat_cell(*answers: str, **keywords: object) -> str:
    """A cell that shows a chat which plays these answers."""
    more = "".join(f", {name}={value!r}" for name, value in keywords.items())
    return f"from kernelchat import Chat\nchat = Chat(script={list(answers)!r}{more})\nchat"


def shown(lab: LabPage, index: int) -> ChatView:
    """The chat in the output of a cell."""
    return ChatView(lab.output(index).locator(".kernelchat"))


def open_chat(
    lab: LabPage, *cells: str, kernel: str = "python3", transport: str = "direct"
) -> ChatView:
    """Opens these cells, runs the first, and waits until its chat has found its way."""
    lab.open(cells, kernel=kernel)
    lab.run_cell(0)
    view = shown(lab, 0)
    view.wait_for_transport(transport)
    return view


def assert_grew(seen: list[str], text: str) -> None:
    """The answer came piece by piece, each time with what was there before."""
    assert len(seen) >= 8
    assert seen[-1] == text
    for before, after in itertools.pairwise(seen):
        assert after.startswith(before)
