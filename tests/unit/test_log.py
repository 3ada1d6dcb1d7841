"""What is MemoryLog's own; the rest of its tests are those of every log, in tests/contract."""

from __future__ import annotations

from kernelchat.events import TokenAdded
from kernelchat.log import Entry, MemoryLog


def test_ids_start_where_they_are_told() -> None:
    log = MemoryLog("s1", 7)
    assert (log.last_id, log.next_id) == (6, 7)
    assert [log.append(TokenAdded("a1", n, "x")) for n in range(3)] == [7, 8, 9]


def test_an_entry_is_encoded_once_for_all_readers() -> None:
    entry = Entry(1, "s1", TokenAdded("a1", 0, "你\n"))
    assert entry.data == ('{"id":1,"session_id":"s1","message_id":"a1","index":0,"text":"你\\n"}')
    assert entry.data is entry.data
