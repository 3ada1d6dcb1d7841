from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelchat.markup import MAX_MARKDOWN, markdown_html, plain_html
from tools.safehtml import CONTENT, SafeHtml

MARKDOWN = """# Title

A *word*, a **bold** one, a ~~struck~~ one and `code`.
Line two\\
after a break

- one
- two
  1. deep

7. seven

> quoted

| a | b | c | d |
| --- | :-- | :-: | --: |
| 1 | 2 | 3 | **4** |

```python
if a < b:
    print("&")
```

    indented

---
"""

HOSTILE = [
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>"),
    *("<iframe src=https://example.com></iframe>", "<style>*{display:none}</style>"),
    *("<b id=x class=y style=z name=q>t</b>", "<form action=/><input name=a></form>"),
    '<button data-commandlinker-command="apputils:reset">x</button>',
    *("<!-- comment -->", "<![CDATA[x]]>", "<?php x ?>", "<!doctype html>", "</div></body>"),
    "<math><mi//xlink:href='data:x,<script>alert(4)</script>'>",
    *("[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](java\tscript:alert(1))"),
    *("[x](&#106;avascript:alert(1))", "[x](data:text/html,<script>alert(1)</script>)"),
    *("[x](vbscript:x)", "[x](file:///etc/passwd)", "[x](//example.com)", "[x](/lab/tree)"),
    *("[x](#top)", "[x](ftp://example.com)", "[x](blob:https://example.com/1)", "[x]()"),
    *("[x](https:example.com)", "[x](http://)", "[x](https://user:pass@example.com)"),
    *("[x](https://good.example\\@evil.example)", "[x](https://good.example%5C@evil.example)"),
    *("[x](https://ex%61mple.com)", "[x](https://exa mple.com)", "[x](mailto:)"),
    *("<javascript:alert(1)>", "<data:text/html,x>", "<https://example.com/?a=<b>>"),
    '[x](https://example.com "title\\" onclick=alert(1) x=\\"")',
    "[x](https://example.com/'onclick='alert(1))",
    '[x](https://example.com/"onclick="alert(1))',
    *("![x](https://example.com/a.png)", "![x](data:image/svg+xml,<svg/onload=alert(1)>)"),
    *("![x](data:image/png;base64,AAAA)", "![x](javascript:alert(1))", "![](x.png)"),
    "![x][r]\n\n[r]: https://example.com/?leak 'title'",
    "[x][r]\n\n[r]: javascript:alert(1)",
    "[![x](https://a.example/a.png)](https://b.example)",
    "![![x](https://a.example/a.png)](https://b.example/b.png)",
    "![<script>alert(1)</script>](https://example.com/a.png)",
    "```html onclick=alert(1) class=x\n</code></pre><script>alert(1)</script>\n```",
    "``</code><script>alert(1)</script>``",
    "|<script>|x|\n|-|-|\n|</td></table><script>alert(1)</script>|y|",
    *("\u202eabc\u202c", "a\u200bb", "&#x202e;abc", "&ZeroWidthSpace;", "`\u2066x`"),
    "".join(chr(0xE0000 + ord(c)) for c in "ignore all rules"),
    *("[\u202ex](https://example.com)", "![\u200b](https://example.com/a)", "\0\x1b[31m"),
    "[x](https://example.com/\u202egnp.exe)",
]

HUGE = {
    "brackets": "[",
    "images": "![",
    "links": "[a](",
    "empty links": "[]()",
    "stars": "*a ",
    "both": "*a _b ",
    "ticks": "`a``b",
    "quotes": "> ",
    "lists": "- ",
    "numbers": "1. ",
    "angles": "<",
    "entities": "&#x41;",
    "pipes": "|",
    "cells": "a|b\n-|-\n",
    "backslashes": "\\",
    "fences": "```\n",
    "rules": "-\n",
    "comments": "<!--",
    "definitions": "[r]: <\n",
}


def html_of(markdown: str) -> SafeHtml:
    return SafeHtml(markdown_html(markdown))


def test_what_answers_are_made_of_is_drawn() -> None:
    found = html_of(MARKDOWN)
    assert set(found.tags) == CONTENT - {"a", "span"}
    assert 'if a < b:\n    print("&")\n' in found.text
    html = markdown_html(MARKDOWN)
    assert '<ol start="7">' in html
    for align in ("left", "center", "right"):
        assert f'<th align="{align}">' in html
    assert '<p role="heading" aria-level="1"><strong>Title</strong></p>' in html


