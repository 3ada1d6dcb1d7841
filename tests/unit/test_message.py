from __future__ import annotations

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelchat.message import COLLAPSE_EVERY, Draft, Message

pieces = st.lists(st.text(min_size=1, max_size=5), max_size=30)


def draft_of(texts: list[str], first_id: int = 1) -> Draft:
    draft = Draft(Message("a1", "assistant", status="streaming"))
    for event_id, text in enumerate(texts, first_id):
        draft.append(text, event_id)
    return draft


def test_a_message_reads_as_its_text() -> None:
    message = Message("a1", "assistant", "Hello")
    assert str(message) == "Hello"
    assert message.to_openai() == {"role": "assistant", "content": "Hello"}


def test_a_message_survives_the_wire() -> None:
    message = Message("a1", "assistant", "Hi", "u1", tools=({"call_id": "c1"},), tokens=2)
    wire = json.loads(json.dumps(message.to_wire()))
    assert Message.from_wire(wire) == message
    assert Message.from_wire({**wire, "mood": "sunny"}) == message
    assert Message.from_wire({"id": "u1", "role": "user"}) == Message("u1", "user")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no code", []),
        ("```python\nprint(1)\n```", ["print(1)\n"]),
        ("a\n```\none\n```\nb\n~~~ text\ntwo\n~~~\n", ["one\n", "two\n"]),
        ("````md\n```\ninner\n```\n````\n", ["```\ninner\n```\n"]),
        ("```\n```", [""]),
        ("```py\nclosed by more\n`````  \n", ["closed by more\n"]),
        ("`inline` and ```not a block``` here", []),
        ("```py\nit has only begun", []),
        ("```py\r\nx = 1\r\n```\r\nend", ["x = 1\r\n"]),
    ],
)
def test_code_blocks(text: str, code: list[str]) -> None:
    assert Message("a1", "assistant", text).code == code


@given(pieces)
def test_a_draft_is_its_pieces_joined(texts: list[str]) -> None:
    draft = draft_of(texts)
    assert draft.read() == ("".join(texts), len(texts))
    assert (draft.tokens, draft.length) == (len(texts), len("".join(texts)))
    message = draft.freeze(status="done")
    assert (message.text, message.tokens, message.status) == ("".join(texts), len(texts), "done")


def test_pieces_are_collapsed_now_and_then() -> None:
    texts = [f"{n}," for n in range(COLLAPSE_EVERY * 3 + 7)]
    draft = draft_of(texts)
    assert draft.read() == ("".join(texts), len(texts))


@given(pieces, st.integers(1, 1000))
def test_a_draft_knows_where_each_token_begins(texts: list[str], first_id: int) -> None:
    draft = draft_of(texts, first_id)
    for index in range(len(texts) + 1):
        offset = len("".join(texts[:index]))
        assert draft.offset(index) == offset
        assert draft.after(first_id - 1 + index) == (index, offset)


def test_thoughts_are_kept_apart() -> None:
    draft = draft_of(["Hi"])
    draft.think("let ")
    draft.think("me see")
    assert draft.reasonings == 2
    assert draft.freeze().reasoning == "let me see"
    assert draft.freeze().text == "Hi"


def test_a_draft_goes_on_from_a_message() -> None:
    draft = Draft(Message("a1", "assistant", "Hel", status="streaming", tokens=2))
    draft.append("lo", 5)
    assert draft.read() == ("Hello", 3)
    assert draft.after(4) == (2, 3)
    assert draft.after(5) == (3, 5)
    assert (draft.offset(2), draft.offset(3)) == (3, 5)


def test_text_and_count_agree_while_another_thread_writes() -> None:
    draft = Draft(Message("a1", "assistant", status="streaming"))
    started = threading.Event()

    def write() -> None:
        started.set()
        for event_id in range(20_000):
            draft.append("ab", event_id)

    writer = threading.Thread(target=write)
    writer.start()
    started.wait()
    seen = 0
    while writer.is_alive():
        text, tokens = draft.read()
        assert len(text) == 2 * tokens
        assert tokens >= seen
        seen = tokens
    writer.join()
    assert draft.read() == ("ab" * 20_000, 20_000)
