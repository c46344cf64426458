"""bundle.json (§6)"""

from pawl_peer.bundle import Bundle, PrivatePair
from pawl_peer.identity import SIGNATURE_BYTES, Record

from .case import Case, Checks, insist
from .identity import node


def private_pair(case: Case) -> PrivatePair:
    return PrivatePair(case["id"], case.hex("ec private"), case.hex("kem seed"))


def _issue(case: Case) -> None:
    owner = node(case.part("owner"))
    prekeys, pairs = private_pair(case.part("prekeys")), [private_pair(part) for part in case.parts("pairs")]
    life = case["expires"] - case["issued"]
    made = Bundle.issue(
        owner, case.hex("addressee"), prekeys.public, case["issued"], case.hex("nonce"), tuple(pair.public for pair in pairs), life
    )
    recorded = Bundle.parse(case.hex("bundle"))
    insist(made.body == recorded.body and made.signature[:64] == recorded.signature[:64], "another bundle")
    for bundle in (made, recorded):
        bundle.check(owner.record, case.hex("addressee"), case["issued"])
    insist(recorded.encode() == case.hex("bundle") and len(recorded.signature) == SIGNATURE_BYTES, "written otherwise than it was read")


def _take(case: Case) -> None:
    Bundle.parse(case.hex("bundle")).check(Record.parse(case.hex("owner record")), case.hex("addressee"), case["now"])


CHECKS: Checks = {"issue": _issue, "take": _take}
