"""Envelopes: the sealed form of one message, and the letter inside it (§9)."""

from dataclasses import dataclass, field

from .agreement import Roots
from .errors import Failure, Refused, require
from .primitives import SYSTEM, TAG_BYTES, Entropy, chacha_open, chacha_seal, cut, equal, expand, extract
from .ratchet import HEADER_BYTES, SHORT_HEADER_BYTES, Header, MessageKeys, Opened, Ratchet, ShortHeader
from .wire import Reader, u16, u32, u64

MAXIMUM_BYTES = 53_117
MAXIMUM_PAYLOAD_BYTES = 49_132
NAME_BYTES = 16
_HEAD = b"\x01\x45"
_SALT_BYTES, _COMMIT_BYTES = 16, 32
_COUNTER_BYTES = 20
_PADDED = (256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768, 49_152)
_SEALED_HEADER_BYTES = frozenset(length + TAG_BYTES for length in (SHORT_HEADER_BYTES, *HEADER_BYTES.values()))


@dataclass(frozen=True)
class Letter:
    """The plaintext of an envelope: seq u64 ‖ seen u64 ‖ length u32 ‖ JSON ‖ zeros."""

    seq: int
    seen: int
    payload: bytes

    def encode(self) -> bytes:
        require(len(self.payload) <= MAXIMUM_PAYLOAD_BYTES, Failure.LIMIT, "the payload is too long for an envelope")
        data = u64(self.seq) + u64(self.seen) + u32(len(self.payload)) + self.payload
        return data.ljust(padded_length(len(self.payload)), b"\0")

    @classmethod
    def parse(cls, data: bytes) -> "Letter":
        reader = Reader(data, "a letter")
        seq, seen, length = reader.u64(), reader.u64(), reader.u32()
        require(seq > 0, Failure.FORMAT, "sequence numbers count from 1")
        require(length <= MAXIMUM_PAYLOAD_BYTES, Failure.LIMIT, "the payload is too long")
        require(len(data) == padded_length(length), Failure.FORMAT, "padded to a wrong length")
        payload = reader.take(length)
        require(not any(reader.rest()), Failure.FORMAT, "padding that is not zero")
        return cls(seq, seen, payload)


def padded_length(payload_bytes: int) -> int:
    return next(size for size in _PADDED if payload_bytes + _COUNTER_BYTES <= size)


@dataclass(frozen=True)
class Envelope:
    """01 ‖ 45 ‖ salt 16 ‖ |EH| u16 ‖ EH ‖ commit 32 ‖ C."""

    salt: bytes
    sealed_header: bytes = field(repr=False)
    commit: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)

    @property
    def before_ciphertext(self) -> bytes:
        return _HEAD + self.salt + u16(len(self.sealed_header)) + self.sealed_header + self.commit

    def encode(self) -> bytes:
        return self.before_ciphertext + self.ciphertext

    @classmethod
    def parse(cls, data: bytes) -> "Envelope":
        require(len(data) <= MAXIMUM_BYTES, Failure.LIMIT, "the envelope is too long")
        reader = Reader(data, "an envelope")
        reader.literal(_HEAD, "the version or type")
        salt, header_length = reader.take(_SALT_BYTES), reader.u16()
        require(header_length in _SEALED_HEADER_BYTES, Failure.FORMAT, "a sealed header of a wrong length")
        header, commit, ciphertext = reader.take(header_length), reader.take(_COMMIT_BYTES), reader.rest()
        require(len(ciphertext) - TAG_BYTES in _PADDED, Failure.FORMAT, "a ciphertext of a wrong length")
        return cls(salt, header, commit, ciphertext)

    @property
    def is_short(self) -> bool:
        return len(self.sealed_header) == SHORT_HEADER_BYTES + TAG_BYTES

    def open_header(self, header_key: bytes) -> bytes | None:
        """The header's bytes, or None if this is not its key."""
        key, nonce = _header_secrets(header_key, self.salt)
        try:
            return chacha_open(key, nonce, self.sealed_header, _HEAD + self.salt)
        except Refused:
            return None

    def open_message(self, keys: MessageKeys, associated_data: bytes) -> bytes:
        key, nonce, commit = _message_secrets(keys, self.salt)
        require(equal(commit, self.commit), Failure.TAG, "the commitment does not match")
        return chacha_open(key, nonce, self.ciphertext, associated_data + self.before_ciphertext)


def name(data: bytes) -> bytes:
    """commit[0:16], by which an envelope is acknowledged and known again. What does not parse has none."""
    return Envelope.parse(data).commit[:NAME_BYTES]


def seal(
    ratchet: Ratchet, associated_data: bytes, plaintext: bytes, entropy: Entropy = SYSTEM, known: bool = False
) -> tuple[Ratchet, bytes]:
    """(state after it, envelope). Draws what a new chain draws, then the salt (16 bytes). `known`: the other side knows the chain."""
    ratchet, header_key, header, keys = ratchet.next_message(entropy, known)
    return ratchet, seal_with(header_key, header, keys, associated_data, plaintext, entropy.draw(_SALT_BYTES))


def seal_with(header_key: bytes, header: Header | ShortHeader, keys: MessageKeys, associated_data: bytes, plaintext: bytes, salt: bytes) -> bytes:
    """An envelope from all that goes into it."""
    key, nonce = _header_secrets(header_key, salt)
    sealed_header = chacha_seal(key, nonce, header.encode(), _HEAD + salt)
    key, nonce, commit = _message_secrets(keys, salt)
    unfinished = Envelope(salt, sealed_header, commit, b"")
    ciphertext = chacha_seal(key, nonce, plaintext, associated_data + unfinished.before_ciphertext)
    return unfinished.before_ciphertext + ciphertext


def open(ratchet: Ratchet, associated_data: bytes, data: bytes, now: int, may_be_short: bool = True) -> tuple[Opened, bytes]:
    """(what the header led to, plaintext). Nothing of it counts before the caller keeps the new state.

    Only what comes on a link and in no INIT may have a short header.
    """
    envelope = Envelope.parse(data)
    require(may_be_short or not envelope.is_short, Failure.FORMAT, "a short header where none may be")
    opened = ratchet.receive(envelope.open_header, now)
    return opened, envelope.open_message(opened.keys, associated_data)


def open_first(roots: Roots, spk_private: bytes, peer_pqspk: bytes, data: bytes, now: int) -> tuple[Opened, bytes]:
    """The envelope in INIT, with which B's ratchet begins."""
    envelope = Envelope.parse(data)
    opened = Ratchet.begin_as_responder(roots, spk_private, peer_pqspk, envelope.open_header, now)
    return opened, envelope.open_message(opened.keys, roots.associated_data)


def _header_secrets(header_key: bytes, salt: bytes) -> tuple[bytes, bytes]:
    key, nonce = cut(expand(header_key, b"pawl/1 header" + salt, 44), 32, 12)
    return key, nonce


def _message_secrets(keys: MessageKeys, salt: bytes) -> tuple[bytes, bytes, bytes]:
    prk = extract(keys.pq, keys.ec)
    key, nonce, commit = cut(expand(prk, b"pawl/1 message" + salt, 76), 32, 12, 32)
    return key, nonce, commit
