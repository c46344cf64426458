"""Grants: their keys, their ranges, and the frames that travel under them (§11)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .errors import Failure, Refused, require
from .manifest import Manifest
from .primitives import TAG_BYTES, aes_gcm_open, aes_gcm_seal, chacha_open, chacha_seal, hkdf, hmac
from .tree import LEAF_BYTES, chunk_count, chunk_length
from .wire import Reader, u8, u32, u64

CHUNKS, MANIFEST, LEAVES = 0, 1, 2
AES_256_GCM, CHACHA20_POLY1305 = 1, 2
GRANT_BYTES = 67_108_864
PIECE_BYTES = 1_048_576
MAXIMUM_RANGES = 2_048
HEADER_BYTES = 32
ATTACH_BYTES = 48
_ID = re.compile("[0-9a-f]{32}")
_KEY = re.compile("[0-9a-f]{64}")
Range = tuple[int, int, int]  # file, first, count
_OVERHEAD = 28 + TAG_BYTES


def grant_key(secret: bytes, kind: int, aead: int, sid: bytes, server: bytes, puller: bytes, transfer: bytes, gid: bytes, digest: bytes) -> bytes:
    """`sid` is the session of the envelope that carries the grant."""
    info = b"pawl/1 segment" + u8(kind) + u8(aead) + sid + server + puller + transfer + gid + digest
    return hkdf(bytes(32), secret, info, 32)


def attach_message(cid: bytes, ckey: bytes) -> bytes:
    """cid 16 ‖ proof 32: what follows the first byte of a data connection."""
    return cid + hmac(ckey, b"pawl/1 attach" + cid)


@dataclass(frozen=True)
class FrameHeader:
    """length u32 ‖ gid 16 ‖ file u32 ‖ chunk u64."""

    length: int
    gid: bytes
    file: int
    chunk: int

    @property
    def plaintext_bytes(self) -> int:
        return self.length - _OVERHEAD

    @property
    def sealed_bytes(self) -> int:
        """What is still to be read: ciphertext and tag."""
        return self.plaintext_bytes + TAG_BYTES

    def encode(self) -> bytes:
        return u32(self.length) + self.gid + u32(self.file) + u64(self.chunk)

    @classmethod
    def parse(cls, data: bytes) -> "FrameHeader":
        reader = Reader(data, "a frame's header")
        header = cls(reader.u32(), reader.take(16), reader.u32(), reader.u64())
        reader.end()
        require(header.plaintext_bytes >= 1, Failure.FORMAT, "a frame without a byte")
        return header


def seal_frame(key: bytes, aead: int, gid: bytes, file: int, chunk: int, plaintext: bytes) -> bytes:
    header = FrameHeader(len(plaintext) + _OVERHEAD, gid, file, chunk).encode()
    seal = aes_gcm_seal if aead == AES_256_GCM else chacha_seal
    return header + seal(key, header[20:], plaintext, header)


def open_frame(key: bytes, aead: int, frame: bytes) -> tuple[FrameHeader, bytes]:
    """(header, plaintext) of a whole frame."""
    encoded = frame[:HEADER_BYTES]
    header = FrameHeader.parse(encoded)
    require(len(frame) == HEADER_BYTES + header.sealed_bytes, Failure.FORMAT, "a frame of a wrong length")
    open_ = aes_gcm_open if aead == AES_256_GCM else chacha_open
    return header, open_(key, encoded[20:], frame[HEADER_BYTES:], encoded)


def parse_ranges(value: Any) -> tuple[Range, ...]:
    """`[file, first, count]` each, sorted by file and first, without overlap."""
    require(isinstance(value, list) and len(value) <= MAXIMUM_RANGES, Failure.JSON, "not a list of ranges")
    ranges: list[Range] = []
    for item in value:
        good = isinstance(item, list) and len(item) == 3 and all(type(number) is int for number in item)
        require(good, Failure.JSON, "not a range")
        file, first, count = item
        require(file <= 99_999 and first <= 65_535 and 1 <= count <= 65_536, Failure.JSON, "a range out of range")
        if ranges:
            before = ranges[-1]
            sorted_apart = before[0] < file or (before[0] == file and before[1] + before[2] <= first)
            require(sorted_apart, Failure.JSON, "ranges not sorted, or overlapping")
        ranges.append((file, first, count))
    return tuple(ranges)


@dataclass(frozen=True)
class Piece:
    """One frame that a grant owes: its place, and the length of its plaintext."""

    file: int
    chunk: int
    length: int


def pieces(kind: int, ranges: tuple[Range, ...], manifest: Manifest | None, object_bytes: int = 0) -> list[Piece]:
    """Every frame under a grant, in order. What is not there, or above 64 MiB together, is refused."""
    if kind == MANIFEST:
        require(not ranges, Failure.CONTENT, "ranges for a manifest")
        return [Piece(0, index, _piece_length(object_bytes, index)) for index in range(chunk_count(object_bytes, PIECE_BYTES))]
    assert manifest is not None
    require(bool(ranges), Failure.CONTENT, "no ranges")
    found, total = [], 0
    for piece in _named(kind, ranges, manifest):
        total += piece.length
        require(total <= GRANT_BYTES, Failure.LIMIT, "more than a grant may hold")
        found.append(piece)
    return found


def _named(kind: int, ranges: tuple[Range, ...], manifest: Manifest) -> Iterator[Piece]:
    for file_index, first, count in ranges:
        require(file_index < len(manifest.files), Failure.CONTENT, "no such file")
        file = manifest.files[file_index]
        chunks = chunk_count(file.size, manifest.chunk)
        size, unit = (file.size, manifest.chunk) if kind == CHUNKS else (chunks * LEAF_BYTES, PIECE_BYTES)
        require(first + count <= chunk_count(size, unit), Failure.CONTENT, "no such chunk")
        for index in range(first, first + count):
            yield Piece(file_index, index, chunk_length(size, unit, index))


def _piece_length(size: int, index: int) -> int:
    return chunk_length(size, PIECE_BYTES, index)


@dataclass(frozen=True)
class Grant:
    """What both sides know of one grant."""

    gid: bytes
    kind: int
    aead: int
    key: bytes = field(repr=False)
    pieces: tuple[Piece, ...] = field(repr=False)


def parse_id(value: Any) -> bytes:
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise Refused(Failure.JSON, "not an id")
    return bytes.fromhex(value)


def parse_key(value: Any) -> bytes:
    if not isinstance(value, str) or _KEY.fullmatch(value) is None:
        raise Refused(Failure.JSON, "not a key or digest")
    return bytes.fromhex(value)
