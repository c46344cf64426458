"""ML-KEM-768 and 1024 against PyPI's kyber-py, which is written from FIPS 203 alone."""

import os
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kyber_py.ml_kem import ML_KEM_768, ML_KEM_1024
from pawl_peer import primitives
from pawl_peer.errors import Refused
from pawl_peer.primitives import SYSTEM

from vectors.case import load, of


@dataclass
class Size:
    """One parameter set: theirs, and ours."""

    theirs: Any
    rank: int
    public: Callable[[bytes], bytes]
    encapsulate: Callable[[bytes], tuple[bytes, bytes]]
    decapsulate: Callable[[bytes, bytes], bytes]


SIZES = {
    "ml-kem-768": Size(ML_KEM_768, 3, primitives.kem768_public, SYSTEM.encapsulate768, primitives.decapsulate768),
    "ml-kem-1024": Size(ML_KEM_1024, 4, primitives.kem1024_public, SYSTEM.encapsulate1024, primitives.decapsulate1024),
}


class Kyber(unittest.TestCase):
    def setUp(self) -> None:
        self.seed = os.urandom(64)

    def _each(self) -> list[tuple[Size, bytes, bytes]]:
        """Each size with the library's two keys of a fresh seed, d before z."""
        return [(size, *size.theirs._keygen_internal(self.seed[:32], self.seed[32:])) for size in SIZES.values()]

    def test_a_seed_is_the_same_key(self) -> None:
        for size, public, _ in self._each():
            self.assertEqual(size.public(self.seed), public)

    def test_we_open_what_the_library_encapsulates(self) -> None:
        for size, public, _ in self._each():
            for _ in range(5):
                secret, ciphertext = size.theirs._encaps_internal(public, os.urandom(32))
                self.assertEqual(size.decapsulate(self.seed, ciphertext), secret)

    def test_the_library_opens_what_we_encapsulate(self) -> None:
        for size, public, private in self._each():
            for _ in range(5):
                ciphertext, secret = size.encapsulate(public)
                self.assertEqual(size.theirs.decaps(private, ciphertext), secret)

    def test_an_altered_ciphertext_gives_both_the_same_other_secret(self) -> None:
        for size, public, private in self._each():
            ciphertext, secret = size.encapsulate(public)
            altered = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
            ours = size.decapsulate(self.seed, altered)
            self.assertNotEqual(ours, secret)
            self.assertEqual(size.theirs.decaps(private, altered), ours)

    def test_both_refuse_a_key_that_is_not_reduced(self) -> None:
        for size, public, _ in self._each():
            # The first coefficient becomes 3,329.
            bad = bytes([0x01, public[1] & 0xF0 | 0x0D]) + public[2:]
            with self.assertRaises(ValueError):
                size.theirs.encaps(bad)
            with self.assertRaises(Refused):
                primitives.check_kem_key(bad, size.rank)


class Vectors(unittest.TestCase):
    def test_the_library_opens_every_ciphertext_that_our_node_recorded(self) -> None:
        seen = set()
        for case in of("primitives", *SIZES):
            size, seed = SIZES[case["op"]].theirs, case.hex("seed")
            public, private = size._keygen_internal(seed[:32], seed[32:])
            with self.subTest(case=case["name"]):
                self.assertEqual(public, case.hex("public key"))
                self.assertEqual(size.decaps(private, case.hex("ciphertext")), case.hex("shared secret"))
            seen.add(case.hex("ciphertext"))
        used = {case.hex("ct") for case in of("pqxdh", "agree")}
        for case in load("ratchet"):
            used |= {step.hex(key) for step in case.parts("steps") for key in ("ct768", "ct1024") if key in step}
        self.assertGreater(len(used), 50)
        self.assertLessEqual(used, seen, "a ciphertext of pqxdh.json or ratchet.json was not looked at")


if __name__ == "__main__":
    unittest.main()
