"""The classical half of the ratchet against PyPI's DoubleRatchet.

The library's KDFs are set to ours: HKDF with the root as salt, and one HMAC for the chain and one for the message. It has no header encryption,
so its root step gives 64 bytes and ours 96; HKDF's first 64 bytes are the same, and the last 32, the next header key, are checked by hand. Both
sides of a conversation run twice, in the peer and in the library, with the same Diffie-Hellman keys, the same losses and the same order. The
library's "ciphertext" is its message key, so that the keys can be looked at.
"""

import os
import random
import unittest
from collections.abc import Coroutine
from typing import Any

from doubleratchet import AEAD, DoubleRatchet, EncryptedMessage, Header
from doubleratchet.recommended import HashFunction, diffie_hellman_ratchet_curve25519, kdf_hkdf, kdf_separate_hmacs
from pawl_peer import envelope
from pawl_peer.agreement import Agreement, Init0, Roots
from pawl_peer.bundle import PrivatePair
from pawl_peer.envelope import Envelope, Letter
from pawl_peer.primitives import SYSTEM, ScriptedEntropy, hkdf
from pawl_peer.ratchet import MessageKeys, Opened, Ratchet

from vectors.bundle import private_pair
from vectors.case import Case, load

SEED = int(os.environ.get("PAWL_SEED", "0")) or int.from_bytes(os.urandom(4), "big")


class RootKDF(kdf_hkdf.KDF):
    """EC step, and the header key that ours takes from the same HKDF."""

    header_keys: dict[bytes, bytes] = {}  # chain key → NHK

    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"pawl/1 ratchet ec"

    @classmethod
    async def derive(cls, key: bytes, data: bytes, length: int) -> bytes:
        derived = await super().derive(key, data, length)
        cls.header_keys[derived[32:64]] = hkdf(key, data, cls._get_info(), 96)[64:]
        return derived


