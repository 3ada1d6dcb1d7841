"""What a text is about: stems of words, and pairs of Chinese characters."""

from __future__ import annotations

import re
import unicodedata

_CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUN = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")

_STOP_WORDS = frozenset(
    "a about after again all already also am an and any anything are as at be been before but "  # noqa: SIM905
    "by can change could did do does each ever every everything exactly far for from get give "
    "go got had has have he help her here his how i if im in into is it its itself ive just "
    "know let ll m made make many may me mean might much must my myself need no not nothing "
    "now of on only or our out own please possible put re really s said say see shall she "
    "should so some something still such t tell than that the their them then there these "
    "they thing think this those time to told too under until up us use used user using ve "
    "very want was way we were what whatever when where whether which who whose why will with "
    "without work would yes yet you your yours".split()
)
_IRREGULAR = {
    "sent": "send", "ran": "run", "wrote": "write", "written": "write", "kept": "keep",
    "lost": "lose", "spoke": "speak", "shown": "show", "hid": "hide", "hidden": "hide",
    "broke": "break", "broken": "break", "chose": "choose", "chosen": "choose", "began": "begin",
    "left": "leave", "saw": "see", "went": "go", "gave": "give", "took": "take",
}  # fmt: skip
# Characters that carry no topic: a pair with one of the first kind, or with two of the second.
_EMPTY = frozenset("的了吗呢吧啊呀么我你您它他她们这那哪谁很就也都之")
WEAK = frozenset(
    "是在有不没会能可以要想把被让给和与跟或及对从到用做上下里中去来个一怎样如何为什请问还再又时候"
    "后前该只已更最才另其此些"
)


def runs(text: str) -> list[str]:
    """The stretches of `text` that are one word, or Chinese characters in a row; lower case."""
    return _RUN.findall(unicodedata.normalize("NFKC", text).lower())


def words(text: str) -> list[str]:
    """The terms of `text`, in order: lower-cased stems, and pairs of Chinese characters."""
    found = []
    for run in runs(text):
        if not is_cjk(run):
            found.append(stem(run))
        elif len(run) == 1:
            found.append(run)
        else:
            found.extend(run[i : i + 2] for i in range(len(run) - 1))
    return found


def terms(text: str) -> set[str]:
    """The terms of `text` that say what it is about."""
    return {word for word in words(text) if not _says_nothing(word)}


def is_cjk(run: str) -> bool:
    """Whether a stretch or a term is of Chinese characters."""
    return re.match(f"[{_CJK}]", run) is not None


def _says_nothing(word: str) -> bool:
    if is_cjk(word):
        return not _EMPTY.isdisjoint(word) or WEAK.issuperset(word)
    return word in _STOPS or len(word) == 1


def stem(word: str) -> str:
    """`word` without the commonest endings: stop, stops, stopping and stopped are one."""
    word = _IRREGULAR.get(word, word)
    if not word.isascii() or not word.isalpha() or len(word) < 4:
        return word
    for ending, rest in (("ies", "y"), ("ing", ""), ("ed", ""), ("ly", ""), ("s", "")):
        short = word.removesuffix(ending)
        if short == word or len(short) < 3 or word.endswith(("ss", "us", "is")):
            continue
        word = short + rest
        if ending in ("ing", "ed") and word[-1] == word[-2] and word[-1] not in "lsz":
            word = word[:-1]
        break
    return word.removesuffix("e") if len(word) > 3 else word


_STOPS = frozenset(map(stem, _STOP_WORDS))
