"""ratchet.json (§8)"""

from pawl_peer import envelope
from pawl_peer.agreement import Agreement, Init0, Roots
from pawl_peer.envelope import Letter
from pawl_peer.primitives import SYSTEM, Entropy, ScriptedEntropy
from pawl_peer.ratchet import Ratchet

from .bundle import private_pair
from .case import As, Case, Checks, Mismatch, Refusal, insist


class _Talk:
    """Both sides of a conversation."""

    def __init__(self, start: Case) -> None:
        self.roots = Roots(*(start.hex(key) for key in ("RKe", "RKp", "HK_A", "NHK_B", "sid", "AD")))
        self.prekeys = {"A": private_pair(start.part("A's prekeys")), "B": private_pair(start.part("B's prekeys"))}
        # Of the agreement, the ratchet wants no more than its results.
        nothing = Init0(b"", b"", b"", 0, 0, b"", b"")
        entropy = ScriptedEntropy([start.hex("A's first dh private"), start.hex("A's first kem seed")])
        agreed = Agreement(nothing, self.roots, self.prekeys["B"].public.x25519)
        self.ratchets = {"A": Ratchet.begin_as_starter(agreed, self.prekeys["A"].kem, entropy)}

    def seal(self, side: str, letter: Letter, entropy: Entropy, known: bool = False) -> bytes:
        after, sealed = envelope.seal(self.ratchets[side], self.roots.associated_data, letter.encode(), entropy, known)
        self.ratchets[side] = after
        return sealed

    def open(self, side: str, data: bytes, now: int, on_link: bool) -> tuple[Letter, bool]:
        if side in self.ratchets:
            opened, plaintext = envelope.open(self.ratchets[side], self.roots.associated_data, data, now, may_be_short=on_link)
            began = opened.turned
        else:
            confirmation = self.prekeys["A"].public.kem
            opened, plaintext = envelope.open_first(self.roots, self.prekeys["B"].x25519, confirmation, data, now)
            began = False  # as nothing of B's was answered
        letter = Letter.parse(plaintext)
        self.ratchets[side] = opened.ratchet
        return letter, began


def _conversation(case: Case) -> None:
    talk = _Talk(case.part("start"))
    steps = case.parts("steps")
    sealed = [step.hex("envelope") for step in steps if step["do"] == "seal"]
    for index, step in enumerate(steps):
        last = index == len(steps) - 1
        try:
            with As("refused"):
                _step(talk, step, sealed)
        except Refusal as refusal:
            if last:
                raise
            insist(step["expect"] == refusal.failure, f"step {index} is {refusal.failure}")
        except Mismatch as mismatch:
            raise Mismatch(f"step {index}: {mismatch}") from None
        else:
            insist(last or step["expect"] == "ok", f"step {index} is not refused")


def _step(talk: _Talk, step: Case, sealed: list[bytes]) -> None:
    side = step["by"]
    match step["do"]:
        case "seal":
            drawn = [step.hex(key) for key in ("dh private", "kem seed", "salt") if key in step]
            encapsulated = [(step.hex(f"ct{size}"), step.hex(f"ss{size}")) for size in (768, 1_024) if f"ct{size}" in step]
            entropy = ScriptedEntropy(drawn, encapsulated)
            letter = Letter(step["seq"], step["seen"], step.hex("payload"))
            step.same("envelope", talk.seal(side, letter, entropy, "known" in step))
            insist(not entropy.values and not entropy.encapsulations, "less is drawn than was recorded")
        case "lose":
            for _ in range(step["count"]):
                talk.seal(side, Letter(1, 0, b""), SYSTEM)
        case "open":
            data = sealed[step["sealed"]] if "sealed" in step else step.hex("envelope")
            letter, began = talk.open(side, data, step["now"], on_link="by way of" not in step)
            step.same("seq", letter.seq)
            step.same("seen", letter.seen)
            step.same("payload", letter.payload)
            step.same("began", began)
        case _:
            raise Mismatch(f"the step {step['do']!r} is unknown")


CHECKS: Checks = {"conversation": _conversation}