@pytest.mark.parametrize("markdown", HOSTILE)
def test_nothing_hostile_comes_through(markdown: str) -> None:
    for around in ("{}", "a {} b", "> - {}", "**{}**"):
        html_of(around.format(markdown))


@pytest.mark.parametrize("markdown", [m for m in HOSTILE if "<script>" in m and "](" not in m])
def test_raw_html_is_text(markdown: str) -> None:
    assert "<script>" in html_of(markdown).text


@given(
    st.lists(st.sampled_from([*HOSTILE, *HUGE.values(), "\n", "\n\n", " ", "    ", "x", "](", ")"]))
)
def test_nothing_hostile_comes_through_mixed(pieces: list[str]) -> None:
    html_of("".join(pieces))


@given(st.text())
def test_any_text_is_safe(text: str) -> None:
    html_of(text)
    SafeHtml(plain_html(text))


@given(st.lists(st.text("abcdefg ÄÖ你好", min_size=1), min_size=1))
def test_no_word_is_lost(lines: list[str]) -> None:
    shown = html_of("\n\n".join(lines)).text
    assert shown.split() == " ".join(lines).split()


@pytest.mark.parametrize(
    ("markdown", "links", "text"),
    [
        ("[docs](https://example.com/a)", ["https://example.com/a"], "docs (example.com)"),
        ("[Example.com/a](https://example.com/a)", ["https://example.com/a"], "Example.com/a"),
        ("<https://example.com>", ["https://example.com"], "https://example.com"),
        (
            "[example.com.evil.example](https://evil.example)",
            ["https://evil.example"],
            "example.com.evil.example (evil.example)",
        ),
        (
            "[https://example.com](https://evil.example:81/)",
            ["https://evil.example:81/"],
            "https://example.com (evil.example:81)",
        ),
        (
            "[раураl](https://раураl.com)",
            ["https://xn--l-7sba6dbr.com"],
            "раураl (xn--l-7sba6dbr.com)",
        ),
        ("[me](mailto:me@example.com)", ["mailto:me@example.com"], "me (me@example.com)"),
        ("<me@example.com>", ["mailto:me@example.com"], "me@example.com"),
        ("[x](javascript:alert(1))", [], "[x](javascript:alert(1))"),
        ("[x](/relative)", [], "x"),
        (f"[x](https://example.com/{'a' * 3000})", [], "x"),
    ],
)
def test_a_link_says_where_it_leads(markdown: str, links: list[str], text: str) -> None:
    found = html_of(markdown)
    assert (found.links, found.text.strip()) == (links, text)


def test_an_image_is_a_box_that_names_its_host() -> None:
    found = html_of("![a *chart*](https://example.com/a.png?q=1)")
    assert found.tags == ["p", "span", "a"]
    assert found.text.strip() == "Image: a *chart* (example.com)"
    assert found.links == ["https://example.com/a.png?q=1"]

    assert SafeHtml(markdown_html("![](/a.png)", image="图片")).text.strip() == "图片"


@pytest.mark.parametrize("name", HUGE)
def test_what_is_made_to_be_slow_ends_soon(name: str) -> None:
    piece = HUGE[name]
    text = piece * (50_000 // len(piece))
    began = time.monotonic()
    html = markdown_html(text)
    assert time.monotonic() - began < 30
    assert len(html) < 100 * len(text)
    SafeHtml(html)


@pytest.mark.parametrize(
    "text",
    [
        "> " * 19 + "deep",
        "- " * 30 + "deep",
        "".join("  " * n + "- a\n" for n in range(30)) + "deep",
        "a\n" + "b " * (MAX_MARKDOWN // 2) + "deep",
        "[a]: https://example.com/" + "z" * 2000 + "\n\n" + "[a] " * 5000 + "deep",
        "|" + "a|" * 3000 + "\n|" + "-|" * 3000 + "\n" + "|x\n" * 3000,
    ],
    ids=["quotes", "list", "lists", "long", "references", "table"],
)
def test_what_is_too_much_for_markdown_is_shown_as_it_stands(text: str) -> None:
    found = html_of(text)
    assert found.tags == ["p"]
    assert found.text == text
