"""The SQLite store: what the file goes through, and what the user is told."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelchat import store as store_module
from kernelchat.message import Message
from kernelchat.store import Change, SqliteStore, StoreError, Talk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chats.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(path)
    yield made
    made.close()


def question(name: str, text: str = "text") -> Message:
    return Message(name, "user", text, created_at=1)


def kept(path: Path, session_id: str = "s1") -> Talk | None:
    again = SqliteStore(path)
    try:
        return again.load(session_id)
    finally:
        again.close()


def test_only_the_owner_can_read_it(store: SqliteStore, path: Path) -> None:
    store.save("s1", Change((question("m1"),), (), "m1"))
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()}
    assert set(modes.values()) == {"0o600"}, modes


def test_what_was_saved_survives_kill(path: Path) -> None:
    script = (
        "import sys\n"
        "from kernelchat.message import Message\n"
        "from kernelchat.store import Change, SqliteStore\n"
        "store = SqliteStore(sys.argv[1])\n"
        "store.save('s1', Change((Message('m1', 'user', 'kept'),), (), 'm1'))\n"
        "print('saved', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == b"saved"
        child.kill()
    assert child.returncode in (-signal.SIGKILL if sys.platform != "win32" else 1, 1)
    assert kept(path) == Talk((Message("m1", "user", "kept"),), "m1")


def test_a_half_answer_never_looks_whole(store: SqliteStore) -> None:
    half = Message("a1", "assistant", "half", "m1", "streaming", tokens=1)
    store.save("s1", Change((question("m1"), half), (), "a1"))
    talk = store.load("s1")
    assert talk is not None
    answer = talk.messages[1]
    assert (answer.text, answer.status) == ("half", "failed")
    assert answer.error is not None
    assert answer.error["kind"] == "truncated"


def test_two_kernels_share_the_file(store: SqliteStore, path: Path) -> None:
    other = SqliteStore(path)
    for number in range(20):
        writer = (store, other)[number % 2]
        writer.save("s1", Change((question(f"m{number}"),), (), f"m{number}"))
    talk = store.load("s1")
    other.close()
    assert talk is not None
    assert [message.id for message in talk.messages] == [f"m{number}" for number in range(20)]


def test_a_locked_file_says_so_and_works_again(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "BUSY_MS", 10)
    store.save("s1", Change((), (), None))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="locked by another program"):
        store.save("s1", Change((question("m1"),), (), "m1"))
    other.execute("ROLLBACK")
    other.close()
    store.save("s1", Change((question("m1"),), (), "m1"))
    assert store.load("s1") == Talk((question("m1"),), "m1")


def test_a_file_that_may_only_be_read_says_so(store: SqliteStore) -> None:
    store.save("s1", Change((question("m1"),), (), "m1"))
    store.connect().execute("PRAGMA query_only = 1")
    with pytest.raises(StoreError, match="may only be read"):
        store.save("s1", Change((question("m2"),), (), "m2"))
    assert store.load("s1") == Talk((question("m1"),), "m1")


def test_a_full_disk_says_so_and_loses_nothing(store: SqliteStore) -> None:
    store.save("s1", Change((question("m1"),), (), "m1"))
    pages = store.connect().execute("PRAGMA page_count").fetchone()[0]
    store.connect().execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(StoreError, match="disk is full"):
        store.save("s1", Change((question("m2", "x" * 100_000),), (), "m2"))
    assert store.load("s1") == Talk((question("m1"),), "m1")


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 500])
def test_a_damaged_file_is_moved_aside(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    store = SqliteStore(path)
    assert store.load("s1") is None
    store.save("s1", Change((question("m1"),), (), "m1"))
    store.close()
    aside = [file for file in path.parent.iterdir() if ".damaged-" in file.name]
    assert [file.read_bytes() for file in aside] == [content]
    assert store.notice is not None
    assert aside[0].name in store.notice
    assert kept(path) == Talk((question("m1"),), "m1")


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer kernelchat"):
        SqliteStore(path).load("s1")
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be made"):
        SqliteStore(tmp_path / "nowhere" / "chats.sqlite").load("s1")


def test_conversations_are_listed_renamed_and_deleted(store: SqliteStore) -> None:
    store.save("s1", Change((question("m1", "How do  I\ninstall it?"),), (), "m1"))
    store.save("s2", Change((question("m1", "x" * 100),), (), "m1"))
    titles = {info.session_id: info.title for info in store.sessions()}
    assert titles == {"s1": "How do I install it?", "s2": "x" * 59 + "…"}
    store.rename("s1", "Set-up")
    store.save("s1", Change((question("m2", "Another question"),), (), "m2"))
    listed = {info.session_id: (info.title, info.messages) for info in store.sessions()}
    assert listed["s1"] == ("Set-up", 2)
    store.delete("s2")
    assert [info.session_id for info in store.sessions()] == ["s1"]
    assert store.load("s2") is None
    with pytest.raises(StoreError, match="no such conversation"):
        store.rename("s2", "gone")


def test_a_long_talk_opens_at_once(store: SqliteStore) -> None:
    messages = tuple(question(f"m{number}", "text " * 20) for number in range(10_000))
    store.save("s1", Change(messages, (), "m9999"))
    begin = time.perf_counter()
    talk = store.load("s1")
    seconds = time.perf_counter() - begin
    assert talk is not None
    assert len(talk.messages) == 10_000
    assert seconds < 5
