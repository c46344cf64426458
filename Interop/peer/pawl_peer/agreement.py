"""Key agreement: PQXDH, and the INIT that carries it (§7)."""

from dataclasses import dataclass, field

from .bundle import Bundle, PrivatePair, PublicPair, ec, kem1024, read_ec
from .errors import Failure, require
from .identity import Identity, Record
from .primitives import CT1024_BYTES, SYSTEM, Entropy, cut, decapsulate1024, dh, hkdf, sha256, x25519_public
from .wire import Reader, lp, u16, u32

INIT0_BYTES = 6_765
SIGNED_BUNDLE_BYTES = 5_081
SUITE = 1
_VERSION = b"\x01"
_SECRET_INFO = b"PawlSession1_CURVE25519_SHA-256_ML-KEM-1024"


@dataclass(frozen=True)
class Roots:
    """What both sides begin a session with. The starter is A."""

    root_ec: bytes = field(repr=False)
    root_pq: bytes = field(repr=False)
    header_key_a: bytes = field(repr=False)
    next_header_key_b: bytes = field(repr=False)
    sid: bytes
    associated_data: bytes = field(repr=False)


@dataclass(frozen=True)
class Init0:
    starter: bytes
    responder: bytes
    ephemeral: bytes
    prekey_id: int
    pair_id: int
    ciphertext: bytes = field(repr=False)
    bundle: bytes = field(repr=False)

    def encode(self) -> bytes:
        return (
            _VERSION
            + u16(SUITE)
            + self.starter
            + self.responder
            + ec(self.ephemeral)
            + u32(self.prekey_id) * 2
            + u32(self.pair_id)
            + self.ciphertext
            + lp(self.bundle)
        )

    @classmethod
    def read(cls, reader: Reader) -> "Init0":
        reader.literal(_VERSION, "the version")
        require(reader.u16() == SUITE, Failure.FORMAT, "the suite is unknown")
        starter, responder, ephemeral = reader.take(32), reader.take(32), read_ec(reader)
        spk_id, pqspk_id, pair_id = reader.u32(), reader.u32(), reader.u32()
        require(spk_id == pqspk_id, Failure.FORMAT, "the ids of the signed prekeys differ")
        ciphertext, bundle = reader.take(CT1024_BYTES), reader.lp(SIGNED_BUNDLE_BYTES)
        require(len(bundle) == SIGNED_BUNDLE_BYTES, Failure.FORMAT, "the bundle in an INIT has another length")
        return cls(starter, responder, ephemeral, spk_id, pair_id, ciphertext, bundle)

    @classmethod
    def parse(cls, data: bytes) -> "Init0":
        reader = Reader(data, "an INIT")
        init0 = cls.read(reader)
        reader.end()
        return init0

    @property
    def replay_digest(self) -> bytes:
        """H(EK_A ‖ ct), by which an INIT is known again."""
        return sha256(self.ephemeral, self.ciphertext)


@dataclass(frozen=True)
class Agreement:
    """A's side of a key agreement."""

    init0: Init0
    roots: Roots
    signed_prekey: bytes  # SPK_B, which the first chain of A's ratchet answers


def start(identity: Identity, peer: Record, bundle: Bundle, own_bundle: bytes, pair: PublicPair | None, entropy: Entropy = SYSTEM) -> Agreement:
    """A's side, against a bundle that was checked, with one of its pairs or none. `own_bundle` has nonce zero and no pairs.

    Draws EK_A (32 bytes), then encapsulates to ML-KEM-1024.
    """
    ek = entropy.draw(32)
    secrets = [
        dh(identity.agreement_private, bundle.prekeys.x25519),
        dh(ek, peer.agreement),
        dh(ek, bundle.prekeys.x25519),
    ]
    if pair is not None:
        secrets.append(dh(ek, pair.x25519))
    encapsulated_to = pair or bundle.prekeys
    ciphertext, shared = entropy.encapsulate1024(encapsulated_to.kem)
    init0 = Init0(
        identity.node_id,
        peer.node_id,
        x25519_public(ek),
        bundle.prekeys.id,
        pair.id if pair is not None else 0,
        ciphertext,
        own_bundle,
    )
    roots = _roots(init0, bundle.prekeys, pair, [*secrets, shared])
    return Agreement(init0, roots, bundle.prekeys.x25519)


def answer(identity: Identity, peer: Record, init0: Init0, prekeys: PrivatePair, pair: PrivatePair | None) -> Roots:
    """B's side, with the private halves that INIT0 names."""
    secrets = [
        dh(prekeys.x25519, peer.agreement),
        dh(identity.agreement_private, init0.ephemeral),
        dh(prekeys.x25519, init0.ephemeral),
    ]
    if pair is not None:
        secrets.append(dh(pair.x25519, init0.ephemeral))
    secrets.append(decapsulate1024((pair or prekeys).kem, init0.ciphertext))
    return _roots(init0, prekeys.public, pair.public if pair is not None else None, secrets)


def _roots(init0: Init0, prekeys: PublicPair, pair: PublicPair | None, secrets: list[bytes]) -> Roots:
    key = hkdf(bytes(32), b"\xff" * 32 + b"".join(secrets), _SECRET_INFO, 32)
    transcript = sha256(
        b"pawl/1 init",
        sha256(init0.encode()),
        ec(prekeys.x25519),
        ec(pair.x25519) if pair is not None else b"",
        kem1024((pair or prekeys).kem),
    )
    root_ec, root_pq, header_key_a, next_header_key_b, x = cut(hkdf(transcript, key, b"pawl/1 session roots", 160), 32, 32, 32, 32, 32)
    sid = x[:16]
    associated_data = b"pawl/1 env" + init0.starter + init0.responder + transcript + sid
    return Roots(root_ec, root_pq, header_key_a, next_header_key_b, sid, associated_data)
