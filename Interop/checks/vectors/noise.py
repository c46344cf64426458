"""noise.json (§4)"""

from pawl_peer.noise import Handshake, Pattern, Transport
from pawl_peer.primitives import ScriptedEntropy, x25519_public

from .case import As, Case, Checks, Mismatch, Refusal, insist

_PATTERNS = {"XK": Pattern.LINK, "XKpsk3": Pattern.PAIRING}


def side(case: Case, initiator: bool) -> Handshake:
    """One side of a case's handshake, with the keys that it says."""
    name = "initiator" if initiator else "responder"
    return Handshake(
        _PATTERNS[case["pattern"]],
        initiator,
        case.hex(f"{name} static"),
        x25519_public(case.hex("responder static")) if initiator else None,
        case.hex("psk") if "psk" in case else None,
        ScriptedEntropy([case.hex(f"{name} ephemeral")]),
        case.hex("prologue"),
    )


def _transport(handshake: Handshake) -> Transport:
    insist(handshake.transport is not None, "the handshake is not finished")
    assert handshake.transport is not None
    return handshake.transport


def _handshake(case: Case) -> None:
    initiator, responder = side(case, True), side(case, False)
    for index, (payload, message) in enumerate(zip(case.hexes("payloads"), case.hexes("messages"), strict=True)):
        writer, reader = (responder, initiator) if index == 1 else (initiator, responder)
        insist(writer.write(payload) == message, f"another message {index + 1}")
        insist(reader.read(message) == payload, f"message {index + 1} brings another payload")
    insist(responder.remote_static == x25519_public(case.hex("initiator static")), "another initiator")
    left, right = _transport(initiator), _transport(responder)
    for part in case.parts("transport"):
        sender, receiver = (left, right) if part["from"] == "initiator" else (right, left)
        part.same("message", sender.sending.seal(part.hex("plaintext")))
        part.same("plaintext", receiver.receiving.open(part.hex("message")))


def _receive(case: Case) -> None:
    ours = case["side"] == "initiator"
    handshake, messages = side(case, ours), case.hexes("messages")
    for index, message in enumerate(messages):
        try:
            with As("refused"):
                if index >= 3:
                    _transport(handshake).receiving.open(message)
                elif (index != 1) == ours:
                    insist(handshake.write(case.hexes("payloads")[index]) == message, f"another message {index + 1}")
                else:
                    handshake.read(message)
        except Refusal as refusal:
            if index == len(messages) - 1:
                raise
            raise Mismatch(f"message {index + 1} is refused") from refusal


CHECKS: Checks = {"handshake": _handshake, "receive": _receive}
