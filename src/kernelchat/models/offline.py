"""The assistant that answers where no model is connected: it looks things up in the handbook."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence

from ..errors import ChatError
from .base import BuiltinModel, ModelMessage
from .bridge import on_thread
from .handbook import Entry, Language, handbook
from .pace import paced
from .search import NEAR, Search, fields

RATE = 45.0
"""Tokens per second."""

_SUGGESTED = (
    ("openai", "stop", "callbacks"),
    ("functions", "busy", "result"),
    ("local", "theme", "saving"),
)
_WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "source": "From the handbook: *{title}*",
        "also": "See also: {titles}",
        "separator": ", ",
        "no_model": "No model is connected.",
        "connect": (
            "No model is connected, so the built-in handbook answers. To connect one, set "
            "`OPENAI_API_KEY`, or name a model and its address: "
            '`Chat("qwen3", base_url="http://127.0.0.1:11434/v1")`.'
        ),
        "unknown": "I do not know that: the handbook of kernelchat has nothing on it.",
        "suggest": "You could ask me about:",
    },
    "zh": {
        "source": "出自手册：*{title}*",
        "also": "另见：{titles}",
        "separator": "、",
        "no_model": "未连接模型。",
        "connect": (
            "目前没有连接模型，由内置手册作答。要连接模型，请设置 `OPENAI_API_KEY`，"
            "或写出模型名和地址："
            '`Chat("qwen3", base_url="http://127.0.0.1:11434/v1")`。'
        ),
        "unknown": "这个我不知道：kernelchat 的手册里没有相关内容。",
        "suggest": "你可以问我：",
    },
}


class OfflineModel(BuiltinModel):
    """Answers from the handbook, in the language of the question, and says so."""

    label = "handbook, no model"
    connected = False

    def __init__(self) -> None:
        self._search: Search | None = None

    async def warm(self) -> None:
        """Reads the handbook on a thread and builds the index on this one.

        Raises:
            ChatError: kind `model`; this Python's SQLite has no full-text search.
        """
        if self._search is None:
            await on_thread(fields)
            self._index()

    async def aclose(self) -> None:
        """Lets go of the index; a later `stream` builds it again."""
        search, self._search = self._search, None
        if search is not None:
            search.close()

    async def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[str]:
        """The entry that fits the last question best, piece by piece.

        Raises:
            ChatError: kind `model`; this Python's SQLite has no full-text search.
        """
        await self.warm()
        async for token in paced(self._answer(messages), RATE):
            yield token

    def _answer(self, messages: Sequence[ModelMessage]) -> str:
        questions = [str(m["content"]) for m in messages if m["role"] == "user"]
        question = questions[-1] if questions else ""
        language: Language = "zh" if re.search(r"[\u3400-\u9fff]", question) else "en"
        first = not any(message["role"] == "assistant" for message in messages)
        search = self._index()
        found = search.find(question)
        if not found:
            return _unknown(search.find(question, NEAR), language, len(questions))
        return _known(found, language, first=first)

    def _index(self) -> Search:
        if self._search is None:
            try:
                self._search = Search()
            except sqlite3.OperationalError as error:
                raise ChatError(
                    "model",
                    "The handbook cannot be searched, since this Python's SQLite was built without "
                    "FTS5: connect a model instead.",
                    retryable=False,
                ) from error
        return self._search


def _known(found: Sequence[Entry], language: Language, *, first: bool) -> str:
    say = _WORDS[language]
    entry, others = found[0], found[1:3]
    lines = [say["source"].format(title=entry.titles[language])]
    if others:
        titles = say["separator"].join(f"*{other.titles[language]}*" for other in others)
        lines.append(say["also"].format(titles=titles))
    if not first:
        lines.append(say["no_model"])
    parts = [entry.texts[language], "---", " · ".join(lines)]
    return "\n\n".join([*parts, say["connect"]] if first else parts)


def _unknown(near: Sequence[Entry], language: Language, turn: int) -> str:
    say = _WORDS[language]
    titles = {entry.id: entry.titles[language] for entry in handbook()}
    ids = [*(entry.id for entry in near), *_SUGGESTED[turn % len(_SUGGESTED)]]
    listed = "\n".join(f"- {titles[id_]}" for id_ in list(dict.fromkeys(ids))[:3])
    return "\n\n".join([say["unknown"], say["suggest"], listed, say["connect"]])
