"""ticket.json (§3)"""

from pawl_peer.address import Address
from pawl_peer.ticket import Ticket

from .case import Case, Checks, Refusal, insist


def _read(case: Case) -> None:
    ticket = Ticket.parse(case["text"])
    if ticket.is_long_over(case["now"]):
        raise Refusal("time")
    case.same("expiry", ticket.expiry)
    case.same("link key", ticket.link_key)
    case.same("node id", ticket.node_id)
    case.same("secret", ticket.secret)
    addresses = tuple(Address(part["host"], part["port"]) for part in case.parts("addresses"))
    insist(addresses == ticket.addresses, "other addresses")
    made = Ticket(case["expiry"], case.hex("link key"), case.hex("node id"), case.hex("secret"), addresses)
    for each in (ticket, made):
        case.same("bytes", each.encode())
        case.same("canonical", each.text)
        psk, ticket_id = each.derive()
        case.same("psk", psk)
        case.same("ticket id", ticket_id)


CHECKS: Checks = {"read": _read}
