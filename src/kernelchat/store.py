"""Where conversations are kept: a protocol of two methods, and SQLite.

Both methods of a store run on one thread of its own and may block. What they raise becomes a notice
in the chat; the stream goes on, and what could not be saved is tried again.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from .message import Message

SCHEMA_VERSION = 1
BUSY_MS = 2000
TITLE_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation as it was kept: all messages, oldest first, and the leaf of the path shown."""

    messages: tuple[Message, ...]
    leaf_id: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """What a conversation has that its store has not: messages new or changed, ids removed."""

    messages: tuple[Message, ...]
    removed: tuple[str, ...]
    leaf_id: str | None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A kept conversation in a list. `updated_at` is in milliseconds since 1970."""

    session_id: str
    title: str
    updated_at: int
    messages: int


@runtime_checkable
class Store(Protocol):
    """Anything that keeps conversations. `tests/contract` holds what each must do."""

    def load(self, session_id: str) -> Talk | None:
        """The conversation of that id, None where there is none."""
        ...

    def save(self, session_id: str, change: Change) -> None:
        """Keeps the change, all of it or nothing; returns once it survives the process's end."""
        ...


class StoreError(Exception):
    """A store cannot do its work; the message is one sentence for the user."""


class SqliteStore:
    """Conversations in one SQLite file, which several kernels may share.

    The file is made readable to its owner only. A file that is damaged is moved aside and never
    overwritten. Belongs to one thread.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser().absolute()
        self.notice: str | None = None
        self._connection: sqlite3.Connection | None = None

    def load(self, session_id: str) -> Talk | None:
        """The conversation of that id, None where there is none.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._transaction("BEGIN") as db:
            found = db.execute("SELECT leaf_id FROM sessions WHERE id = ?", (session_id,))
            session = found.fetchone()
            if session is None:
                return None
            rows = db.execute(
                "SELECT data FROM messages WHERE session_id = ? ORDER BY position", (session_id,)
            )
            messages = tuple(Message.from_wire(json.loads(data)) for (data,) in rows)
        return Talk(tuple(map(interrupted, messages)), session[0])

    def save(self, session_id: str, change: Change) -> None:
        """Keeps the change, all of it or nothing.

        Raises:
            StoreError: the file cannot be written.
        """
        now = time.time_ns() // 1_000_000
        title = next((_title(m.text) for m in change.messages if m.role == "user"), "")
        with self._transaction("BEGIN IMMEDIATE") as db:
            db.execute(
                "INSERT INTO sessions (id, title, leaf_id, updated_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET leaf_id = excluded.leaf_id,"
                " updated_at = excluded.updated_at,"
                " title = CASE WHEN title = '' THEN excluded.title ELSE title END",
                (session_id, title, change.leaf_id, now),
            )
            db.executemany(
                "INSERT INTO messages (session_id, id, data) VALUES (?, ?, ?)"
                " ON CONFLICT (session_id, id) DO UPDATE SET data = excluded.data",
                [(session_id, m.id, _dumps(m)) for m in change.messages],
            )
            db.executemany(
                "DELETE FROM messages WHERE session_id = ? AND id = ?",
                [(session_id, removed) for removed in change.removed],
            )

    def sessions(self) -> list[SessionInfo]:
        """All kept conversations, the newest first.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._transaction("BEGIN") as db:
            rows = db.execute(
                "SELECT id, title, updated_at, (SELECT count(*) FROM messages"
                " WHERE session_id = sessions.id) FROM sessions ORDER BY updated_at DESC, id"
            )
            return [SessionInfo(*row) for row in rows]

    def rename(self, session_id: str, title: str) -> None:
        """Gives a kept conversation another title.

        Raises:
            StoreError: there is none of that id, or the file cannot be written.
        """
        with self._transaction("BEGIN IMMEDIATE") as db:
            changed = db.execute("UPDATE sessions SET title = ? WHERE id = ?", (title, session_id))
            if changed.rowcount == 0:
                raise StoreError("There is no such conversation in the store.")

    def delete(self, session_id: str) -> None:
        """Deletes a kept conversation for good.

        Raises:
            StoreError: the file cannot be written.
        """
        with self._transaction("BEGIN IMMEDIATE") as db:
            db.execute("DELETE FROM messages WHERE session_id = ?", (session_id,))
            db.execute("DELETE FROM sessions WHERE id = ?", (session_id,))

    def close(self) -> None:
        """Lets go of the file; the next call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # the file

    def _transaction(self, begin: str) -> _Transaction:
        return _Transaction(self, begin)

    def connect(self) -> sqlite3.Connection:
        """The open file.

        Raises:
            StoreError: it cannot be opened.
        """
        if self._connection is not None and self.path.exists():
            return self._connection
        self.close()
        try:
            self._connection = self._open()
        except sqlite3.DatabaseError as error:
            if not _damaged(error):
                raise
            self._move_aside()
            self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        try:
            # Made by us, so that nobody else can read it even for a moment; SQLite gives the files
            # beside it the same mode.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            if os.name == "posix" and self.path.stat().st_uid == os.getuid():
                self.path.chmod(0o600)
        except OSError as error:
            if not self.path.is_file():
                reason = error.strerror or str(error)
                raise StoreError(f"The store {self.path.name} cannot be made: {reason}.") from error
        connection = sqlite3.connect(self.path, timeout=BUSY_MS / 1000, isolation_level=None)
        try:
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _move_aside(self) -> None:
        aside = f"{self.path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
        for suffix in ("", "-wal", "-shm"):
            part = self.path.with_name(self.path.name + suffix)
            if part.exists():
                part.rename(self.path.with_name(aside + suffix))
        self.notice = (
            f"The store {self.path.name} was damaged: it was moved to {aside}, "
            "and a new one was begun."
        )


