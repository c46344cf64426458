"""Prekeys and the signed bundles that hand them over (§6)."""

from dataclasses import dataclass, field

from .errors import Failure, require
from .identity import SIGNATURE_BYTES, Identity, Record
from .primitives import EK1024_BYTES, SYSTEM, Entropy, check_kem_key, kem1024_public, x25519_public
from .wire import Reader, u16, u32, u64

MAXIMUM_PAIRS = 16
MAXIMUM_BYTES = 30_777
LIFE_SECONDS = 30 * 86_400
CLOCK_SKEW_SECONDS = 3_600
LAG_SECONDS = 7 * 86_400
NO_NONCE = bytes(16)
_EC, _KEM = b"\x05", b"\x0a"


def ec(key: bytes) -> bytes:
    """EC(k): 05 ‖ X25519 key 32."""
    return _EC + key


def kem1024(key: bytes) -> bytes:
    """KEM1024(k): 0A ‖ ML-KEM-1024 key 1,568."""
    return _KEM + key


def read_ec(reader: Reader) -> bytes:
    reader.literal(_EC, "the type of an X25519 key")
    return reader.take(32)


def read_kem1024(reader: Reader) -> bytes:
    reader.literal(_KEM, "the type of an ML-KEM key")
    key = reader.take(EK1024_BYTES)
    check_kem_key(key, 4)
    return key


@dataclass(frozen=True)
class PublicPair:
    """The public halves of a signed prekey pair or of a one-time pair."""

    id: int
    x25519: bytes
    kem: bytes = field(repr=False)

    def encode(self) -> bytes:
        return u32(self.id) + ec(self.x25519) + kem1024(self.kem)


@dataclass(frozen=True)
class PrivatePair:
    """The private halves: an X25519 key of 32 bytes and an ML-KEM-1024 seed of 64."""

    id: int
    x25519: bytes = field(repr=False)
    kem: bytes = field(repr=False)

    @classmethod
    def generate(cls, id: int, entropy: Entropy = SYSTEM) -> "PrivatePair":
        """Draws 32 and then 64 bytes."""
        return cls(id, entropy.draw(32), entropy.draw(64))

    @property
    def public(self) -> PublicPair:
        return PublicPair(self.id, x25519_public(self.x25519), kem1024_public(self.kem))


@dataclass(frozen=True)
class Bundle:
    owner: bytes
    addressee: bytes
    nonce: bytes
    issued: int
    expires: int
    prekeys: PublicPair
    pairs: tuple[PublicPair, ...] = ()
    signature: bytes = field(default=b"", repr=False)

    @property
    def body(self) -> bytes:
        return (
            self.owner
            + self.addressee
            + self.nonce
            + u64(self.issued)
            + u64(self.expires)
            + u32(self.prekeys.id)
            + ec(self.prekeys.x25519)
            + u32(self.prekeys.id)
            + kem1024(self.prekeys.kem)
            + u16(len(self.pairs))
            + b"".join(pair.encode() for pair in self.pairs)
        )

    def encode(self) -> bytes:
        return self.body + self.signature

    @classmethod
    def issue(
        cls,
        identity: Identity,
        addressee: bytes,
        prekeys: PublicPair,
        now: int,
        nonce: bytes = NO_NONCE,
        pairs: tuple[PublicPair, ...] = (),
        life: int = LIFE_SECONDS,
    ) -> "Bundle":
        """Made and signed now, good for `life` seconds."""
        unsigned = cls(identity.node_id, addressee, nonce, now, now + life, prekeys, pairs)
        signature = identity.sign("bundle", unsigned.body)
        return cls(identity.node_id, addressee, nonce, now, now + life, prekeys, pairs, signature)

    @classmethod
    def parse(cls, data: bytes) -> "Bundle":
        """Its form only; `check` says whether it may be used."""
        require(len(data) <= MAXIMUM_BYTES, Failure.LIMIT, "the bundle is too long")
        reader = Reader(data, "a bundle")
        owner, addressee, nonce = reader.take(32), reader.take(32), reader.take(16)
        issued, expires = reader.u64(), reader.u64()
        spk_id, spk = reader.u32(), read_ec(reader)
        pqspk_id, pqspk = reader.u32(), read_kem1024(reader)
        require(spk_id == pqspk_id, Failure.FORMAT, "the ids of the signed prekeys differ")
        count = reader.u16()
        require(count <= MAXIMUM_PAIRS, Failure.LIMIT, "too many pairs")
        pairs = tuple(PublicPair(reader.u32(), read_ec(reader), read_kem1024(reader)) for _ in range(count))
        ids = {pair.id for pair in pairs}
        require(0 not in ids and len(ids) == count, Failure.FORMAT, "a pair without an id, or two with the same")
        bundle = cls(owner, addressee, nonce, issued, expires, PublicPair(spk_id, spk, pqspk), pairs, reader.take(SIGNATURE_BYTES))
        reader.end()
        return bundle

    def check(self, owner: Record, addressee: bytes, now: int) -> None:
        """Owner and addressee are who they must be, it is in time, and its signature verifies under the pinned record."""
        require(self.owner == owner.node_id, Failure.IDENTITY, "the bundle is somebody else's")
        require(self.addressee == addressee, Failure.IDENTITY, "the bundle is for somebody else")
        require(self.issued <= self.expires <= self.issued + LIFE_SECONDS, Failure.FORMAT, "the bundle lives too long")
        require(self.issued <= now + CLOCK_SKEW_SECONDS, Failure.TIME, "the bundle is from the future")
        require(now < self.expires + CLOCK_SKEW_SECONDS, Failure.TIME, "the bundle has expired")
        owner.verify("bundle", self.body, self.signature)

    def check_lag(self, newest: int, now: int) -> None:
        """In an INIT: not much older than the newest one of its sender that is known. What a clock that was ahead took for new does not count."""
        if newest <= now + CLOCK_SKEW_SECONDS:
            require(self.issued + LAG_SECONDS >= newest, Failure.TIME, "a bundle of long ago, though a newer one is known")
