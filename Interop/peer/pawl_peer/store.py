"""What must survive a restart, in one SQLite file. Nothing in it is sealed.

The tables hold the JSON of `codec`; whoever changes something does so within `transaction`, and sends only after it.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from . import codec
from .bundle import PrivatePair
from .session import Session

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS peers (id BLOB PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tickets (id BLOB PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS prekeys (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pairs (peer BLOB, id INTEGER, body TEXT NOT NULL, PRIMARY KEY (peer, id));
CREATE TABLE IF NOT EXISTS sessions (peer BLOB, sid BLOB, body TEXT NOT NULL, PRIMARY KEY (peer, sid));
CREATE TABLE IF NOT EXISTS outbox (peer BLOB, sid BLOB, seq INTEGER, name BLOB, envelope BLOB, payload BLOB, PRIMARY KEY (sid, seq));
CREATE TABLE IF NOT EXISTS waiting (peer BLOB, n INTEGER PRIMARY KEY AUTOINCREMENT, payload BLOB);
CREATE TABLE IF NOT EXISTS receipts (n INTEGER PRIMARY KEY AUTOINCREMENT, sid BLOB, name BLOB, UNIQUE (sid, name));
CREATE TABLE IF NOT EXISTS inits (peer BLOB, digest BLOB, prekeys INTEGER, PRIMARY KEY (peer, digest));
"""
_RECEIPTS_KEPT = 4_000


@dataclass
class StoredPrekeys:
    """Signed prekeys, and when they were made."""

    pair: PrivatePair
    made: int


@dataclass
class StoredPair:
    """An unused one-time pair for one peer."""

    pair: PrivatePair
    listed: int  # when it was last handed out
    batch: bool  # in a batch, not in an answer to BUNDLE_REQ


@dataclass
class HeldBundle:
    bundle: bytes = field(repr=False)
    used: list[int] = field(default_factory=list)


@dataclass
class PeerRow:
    """What we know of a peer besides its sessions."""

    record: bytes = field(repr=False)
    name: str
    addresses: tuple[str, ...] = ()
    dial: str | None = None  # where we reached it last
    held: HeldBundle | None = field(default=None, repr=False)
    used_pairs: list[int] = field(default_factory=list)  # of its batches, by us
    retired: list[bytes] = field(default_factory=list)  # sids of sessions that are gone
    last_reset: int = 0
    last_start_after_reset: int = 0
    batch: list[int] = field(default_factory=list)  # the pairs of the last batch that we sent
    batch_arrived: bool = False  # it was acknowledged
    batch_issued: int = 0
    batch_prekeys: int = 0
    newest_bundle: int = 0  # when the newest that we know of the peer was issued
    early_hello: bytes = b""  # of a session that is not confirmed yet
    early_sid: bytes = b""
    we_invited: bool = False
    paired: int = 0


@dataclass
class TicketRow:
    text: str
    used_by: bytes | None = None
    bad: int = 0


@dataclass(frozen=True)
class Outgoing:
    """An envelope that is not acknowledged yet."""

    sid: bytes
    seq: int
    envelope: bytes = field(repr=False)
    payload: bytes

    def __lt__(self, other: "Outgoing") -> bool:
        return self.seq < other.seq


