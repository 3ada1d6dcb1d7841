from __future__ import annotations

import re
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from kernelchat.message import Message, MessageStatus
from kernelchat.transcript import (
    NOTEBOOK_LIMIT,
    message_html,
    title_of,
    to_html,
    to_markdown,
    to_page,
    transcript_class,
)
from tools.safehtml import SafeHtml

SECRET = "<script>alert(1)</script>\u202e[x](javascript:alert(1))"


def asked(text: str) -> Message:
    return Message("q", "user", text)


def answer(text: str, status: MessageStatus = "done", **fields: Any) -> Message:
    return Message("a", "assistant", text, "q", status, **fields)


TALK = [asked("What is *this*?\n  <b>"), answer("A **test**.")]


def test_the_talk_is_one_piece_of_html_under_a_class_of_its_own() -> None:
    html = to_html(TALK, "s1")
    name = "kernelchat-transcript-" + sha256(b"s1").hexdigest()[:16]
    assert transcript_class("s1") == name
    assert html.startswith(f'<div class="kernelchat-transcript {name}"><div ')
    found = SafeHtml(html)
    # A question is no Markdown; an answer is.
    assert found.text.split("\n") == [
        "You",
        "What is *this*?",
        "  <b>",
        "Assistant",
        "A test.",
        "",
        "",
    ]
    assert "<strong>test</strong>" in html


def test_an_empty_talk_shows_nothing() -> None:
    found = SafeHtml(to_html([], "s1"))
    assert (found.text, found.tags) == ("", ["div"])
    assert to_markdown([]) == ""


@pytest.mark.parametrize("lang", ["en", "zh", "auto"])
@pytest.mark.parametrize(
    ("message", "en", "zh"),
    [
        (answer("so far", "stopped", finish_reason="stopped"), "Stopped.", "已停止。"),
        (answer("so far", "streaming"), "Still being written.", "仍在生成。"),
        (answer("so far", finish_reason="length"), "Cut off at the length limit.", "被截断。"),
        (
            answer("so far", "failed", error={"kind": "server", "message": "It <b>broke</b>."}),
            "Failed: It <b>broke</b>.",
            "失败：It <b>broke</b>.",
        ),
    ],
    ids=["stopped", "streaming", "cut", "failed"],
)
def test_how_an_answer_ended_is_said(message: Message, en: str, zh: str, lang: str) -> None:
    mark = zh if lang == "zh" else en
    shown = SafeHtml(message_html(message, lang)).text
    assert "so far" in shown
    assert shown.strip().endswith(mark)
    assert ("助手" in shown) == (lang == "zh")
    written = to_markdown([message], lang=lang)
    assert mark.split("<")[0] in written
    assert "<b>" not in written


def test_an_answer_that_ended_well_says_nothing_of_it() -> None:
    assert (
        SafeHtml(message_html(answer("All.", finish_reason="stop"))).text == "Assistant\nAll.\n\n"
    )


def test_thoughts_fold_and_are_text() -> None:
    html = message_html(answer("Yes.", reasoning=f"**Hm.** {SECRET}"))
    found = SafeHtml(html)
    assert "<details><summary>Thoughts</summary>" in html
    assert "**Hm.** <script>" in found.text


@given(
    st.lists(
        st.builds(
            Message,
            id=st.just("m"),
            role=st.sampled_from(["user", "assistant", "system"]),
            text=st.sampled_from([SECRET, "```\n", "|a|\n|-|\n", "</div>", "![x](http://a.b/c)"]),
            status=st.sampled_from(["done", "stopped", "failed", "streaming"]),
            reasoning=st.sampled_from(["", SECRET]),
            error=st.sampled_from([None, {"message": SECRET}]),
            finish_reason=st.sampled_from([None, "length", SECRET]),
        )
    )
)
def test_no_field_of_a_message_gets_out_of_its_place(messages: list[Message]) -> None:
    SafeHtml(to_html(messages, SECRET, "en"))


def test_a_long_talk_shows_its_end() -> None:
    talk = [Message(str(n), "user", f"question {n} " + "x" * 1000) for n in range(2000)]
    html = to_html(talk, "s1", limit=NOTEBOOK_LIMIT)
    shown = SafeHtml(html).text
    assert len(html) < NOTEBOOK_LIMIT + 2000
    assert "question 1999 " in shown
    assert "question 0 " not in shown
    assert shown.startswith("Earlier messages are left out here")
    assert "question 0 " in SafeHtml(to_html(talk, "s1")).text


def test_the_last_message_is_shown_however_long() -> None:
    html = message_html(asked("&" * 1_000_000), room=1000)
    assert SafeHtml(html).text.count("&") == 1000
    assert "&amp;…</p>" in html
    assert "&amp;" in to_html([asked("x"), answer("&" * 1000)], "s1", limit=10)


# Markdown


def test_markdown_is_what_was_said() -> None:
    assert to_markdown([*TALK, answer("B", "stopped")], "A [title]") == (
        "# A \\[title\\]\n\n## You\n\nWhat is *this*?\n  <b>\n\n## Assistant\n\nA **test**.\n\n"
        "## Assistant\n\nB\n\n*Stopped.*\n"
    )
    assert to_markdown([asked("a\u202eb")]) == "## You\n\nab\n"


@pytest.mark.parametrize(
    "text",
    [
        "```python\nx = 1",
        "~~~\nx\n```",
        "````\n```\n",
        "```\na\n```\nb\n   ```js\nc",
        "```\na\n``` not an end",
        "whole\n```\na\n```\nend",
        "``` inline ``` not a fence",
    ],
)
def test_code_that_was_cut_does_not_take_what_follows(text: str) -> None:
    tokens = MarkdownIt().parse(to_markdown([answer(text), asked("next")]))
    titles = [
        tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"
    ]
    assert titles == ["Assistant", "You"]
    assert "next" in [token.content for token in tokens if token.type == "inline"]


def test_a_title_is_one_short_line() -> None:
    assert title_of([], "") == "Chat"
    assert title_of([], "", "zh") == "对话"
    assert title_of(TALK, "") == "What is *this*? <b>"
    assert title_of(TALK, "My\ntalk") == "My talk"
    assert title_of([asked("x" * 99)]) == "x" * 59 + "…"


# the page


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_is_one_file_without_script_that_loads_nothing() -> None:
    talk = [asked(SECRET), answer("![x](https://example.com/a.png) {} {body}")]
    html = to_page(talk, "s1", SECRET)
    page = Page(html)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "svg", "base", "object"}
    for _, attributes in page.tags:
        assert not any(name.startswith("on") or name == "src" for name in attributes)
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    assert {"http-equiv": "Content-Security-Policy", "content": policy} in [a for _, a in page.tags]
    assert "url(" not in html
    assert "@import" not in html
    assert "prefers-color-scheme: dark" in html
    assert "{} {body}" in html
    assert "&lt;script&gt;" in re.findall("<title>(.*)</title>", html)[0]
    assert '<html lang="zh">' in to_page(talk, "s1", "t", "zh")
    begin, end = html.index('<div class="kernelchat'), html.index("</body>")
    SafeHtml(html[begin:end])
