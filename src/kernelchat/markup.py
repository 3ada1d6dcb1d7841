"""Markdown from a model as HTML that is safe to save in a notebook or a file.

What comes out consists of the elements and attributes written in this module and of escaped text,
whatever goes in: raw HTML is text, links lead to http, https or mail addresses and name their host,
an image is a labelled box with a link. Characters nobody sees are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from .visible import visible_text

MAX_MARKDOWN = 1 << 18
"""Characters. Longer texts are shown as they stand: parsing them would hold up the kernel."""
MAX_NESTING = 20
MAX_CELLS = 1 << 17
MAX_GROWTH = 24
"""How many times its length a text may grow. A reference to a long address is used in four."""

PLAIN = '<p style="white-space: pre-wrap">'
LINE = "1px solid rgba(128, 128, 128, 0.5)"
IMAGE = f'<span style="border: {LINE}; border-radius: 4px; padding: 0 4px">'
CODE = f'<pre style="border: {LINE}; border-radius: 4px; margin: 8px 0; padding: 8px"><code>'

_SPACE = 1 << 14
_TAGS = {
    "blockquote": "blockquote",
    "bullet_list": "ul",
    "em": "em",
    "list_item": "li",
    "paragraph": "p",
    "s": "del",
    "strong": "strong",
    "table": "table",
    "tbody": "tbody",
    "thead": "thead",
    "tr": "tr",
}
_CELLS = {"td", "th"}
_ALIGN = re.compile(r"text-align:(left|center|right)")
_DEEP = re.compile(r"(?m)^(?:[ \t]*(?:>|[-+*][ \t]|\d{1,9}[.)][ \t])){20}")
_WEB = re.compile(r"(?i)https?://(?P<host>[a-z0-9._~-]+(?::\d{1,5})?)(?:[/?#][!-~]*)?")
_MAIL = re.compile(r"(?i)mailto:(?P<host>[^\s@?/%]+@[a-z0-9.-]+)(?:\?[!-~]*)?")
_MAX_URL = 2048


class _TooLongError(Exception):
    pass


def markdown_html(text: str, image: str = "Image") -> str:
    """`text` as HTML; what is too long or too deep for that as it stands.

    Args:
        text: Markdown, as a model sent it.
        image: what to call an image.
    """
    text = visible_text(text)
    if len(text) > MAX_MARKDOWN or _DEEP.search(text) or _cells(text) > MAX_CELLS:
        return plain_html(text)
    tokens = _parser().parse(text)
    # The parser drops what is nested deeper.
    if any(token.level >= MAX_NESTING - 1 for token in tokens):
        return plain_html(text)
    writer = _Writer(MAX_GROWTH * len(text) + _SPACE, image)
    try:
        writer.blocks(tokens)
    except _TooLongError:
        return plain_html(text)
    return "".join(writer.parts)


def plain_html(text: str) -> str:
    """`text` as it stands."""
    return f"{PLAIN}{_text(text)}</p>"


def _cells(text: str) -> int:
    """At most so many cells has a table in it: short rows are filled up to the widest one."""
    lines = text.split("\n")
    return len(lines) * max(line.count("|") for line in lines)


@cache
def _parser() -> MarkdownIt:
    options = {"html": False, "linkify": False, "typographer": False, "maxNesting": MAX_NESTING}
    return MarkdownIt("commonmark", options).enable(["table", "strikethrough"])


def _text(text: str) -> str:
    # Again, since `&#x202e;` has become a character by now.
    return escape(visible_text(text))


class _Writer:
    """Writes the parser's tokens; what it does not know comes out as text."""

    def __init__(self, room: int, image: str) -> None:
        self.parts: list[str] = []
        self._room = room
        self._image = image

    def blocks(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            kind = token.type.removesuffix("_open").removesuffix("_close")
            if token.type == "inline":
                self._inline(token.children or [])
            elif token.type in {"fence", "code_block"}:
                self._put(f"{CODE}{_text(token.content)}</code></pre>\n")
            elif token.type == "hr":
                self._put("<hr>\n")
            elif kind == "heading":
                # No h1 to h6: hosts list those as the notebook's own.
                level = token.tag[1:]
                self._put(
                    f'<p role="heading" aria-level="{level}"><strong>'
                    if token.nesting == 1
                    else "</strong></p>\n"
                )
            elif kind == "ordered_list":
                self._tag("ol", token, _start(token))
            elif kind in _CELLS:
                self._tag(kind, token, _align(token))
            elif kind in _TAGS:
                if not token.hidden:
                    self._tag(_TAGS[kind], token)
                elif token.nesting == -1:
                    self._put("\n")
            else:
                self._put(_text(token.content))

    def _inline(self, tokens: Sequence[Token]) -> None:
        # The links that are open: what to write where they end.
        ends: list[str] = []
        for at, token in enumerate(tokens):
            kind = token.type.removesuffix("_open").removesuffix("_close")
            if token.type == "link_open":
                ends.append(self._link(tokens, at))
            elif token.type == "link_close":
                self._put(ends.pop())
            elif token.type == "image":
                self._put(self._box(token, linked=bool(ends)))
            elif token.type == "code_inline":
                self._put(f"<code>{_text(token.content)}</code>")
            elif token.type == "hardbreak":
                self._put("<br>\n")
            elif token.type == "softbreak":
                self._put("\n")
            elif kind in _TAGS:
                self._tag(_TAGS[kind], token)
            else:
                self._put(_text(token.content))

    def _link(self, tokens: Sequence[Token], at: int) -> str:
        """Begins the link; returns what ends it."""
        found = _address(str(tokens[at].attrs.get("href", "")))
        if found is None:
            return ""
        url, host = found
        self._put(_anchor(url))
        shown = re.sub(r"(?i)^(https?://|mailto:)", "", _shown(tokens, at + 1).strip()).lower()
        named = shown.startswith(host) and re.fullmatch(r"[/?#].*|", shown[len(host) :], re.DOTALL)
        return "</a>" if named else f"</a> ({escape(host)})"

    def _box(self, token: Token, *, linked: bool) -> str:
        label = " ".join(f"{self._image}: {token.content}".rstrip(": ").split())
        found = _address(str(token.attrs.get("src", "")))
        if found is None or not _WEB.fullmatch(found[0]):
            return f"{IMAGE}{_text(label)}</span>"
        url, host = found
        where = escape(host) if linked else f"{_anchor(url)}{escape(host)}</a>"
        return f"{IMAGE}{_text(label)} ({where})</span>"

    def _tag(self, name: str, token: Token, attributes: str = "") -> None:
        line = "\n" if token.block else ""
        self._put(f"<{name}{attributes}>" if token.nesting == 1 else f"</{name}>{line}")

    def _put(self, html: str) -> None:
        self._room -= len(html)
        if self._room < 0:
            raise _TooLongError
        self.parts.append(html)


def _address(url: str) -> tuple[str, str] | None:
    """The address and the host in it, in ASCII so that look-alikes show; None for any other."""
    if len(url) > _MAX_URL:
        return None
    found = _WEB.fullmatch(url) or _MAIL.fullmatch(url)
    return (url, found["host"].lower()) if found else None


def _anchor(url: str) -> str:
    return f'<a href="{escape(url)}" rel="noopener noreferrer">'


def _shown(tokens: Sequence[Token], at: int) -> str:
    """The text of the link whose inside begins there; links do not nest."""
    parts = []
    while tokens[at].type != "link_close":
        parts.append(tokens[at].content)
        at += 1
    return visible_text("".join(parts))


def _start(token: Token) -> str:
    start: Any = token.attrs.get("start", 1)
    return f' start="{int(start)}"' if token.nesting == 1 and start != 1 else ""


def _align(token: Token) -> str:
    found = _ALIGN.fullmatch(str(token.attrs.get("style", "")))
    return f' align="{found[1]}"' if found else ""
