"""primitives.json (§1)"""

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from pawl_peer import primitives

from .case import Case, Checks


def _mlkem768(case: Case) -> None:
    case.same("public key", primitives.kem768_public(case.hex("seed")))
    case.same("shared secret", primitives.decapsulate768(case.hex("seed"), case.hex("ciphertext")))


def _mlkem1024(case: Case) -> None:
    case.same("public key", primitives.kem1024_public(case.hex("seed")))
    case.same("shared secret", primitives.decapsulate1024(case.hex("seed"), case.hex("ciphertext")))


def _mldsa65(case: Case) -> None:
    key = MLDSA65PrivateKey.from_seed_bytes(case.hex("seed"))
    case.same("public key", key.public_key().public_bytes_raw())
    for signature in (case.hex("signature"), key.sign(case.hex("message"))):
        key.public_key().verify(signature, case.hex("message"))


CHECKS: Checks = {"ml-kem-768": _mlkem768, "ml-kem-1024": _mlkem1024, "ml-dsa-65": _mldsa65}
