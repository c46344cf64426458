"""control.json (§10)"""

from pawl_peer import messages

from .case import Case, Checks, insist


def _message(case: Case) -> None:
    message = messages.parse(case["text"].encode())
    if message is None:
        insist("canonical" not in case, "it is ignored")
    else:
        case.same("canonical", message.encode().decode())


CHECKS: Checks = {"message": _message}
