"""The published primitives, and the one place that randomness comes from.

Private keys are byte strings: X25519 32 bytes, ML-KEM seeds d ‖ z of 64 bytes. Everything is checked here as §1 and §2 ask for, also where
the library below is laxer.
"""

import hashlib
import hmac as _hmac
import os
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
    MLKEM1024PrivateKey,
    MLKEM1024PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from .errors import Failure, Refused, require

EK768_BYTES, CT768_BYTES = 1_184, 1_088
EK1024_BYTES, CT1024_BYTES = 1_568, 1_568
TAG_BYTES = 16
_KEM_MODULUS = 3_329


def sha256(*parts: bytes) -> bytes:
    """H over the parts joined."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def hmac(key: bytes, message: bytes) -> bytes:
    return _hmac.digest(key, message, "sha256")


def extract(salt: bytes, ikm: bytes) -> bytes:
    return hmac(salt, ikm)


def expand(prk: bytes, info: bytes, length: int) -> bytes:
    block, output, counter = b"", b"", 1
    while len(output) < length:
        block = hmac(prk, block + info + bytes([counter]))
        output += block
        counter += 1
    return output[:length]


def hkdf(salt: bytes, ikm: bytes, info: bytes, length: int) -> bytes:
    return expand(extract(salt, ikm), info, length)


def cut(value: bytes, *lengths: int) -> list[bytes]:
    """The pieces of a derived value, in order."""
    pieces, at = [], 0
    for length in lengths:
        pieces.append(value[at : at + length])
        at += length
    assert at == len(value), "a derived value is cut up whole"
    return pieces


def equal(a: bytes, b: bytes) -> bool:
    """In constant time."""
    return _hmac.compare_digest(a, b)


def x25519_public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def dh(private: bytes, public: bytes) -> bytes:
    """X25519; a result of zeros, which low-order points give, is refused."""
    try:
        shared = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise Refused(Failure.KEY, "the X25519 secret is zero") from None
    require(any(shared), Failure.KEY, "the X25519 secret is zero")
    return shared


def check_kem_key(key: bytes, rank: int) -> None:
    """The modulus check of FIPS 203 §7.2: every 12-bit coefficient below 3,329. `rank` is 3 (ML-KEM-768) or 4 (1024)."""
    require(len(key) == 384 * rank + 32, Failure.FORMAT, "an ML-KEM key of a wrong length")
    for a, b, c in zip(key[0 : 384 * rank : 3], key[1 : 384 * rank : 3], key[2 : 384 * rank : 3]):
        if a | (b & 15) << 8 >= _KEM_MODULUS or b >> 4 | c << 4 >= _KEM_MODULUS:
            raise Refused(Failure.KEY, "an ML-KEM key whose coefficients are not reduced")


def kem768_public(seed: bytes) -> bytes:
    return MLKEM768PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


def kem1024_public(seed: bytes) -> bytes:
    return MLKEM1024PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


def decapsulate768(seed: bytes, ciphertext: bytes) -> bytes:
    return MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)


def decapsulate1024(seed: bytes, ciphertext: bytes) -> bytes:
    return MLKEM1024PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)


class Entropy(Protocol):
    """Where random bytes and encapsulations come from.

    Every function of this package that needs randomness takes one, and says in which order it draws.
    """

    def draw(self, count: int) -> bytes: ...

    def encapsulate768(self, key: bytes) -> tuple[bytes, bytes]:
        """(ciphertext, shared secret) for a key that passed `check_kem_key`."""
        ...

    def encapsulate1024(self, key: bytes) -> tuple[bytes, bytes]: ...


class SystemEntropy:
    """The operating system's randomness."""

    def draw(self, count: int) -> bytes:
        return os.urandom(count)

    def encapsulate768(self, key: bytes) -> tuple[bytes, bytes]:
        check_kem_key(key, 3)
        secret, ciphertext = MLKEM768PublicKey.from_public_bytes(key).encapsulate()
        return ciphertext, secret

    def encapsulate1024(self, key: bytes) -> tuple[bytes, bytes]:
        check_kem_key(key, 4)
        secret, ciphertext = MLKEM1024PublicKey.from_public_bytes(key).encapsulate()
        return ciphertext, secret


class ScriptedEntropy:
    """For test vectors: gives out what it was given, in order, and insists on the lengths."""

    def __init__(self, values: list[bytes] | None = None, encapsulations: list[tuple[bytes, bytes]] | None = None) -> None:
        self.values = list(values or [])
        self.encapsulations = list(encapsulations or [])

    def draw(self, count: int) -> bytes:
        value = self.values.pop(0)
        if len(value) != count:
            raise ValueError(f"the script has {len(value)} bytes where {count} are drawn")
        return value

    def encapsulate768(self, key: bytes) -> tuple[bytes, bytes]:
        check_kem_key(key, 3)
        return self._encapsulation(CT768_BYTES)

    def encapsulate1024(self, key: bytes) -> tuple[bytes, bytes]:
        check_kem_key(key, 4)
        return self._encapsulation(CT1024_BYTES)

    def _encapsulation(self, length: int) -> tuple[bytes, bytes]:
        ciphertext, secret = self.encapsulations.pop(0)
        if len(ciphertext) != length or len(secret) != 32:
            raise ValueError("the script has another encapsulation here")
        return ciphertext, secret


SYSTEM: Entropy = SystemEntropy()


def chacha_seal(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """Ciphertext ‖ tag 16."""
    return ChaCha20Poly1305(key).encrypt(nonce, plaintext, aad)


def chacha_open(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
    return _open(ChaCha20Poly1305(key), nonce, sealed, aad)


def aes_gcm_seal(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """AES-256-GCM: ciphertext ‖ tag 16."""
    return AESGCM(key).encrypt(nonce, plaintext, aad)


def aes_gcm_open(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
    return _open(AESGCM(key), nonce, sealed, aad)


def _open(cipher: ChaCha20Poly1305 | AESGCM, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
    require(len(sealed) >= TAG_BYTES, Failure.TAG, "shorter than a tag")
    try:
        return cipher.decrypt(nonce, sealed, aad)
    except InvalidTag:
        raise Refused(Failure.TAG, "the tag does not verify") from None
