"""The Diffie-Hellman half of the key agreement against PyPI's X3DH.

The library makes SK = HKDF(salt, F ‖ DH1 ‖ DH2 ‖ DH3 ‖ [DH4], info). Ours has the KEM's secret behind that, as PQXDH has it. So the
library is given our keys and our info, its HKDF is watched, and what it puts in, with SS behind it, must give our SK.
"""

import asyncio
import os
import unittest
from typing import Any
from unittest import mock

import x3dh
import xeddsa
from pawl_peer import agreement
from pawl_peer.bundle import Bundle, PrivatePair
from pawl_peer.identity import Identity
from pawl_peer.primitives import SYSTEM, ScriptedEntropy, hkdf, sha256, x25519_public
from x3dh.models import BaseStateModel, IdentityKeyPairModel, SignedPreKeyPairModel
from x3dh.types import SecretType

from vectors.bundle import private_pair
from vectors.case import of
from vectors.identity import node

INFO = b"PawlSession1_CURVE25519_SHA-256_ML-KEM-1024"


class State(x3dh.BaseState):
    """With our typed encoding of X25519 keys."""

    @staticmethod
    def _encode_public_key(key_format: x3dh.IdentityKeyFormat, pub: bytes) -> bytes:
        return b"\x05" + pub

    @classmethod
    def of(cls, identity: bytes, signed_prekey: bytes, one_time: list[bytes]) -> "State":
        """One side, of private keys."""
        signed = cls._encode_public_key(x3dh.IdentityKeyFormat.CURVE_25519, x25519_public(signed_prekey))
        signature = xeddsa.ed25519_priv_sign(xeddsa.priv_force_sign(identity, False), signed)
        model = BaseStateModel(
            identity_key=IdentityKeyPairModel(secret=identity, secret_type=SecretType.PRIV),
            signed_pre_key=SignedPreKeyPairModel(priv=signed_prekey, sig=signature, timestamp=0),
            old_signed_pre_key=None,
            pre_keys=frozenset(one_time),
        )
        return cls.from_model(model, x3dh.IdentityKeyFormat.CURVE_25519, x3dh.HashFunction.SHA_256, INFO)


class Watched:
    """What the library gives to HKDF, while this is entered; its ephemeral key is ours."""

    def __init__(self, ephemeral: bytes) -> None:
        self.inputs: list[dict[str, Any]] = []
        provider = x3dh.base_state.CryptoProviderImpl
        derive = provider.hkdf_derive

        async def watch(*arguments: Any) -> bytes:
            self.inputs.append(dict(zip(("hash", "length", "salt", "info", "material"), arguments, strict=True)))
            return await derive(*arguments)

        self._patches = [
            mock.patch.object(provider, "hkdf_derive", staticmethod(watch)),
            mock.patch.object(x3dh.base_state.secrets, "token_bytes", lambda count: ephemeral),
        ]

    def __enter__(self) -> "Watched":
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        for patch in reversed(self._patches):
            patch.stop()


class X3DH(unittest.TestCase):
    def _material(self, a: Identity, b: Identity, prekeys: PrivatePair, pair: PrivatePair | None, ek: bytes) -> dict[str, Any]:
        """What goes into HKDF on both sides of the library."""
        one_time = [pair.x25519] if pair else []
        starter = State.of(a.agreement_private, os.urandom(32), [])
        responder = State.of(b.agreement_private, prekeys.x25519, one_time)
        with Watched(ek) as watched:
            active, _, header = asyncio.run(starter.get_shared_secret_active(responder.bundle, require_pre_key=False))
            passive, _, _ = asyncio.run(responder.get_shared_secret_passive(header, require_pre_key=False))
        self.assertEqual(header.ephemeral_key, x25519_public(ek))
        self.assertEqual(active, passive)
        self.assertEqual(watched.inputs[0], watched.inputs[1])
        return watched.inputs[0]

    def test_the_recorded_agreements(self) -> None:
        with_pair = set()
        for case in of("pqxdh", "agree"):
            with self.subTest(case=case["name"]):
                pair = private_pair(case.part("B's pair")) if "B's pair" in case else None
                prekeys, ek = private_pair(case.part("B's prekeys")), case.hex("EK private")
                inputs = self._material(node(case.part("A")), node(case.part("B")), prekeys, pair, ek)
                parts = [case.hex(f"DH{index}") for index in range(1, 5 if pair else 4)]
                self.assertEqual(inputs["material"], b"\xff" * 32 + b"".join(parts))
                self.assertEqual(hkdf(inputs["salt"], inputs["material"] + case.hex("SS"), inputs["info"], 32), case.hex("SK"))
                with_pair.add(pair is not None)
        self.assertEqual(with_pair, {True, False})

    def test_agreements_of_the_peer(self) -> None:
        a, b = Identity.generate(), Identity.generate()
        for number in range(1, 11):
            prekeys = PrivatePair.generate(number)
            pair = PrivatePair.generate(number + 100) if number % 2 else None
            pairs = (pair.public,) if pair else ()
            bundle = Bundle.issue(b, a.node_id, prekeys.public, 0, pairs=pairs)
            own = Bundle.issue(a, b.node_id, PrivatePair.generate(1).public, 0)
            ek = os.urandom(32)
            ciphertext, secret = SYSTEM.encapsulate1024((pair or prekeys).public.kem)
            entropy = ScriptedEntropy([ek], [(ciphertext, secret)])
            started = agreement.start(a, b.record, bundle, own.encode(), pairs[0] if pairs else None, entropy)
            inputs = self._material(a, b, prekeys, pair, ek)
            sk = hkdf(inputs["salt"], inputs["material"] + secret, inputs["info"], 32)
            typed = b"\x05" + prekeys.public.x25519 + (b"\x05" + pair.public.x25519 if pair else b"")
            transcript = sha256(b"pawl/1 init", sha256(started.init0.encode()), typed, b"\x0a", (pair or prekeys).public.kem)
            roots = hkdf(transcript, sk, b"pawl/1 session roots", 160)
            ours = started.roots
            self.assertEqual(roots[:128], ours.root_ec + ours.root_pq + ours.header_key_a + ours.next_header_key_b)
            self.assertEqual(roots[128:144], ours.sid)


if __name__ == "__main__":
    unittest.main()
