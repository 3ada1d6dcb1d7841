"""What HTML made from a model's text may consist of, checked by a parser that is not ours."""

from __future__ import annotations

import re
from html.parser import HTMLParser

CONTENT = {
    *("a", "blockquote", "br", "code", "del", "em", "hr", "li", "ol", "p", "pre", "span"),
    *("strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
AROUND = {"div", "details", "summary"}
VOID = {"br", "hr"}
LINE = "1px solid rgba(128, 128, 128, 0.5)"
ATTRIBUTES = {
    # No user, no escape, no backslash before the host: each makes another host look like this one.
    (
        "a",
        "href",
    ): r"(https?://[\w.-]+(:\d+)?|mailto:[\w.+-]+@[\w.-]+)([/?#][!-~]*)?",
    ("a", "rel"): "noopener noreferrer",
    ("div", "class"): r"kernelchat-transcript kernelchat-transcript-[0-9a-f]{16}",
    ("div", "style"): r"border-left: 3px solid rgba\(128, 128, 128, 0\.5\); margin: 0 0 16px; "
    r"max-width: 760px; padding-left: 12px",
    ("ol", "start"): r"\d{1,9}",
    ("p", "aria-level"): "[1-6]",
    ("p", "role"): "heading",
    ("p", "style"): "white-space: pre-wrap",
    ("pre", "style"): re.escape(f"border: {LINE}; border-radius: 4px; margin: 8px 0; padding: 8px"),
    ("span", "style"): re.escape(f"border: {LINE}; border-radius: 4px; padding: 0 4px"),
    ("td", "align"): "left|center|right",
    ("th", "align"): "left|center|right",
}
UNSEEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
)


class SafeHtml(HTMLParser):
    """Parses HTML and asserts that it holds nothing but what is allowed, nested as it should be.

    Attributes:
        text: what a reader sees.
        tags: the elements, in order.
        links: the addresses of the links, in order.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.tags: list[str] = []
        self.links: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []
        assert not UNSEEN.search(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in CONTENT | AROUND, tag
        for name, value in attrs:
            assert (tag, name) in ATTRIBUTES, (tag, name)
            assert re.fullmatch(ATTRIBUTES[tag, name], value or ""), (tag, name, value)
        if tag == "a":
            found = dict(attrs)
            assert set(found) == {"href", "rel"}
            self.links.append(str(found["href"]))
            assert "a" not in self._open
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise AssertionError(f"<{tag}/>")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a section: {data}")
