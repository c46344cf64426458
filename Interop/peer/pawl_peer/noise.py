"""Noise XK and XKpsk3 with 25519, ChaChaPoly and SHA256 (§4; the Noise Protocol Framework, revision 34)."""

from dataclasses import dataclass
from enum import Enum

from .errors import Failure, require
from .primitives import SYSTEM, TAG_BYTES, Entropy, chacha_open, chacha_seal, cut, dh, hkdf, sha256, x25519_public

MAXIMUM_MESSAGE_BYTES = 65_535
MAXIMUM_PLAINTEXT_BYTES = MAXIMUM_MESSAGE_BYTES - TAG_BYTES


class Pattern(Enum):
    """Name, prologue, and the tokens of the three messages after the pre-message `<- s`."""

    LINK = (b"Noise_XK_25519_ChaChaPoly_SHA256", b"pawl/1 link", ("e es", "e ee", "s se"))
    PAIRING = (b"Noise_XKpsk3_25519_ChaChaPoly_SHA256", b"pawl/1 pair", ("e es", "e ee", "s se psk"))


class Cipher:
    """One direction's key and counter."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._counter = 0

    def seal(self, plaintext: bytes, associated_data: bytes = b"") -> bytes:
        return chacha_seal(self._key, self._nonce(), plaintext, associated_data)

    def open(self, sealed: bytes, associated_data: bytes = b"") -> bytes:
        return chacha_open(self._key, self._nonce(), sealed, associated_data)

    def _nonce(self) -> bytes:
        nonce = bytes(4) + self._counter.to_bytes(8, "little")
        self._counter += 1
        return nonce


@dataclass
class Transport:
    """What the handshake leads to: one cipher each way."""

    sending: Cipher
    receiving: Cipher


class Handshake:
    """`write` and `read` take turns, the initiator's write first; after three messages there is a `transport`.

    `ephemeral` is drawn from `entropy` (32 bytes) when the message that holds it is written.
    """

    def __init__(
        self,
        pattern: Pattern,
        initiator: bool,
        static_private: bytes,
        remote_static: bytes | None = None,
        psk: bytes | None = None,
        entropy: Entropy = SYSTEM,
        prologue: bytes | None = None,
    ) -> None:
        name, usual_prologue, self._messages = pattern.value
        self._uses_psk = pattern is Pattern.PAIRING
        self._initiator = initiator
        self._entropy = entropy
        self._static_private = static_private
        self._ephemeral_private = b""
        self.remote_static = remote_static
        self._remote_ephemeral = b""
        self.psk = psk  # the responder of a pairing sets it once it knows the ticket
        self._hash = name if len(name) <= 32 else sha256(name)
        self._hash = self._hash.ljust(32, b"\0")
        self._chaining_key = self._hash
        self._cipher: Cipher | None = None
        self._turn = 0
        self.transport: Transport | None = None
        self._mix_hash(usual_prologue if prologue is None else prologue)
        responder_static = remote_static if initiator else x25519_public(static_private)
        assert responder_static is not None, "the initiator knows the responder's key"
        self._mix_hash(responder_static)

    def write(self, payload: bytes = b"") -> bytes:
        assert self._turn < 3 and (self._turn % 2 == 0) == self._initiator, "not our turn"
        message = b""
        for token in self._messages[self._turn].split():
            if token == "e":
                self._ephemeral_private = self._entropy.draw(32)
                public = x25519_public(self._ephemeral_private)
                message += public
                self._mix_ephemeral(public)
            elif token == "s":
                message += self._encrypt(x25519_public(self._static_private))
            else:
                self._mix_token(token)
        message += self._encrypt(payload)
        self._end_of_message()
        return message

    def read(self, message: bytes) -> bytes:
        """The payload. A failure ends the handshake."""
        assert self._turn < 3 and (self._turn % 2 == 0) != self._initiator, "not their turn"
        rest = message

        def take(count: int) -> bytes:
            nonlocal rest
            require(len(rest) >= count, Failure.FORMAT, "a handshake message is too short")
            field, rest = rest[:count], rest[count:]
            return field

        for token in self._messages[self._turn].split():
            if token == "e":
                self._remote_ephemeral = take(32)
                self._mix_ephemeral(self._remote_ephemeral)
            elif token == "s":
                self.remote_static = self._decrypt(take(32 + TAG_BYTES))
            else:
                self._mix_token(token)
        payload = self._decrypt(rest)
        self._end_of_message()
        return payload

    def _mix_token(self, token: str) -> None:
        if token == "psk":
            assert self.psk is not None
            self._chaining_key, mixed, key = cut(hkdf(self._chaining_key, self.psk, b"", 96), 32, 32, 32)
            self._mix_hash(mixed)
            self._cipher = Cipher(key)
            return
        # The first letter names the initiator's key, the second the responder's.
        ours, theirs = (token[0], token[1]) if self._initiator else (token[1], token[0])
        private = self._ephemeral_private if ours == "e" else self._static_private
        public = self._remote_ephemeral if theirs == "e" else self.remote_static
        assert public is not None
        self._mix_key(dh(private, public))

    def _mix_ephemeral(self, public: bytes) -> None:
        self._mix_hash(public)
        if self._uses_psk:
            self._mix_key(public)

    def _mix_hash(self, data: bytes) -> None:
        self._hash = sha256(self._hash, data)

    def _mix_key(self, material: bytes) -> None:
        self._chaining_key, key = cut(hkdf(self._chaining_key, material, b"", 64), 32, 32)
        self._cipher = Cipher(key)

    def _encrypt(self, plaintext: bytes) -> bytes:
        assert self._cipher is not None, "both patterns mix a key before they encrypt"
        sealed = self._cipher.seal(plaintext, self._hash)
        self._mix_hash(sealed)
        return sealed

    def _decrypt(self, sealed: bytes) -> bytes:
        assert self._cipher is not None
        plaintext = self._cipher.open(sealed, self._hash)
        self._mix_hash(sealed)
        return plaintext

    def _end_of_message(self) -> None:
        self._turn += 1
        if self._turn == 3:
            first, second = (Cipher(key) for key in cut(hkdf(self._chaining_key, b"", b"", 64), 32, 32))
            self.transport = Transport(first, second) if self._initiator else Transport(second, first)