class Store:
    def __init__(self, path: Path | str) -> None:
        """`:memory:` keeps nothing."""
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._depth = 0

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing; durable when it is left. One inside another is part of it."""
        if self._depth == 0:
            self._db.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("ROLLBACK")
            raise
        self._depth -= 1
        if self._depth == 0:
            self._db.execute("COMMIT")

    # One value by name

    def get(self, key: str) -> Any:
        row = self._db.execute("SELECT body FROM meta WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row is not None else None

    def put(self, key: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    # Peers and tickets

    def peers(self) -> dict[bytes, PeerRow]:
        return {id: self._load(PeerRow, body) for id, body in self._db.execute("SELECT id, body FROM peers")}

    def put_peer(self, peer: bytes, row: PeerRow) -> None:
        self._db.execute("INSERT OR REPLACE INTO peers VALUES (?, ?)", (peer, self._dump(row)))

    def ticket(self, id: bytes) -> TicketRow | None:
        row = self._db.execute("SELECT body FROM tickets WHERE id = ?", (id,)).fetchone()
        return self._load(TicketRow, row[0]) if row is not None else None

    def tickets(self) -> list[TicketRow]:
        return [self._load(TicketRow, body) for (body,) in self._db.execute("SELECT body FROM tickets")]

    def put_ticket(self, id: bytes, row: TicketRow) -> None:
        self._db.execute("INSERT OR REPLACE INTO tickets VALUES (?, ?)", (id, self._dump(row)))

    # Prekeys and one-time pairs

    def prekeys(self) -> list[StoredPrekeys]:
        return [self._load(StoredPrekeys, body) for (body,) in self._db.execute("SELECT body FROM prekeys ORDER BY id")]

    def put_prekeys(self, prekeys: StoredPrekeys) -> None:
        self._db.execute("INSERT OR REPLACE INTO prekeys VALUES (?, ?)", (prekeys.pair.id, self._dump(prekeys)))

    def delete_prekeys(self, id: int) -> None:
        """And the notes of INITs that named them."""
        self._db.execute("DELETE FROM prekeys WHERE id = ?", (id,))
        self._db.execute("DELETE FROM inits WHERE prekeys = ?", (id,))

    def pairs(self, peer: bytes) -> dict[int, StoredPair]:
        rows = self._db.execute("SELECT id, body FROM pairs WHERE peer = ? ORDER BY id", (peer,))
        return {id: self._load(StoredPair, body) for id, body in rows}

    def put_pair(self, peer: bytes, pair: StoredPair) -> None:
        self._db.execute("INSERT OR REPLACE INTO pairs VALUES (?, ?, ?)", (peer, pair.pair.id, self._dump(pair)))

    def delete_pair(self, peer: bytes, id: int) -> None:
        self._db.execute("DELETE FROM pairs WHERE peer = ? AND id = ?", (peer, id))

    # Sessions

    def sessions(self, peer: bytes) -> dict[bytes, Session]:
        rows = self._db.execute("SELECT sid, body FROM sessions WHERE peer = ? ORDER BY rowid", (peer,))
        return {sid: self._load(Session, body) for sid, body in rows}

    def put_session(self, peer: bytes, session: Session) -> None:
        self._db.execute("INSERT INTO sessions VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET body = ?3", (peer, session.sid, self._dump(session)))

    def delete_session(self, sid: bytes) -> None:
        for table in ("sessions", "outbox", "receipts"):
            self._db.execute(f"DELETE FROM {table} WHERE sid = ?", (sid,))

    # What was sent and not acknowledged, and what waits for a session

    def add_outgoing(self, peer: bytes, out: Outgoing, name: bytes) -> None:
        self._db.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?)", (peer, out.sid, out.seq, name, out.envelope, out.payload))

    def outgoing(self, peer: bytes, sid: bytes | None = None) -> list[Outgoing]:
        rows = self._db.execute("SELECT sid, seq, envelope, payload FROM outbox WHERE peer = ? ORDER BY seq", (peer,))
        return [Outgoing(*row) for row in rows if sid is None or row[0] == sid]

    def outgoing_size(self, peer: bytes) -> tuple[int, int]:
        """(envelopes, bytes)."""
        row = self._db.execute("SELECT count(*), total(length(envelope)) FROM outbox WHERE peer = ?", (peer,)).fetchone()
        return int(row[0]), int(row[1])

    def acknowledged(self, sid: bytes, name: bytes) -> tuple[int, bytes] | None:
        """Forgets the envelope; its seq and payload, if it was there."""
        rows = self._db.execute("DELETE FROM outbox WHERE sid = ? AND name = ? RETURNING seq, payload", (sid, name)).fetchall()
        return rows[0] if rows else None

    def add_waiting(self, peer: bytes, payload: bytes) -> None:
        self._db.execute("INSERT INTO waiting (peer, payload) VALUES (?, ?)", (peer, payload))

    def waiting(self, peer: bytes) -> list[tuple[int, bytes]]:
        return self._db.execute("SELECT n, payload FROM waiting WHERE peer = ? ORDER BY n", (peer,)).fetchall()

    def delete_waiting(self, n: int) -> None:
        self._db.execute("DELETE FROM waiting WHERE n = ?", (n,))

    # What was accepted

    def has_receipt(self, sid: bytes, name: bytes) -> bool:
        return self._db.execute("SELECT 1 FROM receipts WHERE sid = ? AND name = ?", (sid, name)).fetchone() is not None

    def add_receipt(self, sid: bytes, name: bytes) -> None:
        self._db.execute("INSERT INTO receipts (sid, name) VALUES (?, ?)", (sid, name))
        self._db.execute(
            "DELETE FROM receipts WHERE sid = ?1 AND n <= (SELECT n FROM receipts WHERE sid = ?1 ORDER BY n DESC LIMIT 1 OFFSET ?2)",
            (sid, _RECEIPTS_KEPT),
        )

    def has_init(self, peer: bytes, digest: bytes) -> bool:
        return self._db.execute("SELECT 1 FROM inits WHERE peer = ? AND digest = ?", (peer, digest)).fetchone() is not None

    def count_inits(self, peer: bytes) -> int:
        return int(self._db.execute("SELECT count(*) FROM inits WHERE peer = ?", (peer,)).fetchone()[0])

    def add_init(self, peer: bytes, digest: bytes, prekeys: int) -> None:
        self._db.execute("INSERT INTO inits VALUES (?, ?, ?)", (peer, digest, prekeys))

    @staticmethod
    def _dump(value: Any) -> str:
        return json.dumps(codec.dump(value))

    @staticmethod
    def _load(cls: type[T], body: str) -> T:
        return codec.load(cls, json.loads(body))
