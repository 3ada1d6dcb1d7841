"""A talk as text that outlives the kernel: Markdown, JSON and HTML. Pure.

The HTML is what a saved notebook shows and what an export holds. It has no script and needs nothing
from elsewhere; its few inline styles are those that JupyterLab lets through in a notebook it does
not trust.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from html import escape

from .message import Message
from .visible import visible_text

TITLE_LENGTH = 60
NOTEBOOK_LIMIT = 1 << 19
"""Characters of HTML. A notebook is saved again and again; a longer talk shows its end there."""

ARTICLE = (
    '<div style="border-left: 3px solid rgba(128, 128, 128, 0.5); margin: 0 0 16px;'
    ' max-width: 760px; padding-left: 12px">'
)

_WORDS = {
    "en": {
        "user": "You",
        "assistant": "Assistant",
        "system": "System",
        "stopped": "Stopped.",
        "failed": "Failed: {}",
        "streaming": "Still being written.",
        "length": "Cut off at the length limit.",
        "thought": "Thoughts",
        "image": "Image",
        "earlier": 'Earlier messages are left out here: chat.export("talk.html") writes all.',
        "title": "Chat",
    },
    "zh": {
        "user": "我",
        "assistant": "助手",
        "system": "系统",
        "stopped": "已停止。",
        "failed": "失败：{}",
        "streaming": "仍在生成。",
        "length": "已达长度上限，回答被截断。",
        "thought": "思考过程",
        "image": "图片",
        "earlier": '此处略去更早的消息：chat.export("talk.html") 可写出全部。',
        "title": "对话",
    },
}

_PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark;
  --text: #1f2328; --page: #fff; --soft: #f2f3f5; --link: #0b57d0 }}
@media (prefers-color-scheme: dark) {{
  :root {{ --text: #e6e6e6; --page: #1b1b1d; --soft: #2a2a2d; --link: #8ab4f8 }}
}}
body {{ margin: 0 auto; padding: 24px 16px; max-width: 800px; overflow-wrap: break-word;
  font: 16px/1.6 system-ui, sans-serif; color: var(--text); background: var(--page) }}
a {{ color: var(--link) }}
code {{ padding: 1px 4px; border-radius: 4px; background: var(--soft); font-size: 0.9em }}
pre {{ padding: 12px; border-radius: 6px; background: var(--soft); overflow-x: auto }}
pre code {{ padding: 0 }}
table {{ display: block; overflow-x: auto; border-collapse: collapse }}
th, td {{ padding: 4px 10px; border: 1px solid gray }}
blockquote {{ margin-left: 0; padding-left: 12px; border-left: 3px solid var(--soft) }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""

_FENCE = re.compile(r"(?m)^ {0,3}(`{3,}|~{3,})([^\n]*)$")


def transcript_class(session_id: str) -> str:
    """The class that only the transcripts of that conversation have."""
    return f"kernelchat-transcript-{sha256(session_id.encode()).hexdigest()[:16]}"


def title_of(messages: Iterable[Message], title: str = "", lang: str = "en") -> str:
    """One line that names the talk: `title`, or else the first question."""
    asked = next((message.text for message in messages if message.role == "user"), "")
    line = " ".join(visible_text(title or asked).split()) or _words(lang)["title"]
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1] + "…"


def to_markdown(messages: Sequence[Message], title: str = "", lang: str = "en") -> str:
    """The talk as Markdown: what was sent, so whatever opens it decides on HTML and images."""
    words = _words(lang)
    parts = [f"# {_escaped(title)}"] if title else []
    for message in messages:
        parts.append(f"## {words[message.role]}")
        if text := visible_text(message.text).rstrip():
            parts.append(_fences_closed(text))
        if mark := _mark(message, lang):
            parts.append(f"*{_escaped(mark)}*")
    return "\n\n".join(parts) + "\n" if parts else ""


def to_html(
    messages: Sequence[Message],
    session_id: str,
    lang: str = "en",
    *,
    limit: int | None = None,
    write: Callable[[Message], str] | None = None,
) -> str:
    """The talk as a piece of HTML; without messages one that shows nothing.

    Args:
        messages: the path to show.
        session_id: names the conversation.
        lang: "en" or "zh"; any other is English.
        limit: characters; earlier messages than fit are left out. The last one always stays.
        write: makes a message's HTML, by default `message_html`.
    """
    articles: list[str] = []
    size = 0
    for message in reversed(messages):
        article = write(message) if write else message_html(message, lang)
        size += len(article)
        if limit is not None and articles and size > limit:
            articles.append(f"<p><em>{_words(lang)['earlier']}</em></p>\n")
            break
        articles.append(article)
    body = "".join(reversed(articles))
    return f'<div class="kernelchat-transcript {transcript_class(session_id)}">{body}</div>'


def message_html(message: Message, lang: str = "en", room: int | None = None) -> str:
    """One message as HTML.

    Args:
        message: the message.
        lang: "en" or "zh"; any other is English.
        room: characters; what of its text is beyond that is left out.
    """
    # Imported here: the parser is needed only once there is something to show.
    from .markup import markdown_html, plain_html

    words = _words(lang)
    parts = [f"{ARTICLE}<p><strong>{words[message.role]}</strong></p>\n"]
    if message.reasoning:
        summary = f"<summary>{words['thought']}</summary>"
        parts.append(f"<details>{summary}{plain_html(_cut(message.reasoning, room))}</details>\n")
    if message.text:
        text, asked = _cut(message.text, room), message.role == "user"
        parts.append(plain_html(text) if asked else markdown_html(text, words["image"]))
    if mark := _mark(message, lang):
        parts.append(f"<p><em>{escape(visible_text(mark))}</em></p>")
    return "".join(parts) + "</div>\n"


def to_page(messages: Sequence[Message], session_id: str, title: str, lang: str = "en") -> str:
    """The talk as one HTML file, light or dark as the reader's system is."""
    return _PAGE.format(
        lang="zh" if lang == "zh" else "en",
        title=escape(title),
        body=to_html(messages, session_id, lang),
    )


def _words(lang: str) -> dict[str, str]:
    return _WORDS.get(lang, _WORDS["en"])


def _cut(text: str, room: int | None) -> str:
    return text if room is None or len(text) <= room else text[:room] + "…"


def _mark(message: Message, lang: str) -> str:
    """What a reader must know of how an answer ended."""
    words = _words(lang)
    if message.status == "failed":
        return words["failed"].format((message.error or {}).get("message", ""))
    if message.finish_reason == "length":
        return words["length"]
    return words.get(message.status, "")


def _escaped(text: str) -> str:
    """`text` as Markdown that shows just that."""
    return re.sub(r"([\\`*_<>\[\]&])", r"\\\1", " ".join(visible_text(text).split()))


def _fences_closed(text: str) -> str:
    """An answer that was cut within code must not take the next message with it."""
    fence = ""
    for match in _FENCE.finditer(text):
        mark, info = match.groups()
        if not fence:
            # Backticks later in the line make it inline code.
            fence = mark if mark[0] == "~" or "`" not in info else ""
        elif mark.startswith(fence) and not info.strip():
            fence = ""
    return f"{text}\n{fence}" if fence else text
