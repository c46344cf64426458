"""One session: a ratchet, its counters, and where it stands (§7, §9)."""

from dataclasses import dataclass, field
from enum import StrEnum

from . import envelope
from .envelope import Letter
from .errors import Failure, Refused
from .primitives import Entropy
from .ratchet import Opened, Ratchet


class Phase(StrEnum):
    STARTING = "starting"  # we started it; nothing of the other side has opened yet
    RESTING = "resting"  # the other side started it and it lost the race: received from, not answered
    ANSWERED = "answered"  # the other side started it; our CONFIRM is sealed, its answer has not come
    CONFIRMED = "confirmed"
    WINDING = "winding"  # a newer one is confirmed; received from for a day
    ABANDONED = "abandoned"  # the other side lost it: received from until another is confirmed
    QUARANTINED = "quarantined"  # our state of it is old: nothing is sealed or opened any more


@dataclass
class Session:
    sid: bytes
    associated_data: bytes = field(repr=False)
    starter: bool  # we are
    phase: Phase
    ratchet: Ratchet = field(repr=False)
    created: int
    init0: bytes | None = field(default=None, repr=False)  # ours, until the other side has answered
    init_digest: bytes | None = None  # of the other side's
    sent: int = 0  # highest seq committed as sent
    seen: int = 0  # highest seq accepted
    turned: int = 0  # when the keys last turned
    turn_asked: int = 0  # when we last asked for a chain that has not come
    until: int = 0  # when a session that is wound up is forgotten
    without_pair: bool = False  # began without a one-time pair
    listed: int = 0  # how many batches we sent in it
    failures: int = 0  # envelopes in a row that did not open

    @property
    def is_usable(self) -> bool:
        return self.phase is Phase.CONFIRMED

    @property
    def is_pending(self) -> bool:
        """Under way to be confirmed."""
        return self.phase in (Phase.STARTING, Phase.ANSWERED)

    @property
    def is_given_up(self) -> bool:
        return self.phase in (Phase.ABANDONED, Phase.QUARANTINED)

    @property
    def begun(self) -> int:
        """The highest seq before those of our newest chain."""
        return self.sent - self.ratchet.sending.n if self.ratchet.sending is not None else self.sent

    def seal(self, payload: bytes, entropy: Entropy, known: bool = False) -> bytes:
        """The next envelope. The state has moved on when this returns. `known`: the other side knows our newest chain."""
        letter = Letter(self.sent + 1, self.seen, payload)
        self.ratchet, sealed = envelope.seal(self.ratchet, self.associated_data, letter.encode(), entropy, known)
        self.sent += 1
        return sealed

    def open(self, data: bytes, now: int, may_be_short: bool = True) -> tuple[Opened, Letter]:
        """Nothing has changed before `accept`."""
        opened, plaintext = envelope.open(self.ratchet, self.associated_data, data, now, may_be_short)
        return opened, Letter.parse(plaintext)

    def accept(self, opened: Opened, letter: Letter, now: int) -> None:
        self.ratchet = opened.ratchet
        self.seen = max(self.seen, letter.seq)
        self.failures = 0
        if opened.turned:
            self.turned = now
            self.turn_asked = 0


class RolledBack(Refused):
    """The other side has seen more than we ever committed: our state is old, or a copy."""

    def __init__(self) -> None:
        super().__init__(Failure.ORDER, "seen is above what was ever sent")
