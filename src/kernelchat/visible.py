"""Without characters that change what a reader sees, or carry text nobody sees, unmarked.

Bidi controls reorder code, zero-width and tag characters smuggle instructions. The rules are those
of `js/src/markdown/invisible.ts`.
"""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = re.compile(
    "["
    "\u0000-\u0008\u000b-\u001f\u007f-\u009f"  # controls, but for tab and line feed
    "\u00ad\u034f\u180b-\u180f\u200b\u2060-\u206f\ufeff\ufff0-\ufffb"  # of no width
    "\u061c\u200e\u200f\u202a-\u202e"  # bidi
    "\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # blank letters
    "\ufe00-\ufe0d\U000e0000-\U000e0fff"  # selectors without emoji, tags
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # shorthand and music format
    "]"
)
_ZWJ, _EMOJI_STYLE = "\u200d", "\ufe0f"
_JOINERS = "\u200c\u200d\ufe0e\ufe0f"
_JOINER = re.compile(f"[{_JOINERS}]")
_EMOJI_PUNCTUATION = "#*‼⁉〰"
_JOIN_NOTHING = ("LATIN", "CJK", "IDEOGRAPHIC", "FULLWIDTH LATIN")


def visible_text(text: str) -> str:
    """`text` with LF line ends and without characters that deceive."""
    text = re.sub(r"\r\n?", "\n", text)
    return _JOINER.sub(_joiner, _INVISIBLE.sub("", text))


def _joiner(match: re.Match[str]) -> str:
    # It means something after one letter, mark or emoji; in Latin or Han never.
    text, at = match.string, match.start()
    if at == 0:
        return ""
    before = text[at - 1]
    if before in _JOINERS:
        # In an emoji sequence the joiner comes after the selector.
        emoji = at > 1 and _is_emoji(text[at - 2])
        kept = match[0] == _ZWJ and before == _EMOJI_STYLE and emoji
    else:
        kept = _is_emoji(before) or _joins(before)
    return match[0] if kept else ""


def _joins(character: str) -> bool:
    kind = unicodedata.category(character)[0]
    return kind in "LMN" and not unicodedata.name(character, "").startswith(_JOIN_NOTHING)


def _is_emoji(character: str) -> bool:
    return unicodedata.category(character)[0] in "SN" or character in _EMOJI_PUNCTUATION
