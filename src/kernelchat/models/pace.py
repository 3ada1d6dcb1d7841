"""Text in pieces of the size that models send, at a fixed pace."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import AsyncIterator, Iterator

# Ideographs and kana come one or two at a time; anything else as a word with the space before it.
_CJK = (
    "\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
    "\U00020000-\U0003ffff"
)
_PIECE = re.compile(rf"[{_CJK}]{{1,2}}|\s{{0,16}}[^\s{_CJK}]{{1,12}}|\s{{1,16}}")

_ZWJ = "\u200d"
_VIRAMA = 9  # canonical combining class: the next consonant belongs to this cluster


def tokens(text: str) -> Iterator[str]:
    """`text` in pieces of about a word, or one or two Chinese characters.

    Joined they are `text`; none ends inside what a reader sees as one character.
    """
    piece = ""
    for match in _PIECE.finditer(text):
        following = match.group()
        if piece and not _joined(piece, following):
            yield piece
            piece = following
        else:
            piece += following
    if piece:
        yield piece


def _joined(before: str, after: str) -> bool:
    """Whether a cut between the two would split one visible character."""
    last, first = before[-1], after[0]
    if last == _ZWJ or (last == "\r" and first == "\n"):
        return True
    if first == _ZWJ or first == "\u200c" or unicodedata.category(first)[0] == "M":
        return True
    if "\U0001f3fb" <= first <= "\U0001f3ff" or "\U000e0020" <= first <= "\U000e007f":
        return True  # skin tones; the letters inside a flag such as Scotland's
    if unicodedata.combining(last) == _VIRAMA and unicodedata.category(first)[0] == "L":
        return True
    if _is_regional(first):
        return _trailing_regionals(before) % 2 == 1
    return "\u1100" <= last <= "\ud7ff" and "\u1160" <= first <= "\u11ff"  # Hangul by its letters


def _is_regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _trailing_regionals(text: str) -> int:
    count = 0
    for char in reversed(text):
        if not _is_regional(char):
            break
        count += 1
    return count


async def paced(text: str, rate: float) -> AsyncIterator[str]:
    """The tokens of `text`, `rate` of them per second, the first at once.

    The pace holds on average: what came late (the loop was busy) is caught up.
    """
    loop = asyncio.get_running_loop()
    start = loop.time()
    for index, token in enumerate(tokens(text)):
        await asyncio.sleep(max(0.0, start + index / rate - loop.time()))
        yield token
