"""pqxdh.json (§7)"""

from pawl_peer import agreement, envelope, frames
from pawl_peer.agreement import Init0, Roots
from pawl_peer.bundle import NO_NONCE, Bundle, ec, kem1024
from pawl_peer.envelope import Letter
from pawl_peer.errors import Failure, require
from pawl_peer.identity import Identity, Record
from pawl_peer.primitives import ScriptedEntropy, dh, hkdf, sha256

from .bundle import private_pair
from .case import As, Case, Checks, insist
from .identity import SEEDS, node


def _agree(case: Case) -> None:
    a, b = node(case.part("A")), node(case.part("B"))
    prekeys = private_pair(case.part("B's prekeys"))
    pair = private_pair(case.part("B's pair")) if "B's pair" in case else None
    bundle, ek = Bundle.parse(case.hex("B's bundle")), case.hex("EK private")
    bundle.check(b.record, a.node_id, bundle.issued)
    entropy = ScriptedEntropy([ek], [(case.hex("ct"), case.hex("SS"))])
    offered = bundle.pairs[0] if bundle.pairs else None
    started = agreement.start(a, b.record, bundle, case.hex("A's bundle"), offered, entropy)
    _same_roots(case, started.roots)
    case.same("INIT0", started.init0.encode())
    init0 = Init0.parse(case.hex("INIT0"))
    insist(init0 == started.init0, "INIT0 is read otherwise than it was written")
    _same_roots(case, agreement.answer(b, a.record, init0, prekeys, pair))
    # The steps between.
    shared = [
        dh(a.agreement_private, prekeys.public.x25519),
        dh(ek, b.record.agreement),
        dh(ek, prekeys.public.x25519),
        *([dh(ek, pair.public.x25519)] if pair else []),
    ]
    for index, value in enumerate(shared, 1):
        case.same(f"DH{index}", value)
    sk = hkdf(bytes(32), b"\xff" * 32 + b"".join(shared) + case.hex("SS"), b"PawlSession1_CURVE25519_SHA-256_ML-KEM-1024", 32)
    case.same("SK", sk)
    opk = ec(pair.public.x25519) if pair else b""
    kem = kem1024((pair or prekeys).public.kem)
    case.same("TH", sha256(b"pawl/1 init", sha256(case.hex("INIT0")), ec(prekeys.public.x25519), opk, kem))


def _same_roots(case: Case, roots: Roots) -> None:
    case.same("RKe", roots.root_ec)
    case.same("RKp", roots.root_pq)
    case.same("HK_A", roots.header_key_a)
    case.same("NHK_B", roots.next_header_key_b)
    case.same("sid", roots.sid)
    case.same("AD", roots.associated_data)


def _start(case: Case) -> None:
    us = Identity.from_seeds(*(case.part("A").hex(key) for key in SEEDS))
    peer, bundle = Record.parse(case.hex("peer record")), Bundle.parse(case.hex("bundle"))
    bundle.check(peer, us.node_id, bundle.issued)
    entropy = ScriptedEntropy([case.hex("EK private")], [(case.hex("ct"), case.hex("SS"))])
    with As("refused"):
        started = agreement.start(us, peer, bundle, case.hex("A's bundle"), bundle.pairs[0], entropy)
    case.same("INIT0", started.init0.encode())
    case.same("sid", started.roots.sid)


def _init(case: Case) -> None:
    """In the order of §7: for whom, with which prekeys, whose bundle, and whether the envelope opens."""
    us = Identity.from_seeds(*(case.part("B").hex(key) for key in SEEDS))
    peer = Record.parse(case.hex("peer record"))
    frame = frames.parse(b"\x02" + case.hex("init"))
    assert isinstance(frame, frames.InitFrame)
    insist(frame.encode() == b"\x02" + case.hex("init"), "INIT is written otherwise than it was read")
    init0 = frame.init0
    require(init0.starter == peer.node_id and init0.responder == us.node_id, Failure.IDENTITY, "an INIT of or for somebody else")
    prekeys = private_pair(case.part("prekeys"))
    pairs = {pair.id: pair for pair in map(private_pair, case.parts("pairs"))}
    require(init0.prekey_id == prekeys.id, Failure.UNKNOWN, "prekeys that are not there")
    require(init0.pair_id == 0 or init0.pair_id in pairs, Failure.UNKNOWN, "a pair that is not there")
    bundle = Bundle.parse(init0.bundle)
    require(bundle.nonce == NO_NONCE and not bundle.pairs, Failure.FORMAT, "another kind of bundle than INIT carries")
    bundle.check(peer, us.node_id, case["now"])
    bundle.check_lag(case["newest"] if "newest" in case else 0, case["now"])
    with As("refused"):
        roots = agreement.answer(us, peer, init0, prekeys, pairs.get(init0.pair_id))
        _, plaintext = envelope.open_first(roots, prekeys.x25519, bundle.prekeys.kem, frame.envelope, case["now"])
        letter = Letter.parse(plaintext)
    case.same("sid", roots.sid)
    case.same("payload", letter.payload)


CHECKS: Checks = {"agree": _agree, "start": _start, "init": _init}