class ChainKDF(kdf_separate_hmacs.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256


class Keys(AEAD):
    """Encrypts nothing: the ciphertext is the message key, and it opens if the receiver has the same."""

    @staticmethod
    async def encrypt(plaintext: bytes, key: bytes, associated_data: bytes) -> bytes:
        return key

    @staticmethod
    async def decrypt(ciphertext: bytes, key: bytes, associated_data: bytes) -> bytes:
        if key != ciphertext:
            raise AssertionError("the library's two sides do not agree")
        return key


class Curve(diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet):
    """The library's, with the private keys that it is given."""

    keys: list[bytes] = []  # of the side that is at work

    @classmethod
    def _generate_priv(cls) -> bytes:  # type: ignore[override]
        return cls.keys.pop(0)


class Library(DoubleRatchet):
    @staticmethod
    def _build_associated_data(associated_data: bytes, header: Header) -> bytes:
        return associated_data


_SETTINGS: dict[str, Any] = {
    "diffie_hellman_ratchet_class": Curve,
    "root_chain_kdf": RootKDF,
    "message_chain_kdf": ChainKDF,
    "message_chain_constant": b"\x02\x01",
    "dos_protection_threshold": 1_000,
    "max_num_skipped_message_keys": 2_000,
    "aead": Keys,
    "associated_data": b"",
}
_LETTER = Letter(1, 0, b"{}").encode()


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The library's coroutines wait for nothing: one step ends them."""
    try:
        coroutine.send(None)
    except StopIteration as result:
        return result.value
    raise AssertionError("the library waits for something")


class Side:
    """The library's state of one side. It draws the key of its next chain as soon as it receives; ours does when it sends."""

    def __init__(self, root: bytes, chain_keys: list[bytes]) -> None:
        self._root = root
        self._keys = chain_keys  # private keys of its chains, in order
        self._ratchet: Library | None = None

    def seal(self, spk: bytes) -> EncryptedMessage:
        Curve.keys = self._keys
        if self._ratchet is not None:
            return run(self._ratchet.encrypt_message(b"", b""))
        begun = Library.encrypt_initial_message(shared_secret=self._root, recipient_ratchet_pub=spk, message=b"", **_SETTINGS)
        self._ratchet, message = run(begun)
        return message

    def open(self, message: EncryptedMessage, spk_private: bytes) -> bytes:
        Curve.keys = self._keys
        if self._ratchet is not None:
            return run(self._ratchet.decrypt_message(message, b""))
        begun = Library.decrypt_initial_message(shared_secret=self._root, own_ratchet_priv=spk_private, message=message, **_SETTINGS)
        self._ratchet, key = run(begun)
        return key


class Drawn:
    """System randomness, except for the private keys of chains."""

    encapsulate768 = staticmethod(SYSTEM.encapsulate768)
    encapsulate1024 = staticmethod(SYSTEM.encapsulate1024)

    def __init__(self, chain_keys: list[bytes]) -> None:
        self._keys = list(chain_keys)

    def draw(self, count: int) -> bytes:
        return self._keys.pop(0) if count == 32 else SYSTEM.draw(count)


class Conversation:
    """Two peers of ours and two of the library's, side by side."""

    def __init__(self, chains: int) -> None:
        self.roots = Roots(*(os.urandom(32) for _ in range(4)), os.urandom(16), os.urandom(122))
        self.spk = PrivatePair.generate(1)
        self.confirmation = PrivatePair.generate(2)
        keys = {side: [os.urandom(32) for _ in range(chains)] for side in "AB"}
        self.drawn = {side: Drawn(keys[side]) for side in "AB"}
        self.library = {side: Side(self.roots.root_ec, list(keys[side])) for side in "AB"}
        agreed = Agreement(Init0(b"", b"", b"", 0, 0, b"", b""), self.roots, self.spk.public.x25519)
        self.ours = {"A": Ratchet.begin_as_starter(agreed, self.confirmation.kem, self.drawn["A"])}
        self.header_keys = {"A": [self.roots.header_key_a], "B": [self.roots.next_header_key_b]}
        self.chain = {"A": b"", "B": b""}

    def seal(self, test: unittest.TestCase, side: str) -> tuple[bytes, EncryptedMessage]:
        before = self.ours[side].sending
        ratchet, header_key, header, keys = self.ours[side].next_message(self.drawn[side])
        self.ours[side] = ratchet
        message = self.library[side].seal(self.spk.public.x25519)
        theirs = (message.header.ratchet_pub, message.header.previous_sending_chain_length, message.header.sending_chain_length)
        test.assertEqual((header.dh, header.pn, header.n), theirs)
        test.assertEqual(keys.ec, message.ciphertext, "another message key")
        if header.n == 0:
            self._begin(test, side, header_key)
        test.assertEqual(header_key, self.header_keys[side][-1], "another header key")
        test.assertTrue(before is None or header.n == 0 or before.header_key == header_key)
        data = envelope.seal_with(header_key, header, keys, self.roots.associated_data, _LETTER, os.urandom(16))
        return data, message

    def _begin(self, test: unittest.TestCase, side: str, header_key: bytes) -> None:
        """The first message of a chain: its header key is the one that the side's last chain left for it."""
        if self.chain[side]:
            self.header_keys[side].append(RootKDF.header_keys[self.chain[side]])
        test.assertEqual(header_key, self.header_keys[side][-1], "another header key")
        self.chain[side] = self._sending_chain_key(side)

    def _sending_chain_key(self, side: str) -> bytes:
        """CKe at the beginning of the side's chain, as the library's root chain gave it."""
        sending = self.ours[side].sending
        assert sending is not None
        # Our chain has made one step already; the library's step from the same beginning must lead there.
        found = [chain for chain in RootKDF.header_keys if run(ChainKDF.derive(chain, b"\x02", 32)) == sending.chains.ec]
        assert len(found) == 1, "our chain key comes from no root step of the library's"
        return found[0]

    def open(self, test: unittest.TestCase, side: str, data: bytes, message: EncryptedMessage) -> None:
        opened = self._open_ours(side, data)
        self.ours[side] = opened.ratchet
        test.assertEqual(opened.keys.ec, self.library[side].open(message, self.spk.x25519), "another message key")

    def _open_ours(self, side: str, data: bytes) -> Opened:
        if side in self.ours:
            return envelope.open(self.ours[side], self.roots.associated_data, data, 0)[0]
        return envelope.open_first(self.roots, self.spk.x25519, self.confirmation.public.kem, data, 0)[0]


class RandomConversations(unittest.TestCase):
    def test_both_make_the_same_keys(self) -> None:
        for number in range(3):
            with self.subTest(seed=SEED, conversation=number):
                self._talk(random.Random(SEED + number))

    def _talk(self, chance: random.Random) -> None:
        talk = Conversation(chains=400)
        under_way: dict[str, list[tuple[bytes, EncryptedMessage]]] = {"A": [], "B": []}  # to that side
        opened = late = 0
        for _ in range(600):
            side = chance.choice("AB")
            if side in talk.ours and chance.random() < 0.5:
                other = "B" if side == "A" else "A"
                sealed = talk.seal(self, side)
                if chance.random() < 0.85:  # the others are lost
                    under_way[other].append(sealed)
            elif under_way[side]:
                index = chance.randrange(len(under_way[side])) if chance.random() < 0.6 else 0
                late += index > 0
                talk.open(self, side, *under_way[side].pop(index))
                opened += 1
        self.assertGreater(opened, 100)
        self.assertGreater(late, 20)
        self.assertGreater(len(talk.header_keys["A"]), 5, "hardly a turn")


class RecordedConversations(unittest.TestCase):
    """Envelopes that our node made, opened with the library's message keys."""

    def test_the_library_has_the_keys_of_our_node(self) -> None:
        count = 0
        for case in load("ratchet"):
            if case["expect"] == "ok":
                with self.subTest(case=case["name"]):
                    count += self._replay(case)
        self.assertGreater(count, 50)

    def _replay(self, case: Case) -> int:
        start, steps = case.part("start"), case.parts("steps")
        roots = Roots(*(start.hex(key) for key in ("RKe", "RKp", "HK_A", "NHK_B", "sid", "AD")))
        prekeys = {"A": private_pair(start.part("A's prekeys")), "B": private_pair(start.part("B's prekeys"))}
        drawn = {side: [step.hex("dh private") for step in steps if step["by"] == side and "dh private" in step] for side in "AB"}
        drawn["A"].insert(0, start.hex("A's first dh private"))
        # The library draws a key for a chain that may never be used.
        library = {side: Side(roots.root_ec, [*drawn[side], os.urandom(32)]) for side in "AB"}
        first = ScriptedEntropy([start.hex("A's first dh private"), start.hex("A's first kem seed")])
        spk = prekeys["B"].public.x25519
        agreed = Agreement(Init0(b"", b"", b"", 0, 0, b"", b""), roots, spk)
        ours = {"A": Ratchet.begin_as_starter(agreed, prekeys["A"].kem, first)}
        sealed: list[tuple[bytes, EncryptedMessage]] = []
        count = 0
        for step in steps:
            side = step["by"]
            if step["do"] == "seal":
                sealed.append((step.hex("envelope"), library[side].seal(spk)))
                ours[side] = ours[side].next_message(Recorded(step))[0]
            elif step["do"] == "lose":
                for _ in range(step["count"]):
                    library[side].seal(spk)
                    ours[side] = ours[side].next_message()[0]
            elif step["expect"] == "ok":
                data, message = sealed[step["sealed"]]
                parsed = Envelope.parse(data)
                if side in ours:
                    opened = ours[side].receive(parsed.open_header, step["now"])
                else:
                    opened = Ratchet.begin_as_responder(
                        roots, prekeys["B"].x25519, prekeys["A"].public.kem, parsed.open_header, step["now"]
                    )
                ours[side] = opened.ratchet
                keys = MessageKeys(library[side].open(message, prekeys["B"].x25519), opened.keys.pq)
                parsed.open_message(keys, roots.associated_data)
                count += 1
        return count


class Recorded:
    """What a step of a recorded conversation drew."""

    def __init__(self, step: Case) -> None:
        self._step = step

    def draw(self, count: int) -> bytes:
        return self._step.hex({16: "salt", 32: "dh private", 64: "kem seed"}[count])

    def encapsulate768(self, key: bytes) -> tuple[bytes, bytes]:
        return self._step.hex("ct768"), self._step.hex("ss768")

    def encapsulate1024(self, key: bytes) -> tuple[bytes, bytes]:
        return self._step.hex("ct1024"), self._step.hex("ss1024")


if __name__ == "__main__":
    unittest.main()
