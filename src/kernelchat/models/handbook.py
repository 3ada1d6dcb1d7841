"""The handbook that ships with the package: what the offline assistant knows.

One Markdown file per topic and language, in `kernelchat/handbook`. An entry is a heading with an
id, a line of words that people also use for it, and its text:

    ## Installing {#install}
    Also asked as: setup, pip, requirements

    kernelchat needs Python 3.11 ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, TypeAlias

Language: TypeAlias = Literal["en", "zh"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")
TOPICS = ("start", "models", "python", "screen", "server", "trouble")

_HEADING = re.compile(r"## (?P<title>.+) \{#(?P<id>[a-z0-9-]+)\}")
_KEYWORDS = "Also asked as: "


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, in both languages."""

    id: str
    titles: Mapping[Language, str]
    keywords: Mapping[Language, str]
    texts: Mapping[Language, str]


@cache
def handbook() -> tuple[Entry, ...]:
    """All entries, in the order of the files.

    Raises:
        ValueError: an entry is missing in one language, or a file is not as it should be.
    """
    entries = []
    for topic in TOPICS:
        parts = {language: dict(_parse(language, topic)) for language in LANGUAGES}
        if parts["en"].keys() != parts["zh"].keys():
            lonely = parts["en"].keys() ^ parts["zh"].keys()
            raise ValueError(f"handbook/{topic}.md: only in one language: {sorted(lonely)}")
        for id_ in parts["en"]:
            title, keywords, text = (
                {language: parts[language][id_][index] for language in LANGUAGES}
                for index in range(3)
            )
            entries.append(Entry(id_, title, keywords, text))
    return tuple(entries)


def _parse(language: Language, topic: str) -> Iterator[tuple[str, tuple[str, str, str]]]:
    source = files(__package__.rpartition(".")[0]) / "handbook" / language / f"{topic}.md"
    for part in re.split(r"^(?=## .*\{#)", source.read_text("utf-8"), flags=re.M)[1:]:
        heading, keywords, text = part.split("\n", 2)
        match = _HEADING.fullmatch(heading)
        if match is None or not keywords.startswith(_KEYWORDS):
            raise ValueError(f"handbook/{language}/{topic}.md: not an entry: {heading}")
        yield match["id"], (match["title"], keywords.removeprefix(_KEYWORDS), text.strip())