class _Transaction:
    """One transaction; SQLite's errors leave it as sentences."""

    def __init__(self, store: SqliteStore, begin: str) -> None:
        self._store = store
        self._begin = begin
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._db = self._store.connect()
            self._db.execute(self._begin)
        except sqlite3.Error as error:
            raise self._sentence(error) from error
        return self._db

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        db = self._db
        if db is None:
            return
        try:
            if error is None:
                db.execute("COMMIT")
                return
            if db.in_transaction:
                db.execute("ROLLBACK")
        except sqlite3.Error as failed:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise self._sentence(failed) from failed
        if isinstance(error, sqlite3.Error):
            raise self._sentence(error) from error

    def _sentence(self, error: sqlite3.Error) -> StoreError:
        name = self._store.path.name
        if _damaged(error):
            self._store.close()
        code = getattr(error, "sqlite_errorcode", None) or 0
        reasons = {
            sqlite3.SQLITE_BUSY: "is locked by another program",
            sqlite3.SQLITE_LOCKED: "is locked by another program",
            sqlite3.SQLITE_READONLY: "may only be read",
            sqlite3.SQLITE_FULL: "cannot grow, the disk is full",
            sqlite3.SQLITE_CANTOPEN: "cannot be opened",
        }
        reason = reasons.get(code & 0xFF, f"cannot be used ({error})")
        return StoreError(f"The store {name} {reason}; what is said meanwhile is kept in memory.")


def _prepare(db: sqlite3.Connection) -> None:
    with closing(db.execute("PRAGMA user_version")) as found:
        version = found.fetchone()[0]
    if version > SCHEMA_VERSION:
        raise StoreError(
            "The store was written by a newer kernelchat: upgrade this one, or name another file."
        )
    if version == SCHEMA_VERSION:
        return
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(
        "BEGIN IMMEDIATE;"
        "CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, title TEXT NOT NULL,"
        " leaf_id TEXT, updated_at INTEGER NOT NULL);"
        "CREATE TABLE IF NOT EXISTS messages (position INTEGER PRIMARY KEY,"
        " session_id TEXT NOT NULL, id TEXT NOT NULL, data TEXT NOT NULL, UNIQUE (session_id, id));"
        f"PRAGMA user_version = {SCHEMA_VERSION};"
        "COMMIT;"
    )


def _damaged(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _dumps(message: Message) -> str:
    return json.dumps(message.to_wire(), ensure_ascii=False, separators=(",", ":"))


def interrupted(message: Message) -> Message:
    """A half answer must never look like a whole one."""
    if message.status != "streaming":
        return message
    error = {
        "kind": "truncated",
        "message": "The kernel ended while this was being written.",
        "retryable": True,
    }
    return replace(message, status="failed", error=error)


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1] + "…"
