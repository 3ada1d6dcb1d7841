"""What is MemoryLog's own; the rest of its tests are those of every log, in tests/contract."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernelchat.events import Removed, TokenAdded
from kernelchat.log import Entry, MemoryLog, dumps


def test_ids_start_where_they_are_told() -> None:
    log = MemoryLog("s1", 7)
    assert (log.last_id, log.next_id) == (6, 7)
    assert [log.append(TokenAdded("a1", n, "x")) for n in range(3)] == [7, 8, 9]


def test_an_entry_is_encoded_once_for_all_readers() -> None:
    entry = Entry(1, "s1", Removed(("u1",)))
    assert entry.data == '{"id":1,"session_id":"s1","message_ids":["u1"]}'
    assert entry.data is entry.data


@given(st.text(), st.integers(0, 10**6))
def test_a_token_is_encoded_as_json_would(text: str, index: int) -> None:
    entry = Entry(1, 's"1', TokenAdded("a1", index, text))
    assert entry.data == dumps(entry.wire())
    assert "\n" not in entry.data
