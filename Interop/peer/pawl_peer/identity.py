"""Identities, their records, signatures and safety numbers (§2)."""

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey

from .errors import Failure, Refused, require
from .primitives import SYSTEM, Entropy, sha256, x25519_public
from .wire import Reader

RECORD_BODY_BYTES = 2_063
RECORD_BYTES = 5_436
SIGNATURE_BYTES = 3_373
_RECORD_LABEL = b"pawl/1 identity"
_ED25519_SIGNATURE_BYTES = 64

# Curve25519's prime, the order of its base point, and the y of the points whose order divides eight.
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_Y_OF_ORDER_8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_SMALL_ORDER_Y = frozenset({0, 1, _P - 1, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8})


def _is_good_point(encoded: bytes) -> bool:
    """Canonical, and not of small order. (That it is on the curve shows when the library decodes it.)

    The two points with x = 0, whose sign bit would have to be zero, are of small order anyway.
    """
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    return y < _P and y not in _SMALL_ORDER_Y


def check_ed25519_key(key: bytes) -> None:
    require(_is_good_point(key), Failure.KEY, "an Ed25519 key that is not canonical or of small order")
    require(_is_on_curve(key), Failure.KEY, "an Ed25519 key that is no point of the curve")


def _is_on_curve(encoded: bytes) -> bool:
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    d = -121665 * pow(121666, -1, _P) % _P
    x_squared = (y * y - 1) * pow(d * y * y + 1, -1, _P) % _P
    return pow(x_squared, (_P - 1) // 2, _P) in (0, 1)


def verify_ed25519(key: bytes, message: bytes, signature: bytes) -> None:
    """Strict: S < L, A and R canonical and not of small order, the equation without the cofactor.

    OpenSSL compares R byte for byte with the encoding of what it computes, so without a cofactor. The rest is checked here first.
    """
    check_ed25519_key(key)
    require(len(signature) == _ED25519_SIGNATURE_BYTES, Failure.FORMAT, "an Ed25519 signature of a wrong length")
    require(int.from_bytes(signature[32:], "little") < _L, Failure.SIGNATURE, "S is not below L")
    require(_is_good_point(signature[:32]), Failure.SIGNATURE, "R is not canonical or of small order")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        raise Refused(Failure.SIGNATURE, "the Ed25519 half does not verify") from None


def pre_authentication(kind: str, body: bytes) -> bytes:
    """DSSE's PAE of a body of type application/vnd.pawl.KIND.v1."""
    content_type = f"application/vnd.pawl.{kind}.v1".encode()
    return b"DSSEv1 %d %b %d %b" % (len(content_type), content_type, len(body), body)


@dataclass(frozen=True)
class Record:
    """The public half of an identity. `parse` gives out genuine ones only."""

    ed25519: bytes
    mldsa: bytes
    link: bytes
    agreement: bytes
    signature: bytes = field(repr=False)

    @property
    def body(self) -> bytes:
        return _RECORD_LABEL + self.ed25519 + self.mldsa + self.link + self.agreement

    @property
    def node_id(self) -> bytes:
        return sha256(self.body)

    def encode(self) -> bytes:
        return self.body + self.signature

    @classmethod
    def parse(cls, data: bytes) -> "Record":
        reader = Reader(data, "a record")
        reader.literal(_RECORD_LABEL, "the label")
        record = cls(reader.take(32), reader.take(1_952), reader.take(32), reader.take(32), reader.take(SIGNATURE_BYTES))
        reader.end()
        check_ed25519_key(record.ed25519)
        record.verify("identity", record.body, record.signature)
        return record

    def verify(self, kind: str, body: bytes, signature: bytes) -> None:
        """Both halves of Sig(kind, body) must verify."""
        require(len(signature) == SIGNATURE_BYTES, Failure.FORMAT, "a signature of a wrong length")
        message = pre_authentication(kind, body)
        verify_ed25519(self.ed25519, message, signature[:_ED25519_SIGNATURE_BYTES])
        try:
            MLDSA65PublicKey.from_public_bytes(self.mldsa).verify(signature[_ED25519_SIGNATURE_BYTES:], message)
        except InvalidSignature:
            raise Refused(Failure.SIGNATURE, "the ML-DSA half does not verify") from None


@dataclass(frozen=True)
class Identity:
    """The four private keys, each 32 bytes (the ML-DSA one a seed), and the record that speaks for them."""

    ed25519_seed: bytes = field(repr=False)
    mldsa_seed: bytes = field(repr=False)
    link_private: bytes = field(repr=False)
    agreement_private: bytes = field(repr=False)
    record: Record

    @property
    def node_id(self) -> bytes:
        return self.record.node_id

    @classmethod
    def generate(cls, entropy: Entropy = SYSTEM) -> "Identity":
        """Draws the Ed25519 seed, the ML-DSA seed, the link key and the agreement key, 32 bytes each."""
        return cls.from_seeds(*(entropy.draw(32) for _ in range(4)))

    @classmethod
    def from_seeds(cls, ed25519: bytes, mldsa: bytes, link: bytes, agreement: bytes, record: bytes | None = None) -> "Identity":
        """With its record as it was kept, or signed anew (ML-DSA signatures differ each time)."""
        if record is not None:
            return cls(ed25519, mldsa, link, agreement, Record.parse(record))
        unsigned = Record(
            Ed25519PrivateKey.from_private_bytes(ed25519).public_key().public_bytes_raw(),
            MLDSA65PrivateKey.from_seed_bytes(mldsa).public_key().public_bytes_raw(),
            x25519_public(link),
            x25519_public(agreement),
            b"",
        )
        signature = cls(ed25519, mldsa, link, agreement, unsigned).sign("identity", unsigned.body)
        signed = Record(unsigned.ed25519, unsigned.mldsa, unsigned.link, unsigned.agreement, signature)
        return cls(ed25519, mldsa, link, agreement, signed)

    def sign(self, kind: str, body: bytes) -> bytes:
        """Sig(kind, body), 3,373 bytes."""
        message = pre_authentication(kind, body)
        return Ed25519PrivateKey.from_private_bytes(self.ed25519_seed).sign(message) + MLDSA65PrivateKey.from_seed_bytes(self.mldsa_seed).sign(
            message
        )


def safety_digits(node_id: bytes) -> str:
    """One side's 30 digits."""
    digest = hashlib.sha512(b"\x00\x00" + node_id + b"pawl/1 safety" + node_id).digest()
    for _ in range(5_199):
        digest = hashlib.sha512(digest + node_id).digest()
    groups = (int.from_bytes(digest[at : at + 5], "big") % 100_000 for at in range(0, 30, 5))
    return "".join(f"{group:05d}" for group in groups)


def safety_number(one: bytes, other: bytes) -> str:
    """60 digits, the same whoever computes them."""
    return "".join(sorted([safety_digits(one), safety_digits(other)]))
