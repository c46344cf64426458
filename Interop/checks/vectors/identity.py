"""identity.json (§2)"""

from pawl_peer.errors import Failure
from pawl_peer.identity import Identity, Record, pre_authentication, safety_number

from .case import As, Case, Checks, insist

SEEDS = ("ed25519 seed", "ml-dsa-65 seed", "link private", "agreement private")


def node(case: Case) -> Identity:
    """The node of four seeds and the record that was made of them."""
    return Identity.from_seeds(*(case.hex(key) for key in SEEDS), record=case.hex("record"))


def _identity(case: Case) -> None:
    made = Identity.from_seeds(*(case.hex(key) for key in SEEDS)).record
    case.same("ed25519 public", made.ed25519)
    case.same("ml-dsa-65 public", made.mldsa)
    case.same("link public", made.link)
    case.same("agreement public", made.agreement)
    case.same("node id", made.node_id)
    recorded = node(case).record
    insist(made.body == recorded.body and made.signature[:64] == recorded.signature[:64], "another record")
    Record.parse(made.encode())


def _record(case: Case) -> None:
    record = Record.parse(case.hex("record"))
    case.same("node id", record.node_id)
    case.same("record", record.encode())


def _sign(case: Case) -> None:
    unused = bytes(32)
    signer = Identity.from_seeds(case.hex("ed25519 seed"), case.hex("ml-dsa-65 seed"), unused, unused)
    kind, body, recorded = case["kind"], case.hex("body"), case.hex("signature")
    case.same("message", pre_authentication(kind, body))
    ours = signer.sign(kind, body)
    insist(ours[:64] == recorded[:64], "another Ed25519 signature")
    signer.record.verify(kind, body, recorded)
    signer.record.verify(kind, body, ours)


def _verify(case: Case) -> None:
    record = Record.parse(case.hex("record"))
    with As("signature", Failure.FORMAT):
        record.verify(case["kind"], case.hex("body"), case.hex("signature"))


def _safety(case: Case) -> None:
    case.same("digits", safety_number(case.hex("ours"), case.hex("theirs")))


CHECKS: Checks = {"identity": _identity, "record": _record, "sign": _sign, "verify": _verify, "safety": _safety}
