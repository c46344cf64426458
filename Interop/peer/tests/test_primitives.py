"""The primitives against published vectors, and the strictness that §1 and §2 ask for."""

import hashlib
import unittest

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pawl_peer.errors import Failure, Refused
from pawl_peer.identity import check_ed25519_key, verify_ed25519
from pawl_peer.primitives import SYSTEM, check_kem_key, decapsulate768, dh, hkdf, kem768_public, kem1024_public

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]


def add(one: Point, other: Point) -> Point:
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P,
    )


def multiply(scalar: int, point: Point) -> Point:
    result = (0, 1)
    for bit in bin(scalar)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def encode(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def x_of(y: int) -> int:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    return x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P


BASE: Point = (15112221349535400772501151409588531511454012693041857206046113283949847762202, 4 * pow(5, -1, P) % P)
ORDER_8_Y = 2707385501144840649318225287225658788936804267575313519463743609750303402022
ORDER_8: Point = (x_of(ORDER_8_Y), ORDER_8_Y)


class KeyDerivation(unittest.TestCase):
    def test_hkdf_of_rfc_5869_case_1(self) -> None:
        derived = hkdf(bytes.fromhex("000102030405060708090a0b0c"), b"\x0b" * 22, bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"), 42)
        self.assertEqual(derived.hex(), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")


class DiffieHellman(unittest.TestCase):
    def test_x25519_of_rfc_7748(self) -> None:
        scalar = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
        point = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
        self.assertEqual(dh(scalar, point).hex(), "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")

    def test_low_order_points_are_refused(self) -> None:
        for point in (0, 1, P - 1, P, P + 1, 325606250916557431795983626356110631294008115727848805560023387167927233504):
            with self.assertRaises(Refused) as refused:
                dh(SYSTEM.draw(32), point.to_bytes(32, "little"))
            self.assertIs(refused.exception.failure, Failure.KEY)


class Encapsulation(unittest.TestCase):
    def test_coefficients_above_the_modulus_are_refused(self) -> None:
        for rank, public in ((3, kem768_public(bytes(64))), (4, kem1024_public(bytes(64)))):
            check_kem_key(public, rank)
            for at in (0, 384 * rank - 3):
                for low, high in ((b"\x01\x0d\x00", "first"), (b"\x00\x10\xd0", "second")):  # 3,329 in each place
                    wrong = public[:at] + low + public[at + 3 :]
                    with self.assertRaises(Refused, msg=high) as refused:
                        check_kem_key(wrong, rank)
                    self.assertIs(refused.exception.failure, Failure.KEY)

    def test_a_round(self) -> None:
        seed = SYSTEM.draw(64)
        ciphertext, secret = SYSTEM.encapsulate768(kem768_public(seed))
        self.assertEqual(decapsulate768(seed, ciphertext), secret)


class Signatures(unittest.TestCase):
    def setUp(self) -> None:
        self.message = b"what was said"
        key = Ed25519PrivateKey.generate()
        self.key = key.public_key().public_bytes_raw()
        self.signature = key.sign(self.message)

    def refuse(self, key: bytes, signature: bytes) -> Failure:
        with self.assertRaises(Refused) as refused:
            verify_ed25519(key, self.message, signature)
        return refused.exception.failure

    def test_a_genuine_one_is_taken(self) -> None:
        verify_ed25519(self.key, self.message, self.signature)

    def test_s_above_l(self) -> None:
        s = int.from_bytes(self.signature[32:], "little") + L
        self.assertIs(self.refuse(self.key, self.signature[:32] + s.to_bytes(32, "little")), Failure.SIGNATURE)

    def test_keys_of_small_order_or_not_canonical_or_off_the_curve(self) -> None:
        small = [encode(multiply(n, ORDER_8)) for n in range(8)]
        self.assertEqual(len(set(small)), 8)
        noncanonical = [(y + P).to_bytes(32, "little") for y in range(19)] + [b"\x01" + bytes(30) + b"\x80"]
        off = next(y for y in range(2, 50) if x_of(y) ** 2 % P != (y * y - 1) * pow(D * y * y + 1, -1, P) % P)
        for key in [*small, *noncanonical, off.to_bytes(32, "little")]:
            with self.assertRaises(Refused, msg=key.hex()) as refused:
                check_ed25519_key(key)
            self.assertIs(refused.exception.failure, Failure.KEY)

    def test_r_of_small_order(self) -> None:
        # A signature that the equation holds for: R is the neutral point, so S = k·a.
        a = 12345
        key, r = encode(multiply(a, BASE)), encode((0, 1))
        s = self.challenge(r, key) * a % L
        self.assertIs(self.refuse(key, r + s.to_bytes(32, "little")), Failure.SIGNATURE)

    def test_what_holds_only_with_the_cofactor(self) -> None:
        a, nonce = 12345, 67890
        key = encode(multiply(a, BASE))
        verify_ed25519(key, self.message, self.sign(a, key, multiply(nonce, BASE), nonce))
        mixed = add(multiply(nonce, BASE), ORDER_8)
        self.assertIs(self.refuse(key, self.sign(a, key, mixed, nonce)), Failure.SIGNATURE)

    def challenge(self, r: bytes, key: bytes) -> int:
        return int.from_bytes(hashlib.sha512(r + key + self.message).digest(), "little") % L

    def sign(self, a: int, key: bytes, r: Point, nonce: int) -> bytes:
        s = (nonce + self.challenge(encode(r), key) * a) % L
        return encode(r) + s.to_bytes(32, "little")


if __name__ == "__main__":
    unittest.main()
