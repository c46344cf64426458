"""link.json (§4 and §5)"""

from pawl_peer import frames
from pawl_peer.address import Address, Card, Introduction

from .case import Case, Checks, Mismatch, insist


def _frame(case: Case) -> None:
    frame = frames.parse(case.hex("frame"))
    match frame:
        case frames.EnvelopeFrame(sid, envelope):
            case.same("sid", sid)
            case.same("envelope", envelope)
        case frames.Ack(sid, name):
            case.same("sid", sid)
            case.same("envelope name", name)
        case frames.Counters(counters):
            recorded = tuple(frames.Counter(part.hex("sid"), part["committed"], part["seen"]) for part in case.parts("counters"))
            insist(recorded == counters, "other counters")
        case frames.BundleRequest(nonce):
            case.same("nonce", nonce)
        case frames.BundleFrame(bundle):
            case.same("bundle", bundle)
        case frames.Reset(sid):
            case.same("sid", sid)
        case frames.PairErr(reason, time):
            case.same("reason", reason)
            if time is not None:
                case.same("time", time)
        case frames.Close():
            pass
        case _:
            raise Mismatch("these are in other files")
    case.same("type", case.hex("frame")[0])
    case.same("frame", frame.encode())


def _card(case: Case) -> None:
    card = Card.parse(case.hex("card"))
    case.same("node name", card.name)
    addresses = tuple(Address(part["host"], part["port"]) for part in case.parts("addresses"))
    insist(card.addresses == addresses, "other addresses")
    case.same("card", Card(case["node name"], addresses).encode())


def _introduction(case: Case) -> None:
    introduction = Introduction.parse(case.hex("introduction"))
    case.same("record", introduction.record)
    case.same("bundle", introduction.bundle)
    case.same("card", introduction.card)
    case.same("introduction", introduction.encode())


CHECKS: Checks = {"frame": _frame, "card": _card, "introduction": _introduction}
