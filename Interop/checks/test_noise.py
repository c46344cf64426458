"""Noise XK and XKpsk3 against PyPI's noiseprotocol, which knows nothing of Pawl."""

import os
import unittest
import warnings

from noise.connection import Keypair, NoiseConnection
from pawl_peer.noise import Handshake, Pattern, Transport
from pawl_peer.primitives import x25519_public

from vectors.case import Case, of

_NAMES = {"XK": Pattern.LINK, "XKpsk3": Pattern.PAIRING}


def connection(
    name: str,
    initiator: bool,
    static: bytes,
    remote_static: bytes,
    prologue: bytes,
    psk: bytes | None,
    ephemeral: bytes | None = None,
) -> NoiseConnection:
    """One side of the library's."""
    theirs = NoiseConnection.from_name(f"Noise_{name}_25519_ChaChaPoly_SHA256".encode())
    theirs.set_prologue(prologue)
    theirs.set_keypair_from_private_bytes(Keypair.STATIC, static)
    if ephemeral is not None:
        theirs.set_keypair_from_private_bytes(Keypair.EPHEMERAL, ephemeral)
    if initiator:
        theirs.set_as_initiator()
        theirs.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, remote_static)
    else:
        theirs.set_as_responder()
    if psk is not None:
        theirs.set_psks(psk=psk)
    with warnings.catch_warnings():
        # A recorded handshake has recorded ephemeral keys; the library warns of that.
        warnings.simplefilter("ignore", UserWarning)
        theirs.start_handshake()
    return theirs


class WithThePeer(unittest.TestCase):
    def test_handshakes_and_transport_messages_in_both_roles(self) -> None:
        for name in _NAMES:
            for ours_first in (True, False):
                for _ in range(20):
                    with self.subTest(pattern=name, ours_first=ours_first):
                        self._talk(name, ours_first)

    def _talk(self, name: str, ours_first: bool) -> None:
        pattern = _NAMES[name]
        our_static, their_static = os.urandom(32), os.urandom(32)
        psk = os.urandom(32) if name == "XKpsk3" else None
        their_public = x25519_public(their_static)
        ours = Handshake(pattern, ours_first, our_static, their_public if ours_first else None, psk)
        theirs = connection(name, not ours_first, their_static, x25519_public(our_static), pattern.value[1], psk)
        for index in range(3):
            payload = os.urandom(index * 50)
            if (index != 1) == ours_first:
                self.assertEqual(bytes(theirs.read_message(ours.write(payload))), payload)
            else:
                self.assertEqual(ours.read(bytes(theirs.write_message(payload))), payload)
        self.assertEqual(ours.remote_static, their_public)
        transport = ours.transport
        assert isinstance(transport, Transport)
        for index in range(300):
            text = os.urandom(index)
            self.assertEqual(bytes(theirs.decrypt(transport.sending.seal(text))), text)
            self.assertEqual(transport.receiving.open(bytes(theirs.encrypt(text))), text)


class WithTheVectors(unittest.TestCase):
    """The handshakes that our node recorded, byte for byte."""

    def test_the_library_writes_and_reads_the_same_bytes(self) -> None:
        cases = list(of("noise", "handshake"))
        self.assertEqual({case["pattern"] for case in cases}, set(_NAMES))
        for case in cases:
            with self.subTest(case=case["name"]):
                self._replay(case)

    def _replay(self, case: Case) -> None:
        psk = case.hex("psk") if "psk" in case else None
        public = {side: x25519_public(case.hex(f"{side} static")) for side in ("initiator", "responder")}
        sides = {
            side: connection(
                case["pattern"],
                side == "initiator",
                case.hex(f"{side} static"),
                public["responder"],
                case.hex("prologue"),
                psk,
                case.hex(f"{side} ephemeral"),
            )
            for side in public
        }
        for index, (payload, message) in enumerate(zip(case.hexes("payloads"), case.hexes("messages"), strict=True)):
            writer, reader = ("responder", "initiator") if index == 1 else ("initiator", "responder")
            self.assertEqual(bytes(sides[writer].write_message(payload)), message)
            self.assertEqual(bytes(sides[reader].read_message(message)), payload)
        for part in case.parts("transport"):
            receiver = "responder" if part["from"] == "initiator" else "initiator"
            self.assertEqual(bytes(sides[part["from"]].encrypt(part.hex("plaintext"))), part.hex("message"))
            self.assertEqual(bytes(sides[receiver].decrypt(part.hex("message"))), part.hex("plaintext"))


if __name__ == "__main__":
    unittest.main()
