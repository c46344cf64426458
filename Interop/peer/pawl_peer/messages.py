"""Control messages: the JSON inside envelopes (§10)."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import strictjson
from .address import MAXIMUM_ADDRESSES, Address, is_name
from .errors import Failure, Refused, require
from .manifest import MAXIMUM_FILES, MAXIMUM_NOTE_BYTES, MAXIMUM_OBJECT_BYTES, MAXIMUM_VERSION
from .names import is_artifact_name, is_path
from .segment import Range, parse_id, parse_key, parse_ranges

MAXIMUM_ENTRIES = 512
MAXIMUM_CURSOR_BYTES = 160
MAXIMUM_AEADS = 8
MAXIMUM_ADDRESS_BYTES = 262
MAXIMUM_BUNDLE_TEXT = 41_036
DENY_REASONS = ("notFound", "gone", "changed", "unreadable", "badRequest", "busy", "limit", "noConnection")


@dataclass(frozen=True)
class Hello:
    name: str
    addresses: tuple[Address, ...] = ()

    def encode(self) -> bytes:
        return strictjson.dumps({"type": "hello", "name": self.name, "addresses": [str(address) for address in self.addresses]})


@dataclass(frozen=True)
class Turn:
    def encode(self) -> bytes:
        return strictjson.dumps({"type": "turn"})


@dataclass(frozen=True)
class Turned:
    def encode(self) -> bytes:
        return strictjson.dumps({"type": "turned"})


@dataclass(frozen=True)
class Prekeys:
    bundle: bytes = field(repr=False)

    def encode(self) -> bytes:
        return strictjson.dumps({"type": "prekeys", "bundle": base64.b64encode(self.bundle).decode()})


@dataclass(frozen=True)
class CatalogGet:
    req: int
    after: str | None = None

    def encode(self) -> bytes:
        after = {"after": self.after} if self.after is not None else {}
        return strictjson.dumps({"type": "catalog.get", "req": self.req, **after})


@dataclass(frozen=True)
class Entry:
    name: str
    version: int
    digest: bytes
    size: int
    files: int
    note: str
    created: int
    publisher: bytes

    @property
    def cursor(self) -> str:
        return f"{self.name}@v{self.version}"

    def members(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "digest": self.digest.hex(),
            "bytes": self.size,
            "files": self.files,
            "note": self.note,
            "created": self.created,
            "publisher": self.publisher.hex(),
        }


@dataclass(frozen=True)
class Catalog:
    req: int
    entries: tuple[Entry, ...]
    next: str | None = None

    def encode(self) -> bytes:
        more = {"next": self.next} if self.next is not None else {}
        return strictjson.dumps({"type": "catalog", "req": self.req, "entries": [entry.members() for entry in self.entries], **more})


@dataclass(frozen=True)
class Resolve:
    req: int
    name: str
    version: int | None = None

    def encode(self) -> bytes:
        version = {"version": self.version} if self.version is not None else {}
        return strictjson.dumps({"type": "resolve", "req": self.req, "name": self.name, **version})


@dataclass(frozen=True)
class Resolved:
    req: int
    entry: Entry | None

    def encode(self) -> bytes:
        entry = self.entry.members() if self.entry is not None else None
        return strictjson.dumps({"type": "resolved", "req": self.req, "entry": entry})


@dataclass(frozen=True)
class Want:
    req: int
    transfer: bytes
    digest: bytes
    kind: int
    ranges: tuple[Range, ...]
    aeads: tuple[int, ...]
    cid: bytes
    ckey: bytes | None = field(default=None, repr=False)

    def encode(self) -> bytes:
        connection = {"cid": self.cid.hex()} | ({"ckey": self.ckey.hex()} if self.ckey is not None else {})
        return strictjson.dumps(
            {
                "type": "want",
                "req": self.req,
                "transfer": self.transfer.hex(),
                "digest": self.digest.hex(),
                "kind": self.kind,
                "ranges": self.ranges,
                "aeads": self.aeads,
                "connection": connection,
            }
        )


@dataclass(frozen=True)
class GrantMessage:
    req: int
    gid: bytes
    secret: bytes = field(repr=False)
    kind: int
    aead: int
    digest: bytes
    transfer: bytes
    ranges: tuple[Range, ...]
    cid: bytes
    size: int | None = None  # `bytes`, with kind 1

    def encode(self) -> bytes:
        members: dict[str, Any] = {
            "type": "grant",
            "req": self.req,
            "gid": self.gid.hex(),
            "secret": self.secret.hex(),
            "kind": self.kind,
            "aead": self.aead,
            "digest": self.digest.hex(),
            "transfer": self.transfer.hex(),
            "ranges": self.ranges,
            "cid": self.cid.hex(),
        }
        if self.size is not None:
            members["bytes"] = self.size
        return strictjson.dumps(members)


@dataclass(frozen=True)
class Deny:
    req: int
    transfer: bytes
    reason: str
    path: str | None = None

    def encode(self) -> bytes:
        path = {"path": self.path} if self.path is not None else {}
        return strictjson.dumps({"type": "deny", "req": self.req, "transfer": self.transfer.hex(), "reason": self.reason, **path})


Message = Hello | Turn | Turned | Prekeys | CatalogGet | Catalog | Resolve | Resolved | Want | GrantMessage | Deny


def parse(payload: bytes) -> Message | None:
    """None for a message of a type that nobody here knows. What breaks a rule is refused."""
    value = strictjson.loads(payload)
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise Refused(Failure.JSON, "not an object with a type")
    reader = _READERS.get(value["type"])
    return reader(_Members(value)) if reader is not None else None


def type_of(payload: bytes) -> str:
    """Of a payload of our own."""
    return str(strictjson.loads(payload)["type"])


class _Members:
    def __init__(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise Refused(Failure.JSON, "not an object")
        self._value = value

    def get(self, key: str) -> Any:
        return self._value.get(key)

    def integer(self, key: str, minimum: int = 0, maximum: int = strictjson.MAXIMUM_INTEGER) -> int:
        value = self._value.get(key)
        if type(value) is not int or not minimum <= value <= maximum:
            raise Refused(Failure.JSON, f"{key} is no number in range")
        return value

    def text(self, key: str, maximum: int) -> str:
        value = self._value.get(key)
        if not isinstance(value, str) or len(value.encode()) > maximum:
            raise Refused(Failure.JSON, f"{key} is no text of a fit length")
        return value

    def optional_text(self, key: str, maximum: int) -> str | None:
        return None if self._value.get(key) is None else self.text(key, maximum)

    def array(self, key: str, maximum: int) -> list[Any]:
        value = self._value.get(key)
        if not isinstance(value, list) or len(value) > maximum:
            raise Refused(Failure.JSON, f"{key} is no list of a fit length")
        return value

    def id(self, key: str) -> bytes:
        return parse_id(self._value.get(key))

    def key(self, key: str) -> bytes:
        return parse_key(self._value.get(key))

    def name(self) -> str:
        name = self.text("name", 128)
        require(is_artifact_name(name), Failure.JSON, "not an artifact's name")
        return name

    def version(self) -> int:
        return self.integer("version", 1, MAXIMUM_VERSION)


def _hello(m: _Members) -> Hello:
    name = m.text("name", 64)
    require(name.isascii() and is_name(name.encode()), Failure.JSON, "not a name")
    addresses = []
    for text in m.array("addresses", MAXIMUM_ADDRESSES):
        require(isinstance(text, str) and len(text.encode()) <= MAXIMUM_ADDRESS_BYTES, Failure.JSON, "no text of a fit length")
        try:
            addresses.append(Address.parse(text))
        except Refused:
            continue
    return Hello(name, tuple(addresses))


def _prekeys(m: _Members) -> Prekeys:
    text = m.text("bundle", MAXIMUM_BUNDLE_TEXT)
    try:
        bundle = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(Failure.JSON, "not base64") from None
    require(base64.b64encode(bundle).decode() == text, Failure.JSON, "base64 in another form than the one there is")
    return Prekeys(bundle)


def _entry(value: Any) -> Entry:
    m = _Members(value)
    return Entry(
        m.name(),
        m.version(),
        m.key("digest"),
        m.integer("bytes"),
        m.integer("files", 0, MAXIMUM_FILES),
        m.text("note", MAXIMUM_NOTE_BYTES),
        m.integer("created"),
        m.key("publisher"),
    )


def _catalog(m: _Members) -> Catalog:
    entries = tuple(_entry(value) for value in m.array("entries", MAXIMUM_ENTRIES))
    order = [(entry.name.encode(), entry.version) for entry in entries]
    require(all(a < b for a, b in zip(order, order[1:])), Failure.JSON, "the entries are not sorted")
    after = m.optional_text("next", MAXIMUM_CURSOR_BYTES)
    require(after is None or (bool(entries) and after == entries[-1].cursor), Failure.JSON, "next is not the last entry")
    return Catalog(m.integer("req"), entries, after)


def _resolve(m: _Members) -> Resolve:
    return Resolve(m.integer("req"), m.name(), m.version() if m.get("version") is not None else None)


def _resolved(m: _Members) -> Resolved:
    return Resolved(m.integer("req"), _entry(m.get("entry")) if m.get("entry") is not None else None)


def _want(m: _Members) -> Want:
    aeads = m.array("aeads", MAXIMUM_AEADS)
    require(all(type(aead) is int for aead in aeads), Failure.JSON, "an aead that is no number")
    connection = _Members(m.get("connection"))
    return Want(
        m.integer("req"),
        m.id("transfer"),
        m.key("digest"),
        m.integer("kind", 0, 2),
        parse_ranges(m.get("ranges")),
        tuple(aeads),
        connection.id("cid"),
        connection.key("ckey") if connection.get("ckey") is not None else None,
    )


def _grant(m: _Members) -> GrantMessage:
    kind = m.integer("kind", 0, 2)
    require((kind == 1) == (m.get("bytes") is not None), Failure.JSON, "bytes goes with kind 1 alone")
    return GrantMessage(
        m.integer("req"),
        m.id("gid"),
        m.key("secret"),
        kind,
        m.integer("aead", 1, 2),
        m.key("digest"),
        m.id("transfer"),
        parse_ranges(m.get("ranges")),
        m.id("cid"),
        m.integer("bytes", 1, MAXIMUM_OBJECT_BYTES) if kind == 1 else None,
    )


def _deny(m: _Members) -> Deny:
    reason = m.text("reason", 64)
    # A later version's reason says no more than that it is not now.
    reason = reason if reason in DENY_REASONS else "busy"
    path = m.optional_text("path", 1_024)
    require(path is None or is_path(path), Failure.JSON, "not a path")
    return Deny(m.integer("req"), m.id("transfer"), reason, path)


_READERS: dict[str, Callable[[_Members], Message]] = {
    "hello": _hello,
    "turn": lambda m: Turn(),
    "turned": lambda m: Turned(),
    "prekeys": _prekeys,
    "catalog.get": lambda m: CatalogGet(m.integer("req"), m.optional_text("after", MAXIMUM_CURSOR_BYTES)),
    "catalog": _catalog,
    "resolve": _resolve,
    "resolved": _resolved,
    "want": _want,
    "grant": _grant,
    "deny": _deny,
}
