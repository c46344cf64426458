"""envelope.json (§9)"""

from pawl_peer import envelope
from pawl_peer.envelope import Envelope, Letter
from pawl_peer.primitives import cut, expand, extract
from pawl_peer.ratchet import Chains, parse_header

from .case import As, Case, Checks, Mismatch, Refusal, insist


def _seal(case: Case) -> None:
    after, keys = Chains(case.hex("CKe"), case.hex("CKp")).step()
    prk = extract(keys.pq, keys.ec)
    header_key, header_nonce = cut(expand(case.hex("HK"), b"pawl/1 header" + case.hex("salt"), 44), 32, 12)
    key, nonce, commit = cut(expand(prk, b"pawl/1 message" + case.hex("salt"), 76), 32, 12, 32)
    for name, ours in {
        "mk of the EC chain": keys.ec,
        "mk of the PQ chain": keys.pq,
        "next CKe": after.ec,
        "next CKp": after.pq,
        "header key": header_key,
        "header nonce": header_nonce,
        "prk": prk,
        "message key": key,
        "message nonce": nonce,
        "commit": commit,
    }.items():
        case.same(name, ours)
    header = parse_header(case.hex("header"))
    letter = Letter(case["seq"], case["seen"], case.content("payload"))
    case.same("envelope", envelope.seal_with(case.hex("HK"), header, keys, case.hex("AD"), letter.encode(), case.hex("salt")))
    # And back.
    parsed = Envelope.parse(case.hex("envelope"))
    case.same("header", parsed.open_header(case.hex("HK")))
    insist(Letter.parse(parsed.open_message(keys, case.hex("AD"))) == letter, "another letter")
    case.same("envelope name", envelope.name(case.hex("envelope")))


def _open(case: Case) -> None:
    with As("refused"):
        parsed = Envelope.parse(case.hex("envelope"))
        data = parsed.open_header(case.hex("HK"))
        if data is None:
            raise Refusal("refused")
        header = parse_header(data)
        _, keys = Chains(case.hex("CKe"), case.hex("CKp")).step()
        letter = Letter.parse(parsed.open_message(keys, case.hex("AD")))
    if letter.seen > case["committed"]:
        raise Refusal("rollback")
    case.same("header", header.encode())
    case.same("seq", letter.seq)
    case.same("seen", letter.seen)
    case.same("payload", letter.payload)


def _pad(case: Case) -> None:
    letter = Letter(1, 0, b" " * case["size"])
    try:
        case.same("padded", len(letter.encode()))
    except StopIteration as error:
        raise Mismatch("no size fits") from error


CHECKS: Checks = {"seal": _seal, "open": _open, "pad": _pad}
