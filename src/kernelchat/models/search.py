"""Full-text search over the handbook: SQLite FTS5, ranked by bm25 (DESIGN.md section 10)."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

from .handbook import LANGUAGES, Entry, Language, handbook
from .terms import WEAK, is_cjk, runs, stem, terms, words

WEIGHTS = (8.0, 5.0, 1.0)
"""How much a word counts in a title, among the words that people also use, and in the text."""
IN_PASSING = 0.4
"""How much of a word an entry accounts for that has it in its text only."""
ACROSS = 0.6
"""How much a pair of characters counts that is nowhere: it may lie across two words."""
KNOWN = 0.46
"""Share of a question that an entry must account for; below, the handbook does not know."""
NEAR = 0.1
"""The same for an entry to be worth suggesting."""
MAX_QUESTION = 500
"""Characters of a question that are looked up: this runs on the server's loop."""
_BEST = 12


@cache
def fields() -> tuple[tuple[str, str, str], ...]:
    """The terms of each entry's title, synonyms and text: the slow part of an index."""
    return tuple((_join(e.titles), _join(e.keywords), _join(e.texts)) for e in handbook())


class Search:
    """An index of the handbook in memory. To be used on one thread, and closed there.

    Raises:
        sqlite3.OperationalError: this SQLite was built without FTS5.
    """

    def __init__(self) -> None:
        self._entries = handbook()
        self._phrases = {
            _normal(phrase): index
            for index, entry in enumerate(self._entries)
            for language in LANGUAGES
            for phrase in (entry.titles[language], *entry.keywords[language].split(", "))
        }
        # What an entry can account for: fully by title and synonyms, less in passing.
        self._sets = [
            (set(f"{title} {also}".split()), set(text.split())) for title, also, text in fields()
        ]
        self._entries_with = Counter(term for sets in self._sets for term in sets[0] | sets[1])
        self._database = sqlite3.connect(":memory:")
        self._database.execute("create virtual table entry using fts5(title, also, text)")
        self._database.executemany("insert into entry values (?, ?, ?)", fields())

    def find(self, question: str, known: float = KNOWN) -> list[Entry]:
        """The entries that fit `question`, best first; none if the handbook does not know.

        Args:
            question: any text; its first 500 characters count.
            known: the share of it that an entry must account for.
        """
        question = question[:MAX_QUESTION]
        asked = terms(question)
        query = " OR ".join(f'"{term}"' for term in sorted(asked))
        rows: list[tuple[int, float]] = []
        if query:
            rows = self._database.execute(
                "select rowid - 1, bm25(entry, ?, ?, ?) as score from entry where entry match ?"
                " order by score limit ?",
                (*WEIGHTS, query, _BEST),
            ).fetchall()
        # bm25 is negative, the lower the better; it does not care whether one word of a question
        # was found or all of them, so its score counts by the share that the entry accounts for.
        shares = {index: self._share(question, asked, index) for index, _ in rows}
        scores = {index: score * shares[index] for index, score in rows if shares[index] >= known}
        exact = self._phrases.get(_normal(question))
        if exact is not None:
            scores[exact] = float("-inf")
        return [self._entries[index] for index in sorted(scores, key=lambda i: (scores[i], i))]

    def _share(self, question: str, asked: set[str], index: int) -> float:
        """How much of the question the entry accounts for, from 0 to 1; rare words count more."""
        named, mentioned = self._sets[index]
        got = whole = 0.0

        def worth(term: str) -> float:
            return 1.0 if term in named else IN_PASSING if term in mentioned else 0.0

        def count(around: Sequence[str], size: float) -> None:
            nonlocal got, whole
            best, weight = max((worth(term), self._weight(term)) for term in around)
            got += size * weight * best
            whole += size * weight

        for run in runs(question):
            if not is_cjk(run):
                if stem(run) in asked:
                    count([stem(run)], 2)
                continue
            # By character, since most pairs of a sentence lie across two words and are none.
            pairs = words(run)
            for at, char in enumerate(run):
                around = [pair for pair in pairs[max(at - 1, 0) : at + 1] if pair in asked]
                if around and char not in WEAK:
                    count(around, 1)
        return got / whole if whole else 0.0

    def _weight(self, term: str) -> float:
        entries = self._entries_with[term]
        weight = math.log(1 + len(self._entries) / max(entries, 1))
        return weight if entries or not is_cjk(term) else ACROSS * weight

    def close(self) -> None:
        """Lets go of the index."""
        self._database.close()


def _join(texts: Mapping[Language, str]) -> str:
    # Each once: that an entry repeats itself makes it no better an answer.
    found = [word for language in LANGUAGES for word in words(texts[language])]
    return " ".join(dict.fromkeys(found))


def _normal(phrase: str) -> str:
    return " ".join(runs(phrase))
