"""The sessions with one peer: what is sealed where, what is accepted, and which session is the one (§7, §9)."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

from . import envelope, messages
from .envelope import padded_length
from .errors import Refused
from .frames import Ack, EnvelopeFrame, Reset, encode_init
from .identity import Identity, Record
from .messages import Hello, Message, Turn, Turned
from .prekeys import PrekeyRing
from .primitives import SYSTEM, Entropy
from .session import Phase, RolledBack, Session
from .store import Outgoing, PeerRow, Store

MAXIMUM_UNACKNOWLEDGED = 1_000
MAXIMUM_UNACKNOWLEDGED_BYTES = 8_388_608
MAXIMUM_WAITING = 256
MAXIMUM_RETIRED = 64
MAXIMUM_FAILURES = 3
MAXIMUM_EARLY_HELLO = 4_096
_DAY = 86_400
_RESTATED = {"hello", "turn", "turned", "prekeys"}  # belong to their session, so they are not sealed again in the next


@dataclass
class Outcome:
    """What has become durable and is now to be done."""

    frames: list[bytes] = field(default_factory=list)
    messages: list[tuple[Message, bytes]] = field(default_factory=list)  # with the sid that brought them
    reports: list[str] = field(default_factory=list)
    confirmed: bool = False


Respond = Callable[[Message, bytes], list[bytes]]
"""(message, sid of the answers' session) → payloads that answer it, sealed in the transaction that accepts it."""


class Budget:
    """`at_once`, and one more every `seconds`."""

    def __init__(self, at_once: int, seconds: int) -> None:
        self._at_once, self._seconds = at_once, seconds
        self._left: float = at_once
        self._counted: float | None = None  # when

    def take(self, now: float) -> bool:
        since = now - self._counted if self._counted is not None else 0
        self._counted = now
        self._left = min(self._at_once, self._left + max(0, since) / self._seconds)
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Conversation(ABC):
    """What `starting` and `machine` build on. Everything runs inside one transaction of the store, opened by `machine`."""

    def __init__(
        self,
        identity: Identity,
        record: Record,
        row: PeerRow,
        store: Store,
        ring: PrekeyRing,
        clock: Callable[[], float],
        hello: Callable[[], Hello],
        respond: Respond,
        entropy: Entropy = SYSTEM,
    ) -> None:
        self.identity = identity
        self.record = record
        self.peer = record.node_id
        self.row = row
        self.sessions = store.sessions(self.peer)
        self._store = store
        self._ring = ring
        self._clock = clock
        self._hello = hello
        self._respond = respond
        self._entropy = entropy
        self._outcome = Outcome()
        self._batches = Budget(4, 600)
        self._batches_taken = Budget(8, 60)
        # By sid: what was sent before the newest link, and since then the highest that was acknowledged. In memory alone: the other side may
        # come back with a state from before it knew.
        self._before_link = {session.sid: session.sent for session in self.sessions.values()}
        self._acknowledged: dict[bytes, int] = {}

    @property
    def now(self) -> int:
        return int(self._clock())

    @property
    def is_lower(self) -> bool:
        return self.identity.node_id < self.peer

    @property
    def newest(self) -> Session | None:
        """The session that payloads go out in."""
        usable = [session for session in self.sessions.values() if session.is_usable]
        return usable[-1] if usable else None

    def report(self, text: str) -> None:
        self._outcome.reports.append(text)

    # Sending

    def _out(self, payload: bytes, session: Session | None = None) -> None:
        """In this session, or the newest; kept for later where there is none or too much is under way."""
        session = session if session is not None and session.is_usable else self.newest
        if session is None or not self._has_room(len(payload)):
            if len(self._store.waiting(self.peer)) < MAXIMUM_WAITING:
                self._store.add_waiting(self.peer, payload)
            return
        self._seal(session, payload)

    def _has_room(self, size: int) -> bool:
        count, total = self._store.outgoing_size(self.peer)
        return count < MAXIMUM_UNACKNOWLEDGED and total + padded_length(size) + 4_096 <= MAXIMUM_UNACKNOWLEDGED_BYTES

    def _seal(self, session: Session, payload: bytes) -> None:
        known = session.init0 is None and self._acknowledged.get(session.sid, 0) > session.begun
        sealed = session.seal(payload, self._entropy, known)
        self._store.add_outgoing(self.peer, Outgoing(session.sid, session.sent, sealed, payload), envelope.name(sealed))
        self._store.put_session(self.peer, session)
        self._outcome.frames.append(self._frame(session, sealed))

    def _frame(self, session: Session, sealed: bytes) -> bytes:
        if session.init0 is not None:
            return encode_init(session.init0, sealed)
        return EnvelopeFrame(session.sid, sealed).encode()

    def _was_acknowledged(self, sid: bytes, seq: int) -> None:
        """If it was sealed since the newest link came, the other side knows its chain."""
        session = self.sessions.get(sid)
        # What went out in an INIT proves nothing: there every envelope says everything.
        if session is not None and session.init0 is None and seq > self._before_link.get(sid, 0):
            self._acknowledged[sid] = max(seq, self._acknowledged.get(sid, 0))

    def _forget_what_is_known(self) -> None:
        """A link came or went."""
        self._acknowledged = {}
        self._before_link = {session.sid: session.sent for session in self.sessions.values()}

    def _flush(self) -> None:
        for n, payload in self._store.waiting(self.peer):
            if self.newest is None or not self._has_room(len(payload)):
                return
            self._store.delete_waiting(n)
            self._seal(self.newest, payload)

    def _send_again(self, session: Session) -> None:
        """Byte for byte."""
        for out in self._store.outgoing(self.peer, session.sid):
            self._outcome.frames.append(self._frame(session, out.envelope))

    # Receiving

    def _accept(self, session: Session, data: bytes, in_init: bool = False) -> bool:
        """One envelope in a session that is not quarantined. False if it does not open."""
        try:
            name = envelope.name(data)
            if self._store.has_receipt(session.sid, name):
                self._acknowledge(session, name)
                return True
            opened, letter = session.open(data, self.now, may_be_short=not in_init)
        except Refused:
            session.failures += 1
            return False
        if letter.seen > session.sent:
            raise RolledBack
        session.accept(opened, letter, self.now)
        self._store.add_receipt(session.sid, name)
        self._store.put_session(self.peer, session)
        self._acknowledge(session, name)
        if session.phase is Phase.STARTING or (session.phase is Phase.ANSWERED and opened.turned):
            self._confirm(session)
            self._take(session, letter.payload)
            if session.starter and session.ratchet.must_turn:
                self._seal(session, Turned().encode())
        else:
            self._take(session, letter.payload)
        return True

    def _acknowledge(self, session: Session, name: bytes) -> None:
        self._outcome.frames.append(Ack(session.sid, name).encode())

    def _take(self, session: Session, payload: bytes) -> None:
        """The payload of an envelope that was accepted."""
        try:
            message = messages.parse(payload)
        except Refused:
            return
        confirmed = session.phase in (Phase.CONFIRMED, Phase.WINDING, Phase.ABANDONED)
        if not confirmed:
            if isinstance(message, Hello) and len(payload) <= MAXIMUM_EARLY_HELLO:
                self.row.early_hello, self.row.early_sid = payload, session.sid
                self._save()
            return
        if self.row.early_hello and self.row.early_sid == session.sid:
            early, self.row.early_hello = messages.parse(self.row.early_hello), b""
            assert isinstance(early, Hello)
            self._take_hello(early)
        match message:
            case Hello():
                self._take_hello(message)
            case Turn():
                if session.is_usable and session.ratchet.must_turn:
                    self._seal(session, Turned().encode())
            case Turned():
                pass
            case messages.Prekeys():
                if self._batches_taken.take(self.now):
                    self._take_prekeys(message.bundle)
            case _:
                carrier = session if session.is_usable else self.newest
                for answer in self._respond(message, (carrier or session).sid):
                    self._out(answer, carrier)
                self._outcome.messages.append((message, session.sid))

    def _take_hello(self, hello: Hello) -> None:
        self.row.name = hello.name
        self.row.addresses = tuple(str(address) for address in hello.addresses)
        self._save()

    @abstractmethod
    def _take_prekeys(self, data: bytes) -> None:
        """A batch of the other side."""

    def _save(self) -> None:
        self._store.put_peer(self.peer, self.row)

    # Which session is the one

    def _confirm(self, session: Session) -> None:
        session.phase = Phase.CONFIRMED
        session.init0 = None
        session.turned = self.now
        self._outcome.confirmed = True
        for other in list(self.sessions.values()):
            if other is session:
                continue
            if other.phase is Phase.CONFIRMED:
                other.phase, other.until = Phase.WINDING, self.now + _DAY
                self._store.put_session(self.peer, other)
            elif other.phase is not Phase.WINDING:
                if other.phase in (Phase.QUARANTINED, Phase.ABANDONED):  # The other side may take it for a good one still.
                    self._outcome.frames.append(Reset(other.sid).encode())
                self._give_up(other)
        # Payloads go out in the newest that is confirmed, and that is this one.
        self.sessions[session.sid] = self.sessions.pop(session.sid)
        self._store.put_session(self.peer, session)
        self._ask_no_more()
        self._flush()
        self._send_batch(session)

    @abstractmethod
    def _ask_no_more(self) -> None:
        """A session is confirmed: a bundle that is still under way is not needed."""

    @abstractmethod
    def _send_batch(self, session: Session) -> None:
        """Ours, in a session that is confirmed."""

    def _give_up(self, session: Session) -> None:
        """Forgets the session; what was not acknowledged in it is sealed anew in the next."""
        for out in self._store.outgoing(self.peer, session.sid):
            self._keep_for_next(out)
        self._store.delete_session(session.sid)
        self.sessions.pop(session.sid, None)
        self.row.retired = [*self.row.retired, session.sid][-MAXIMUM_RETIRED:]
        self._save()

    def _move_on(self, session: Session) -> None:
        """What is left unacknowledged in it goes out in the next; it is received from until another is confirmed."""
        for out in self._store.outgoing(self.peer, session.sid):
            self._store.acknowledged(session.sid, envelope.name(out.envelope))
            self._keep_for_next(out)

    def _keep_for_next(self, out: Outgoing) -> None:
        if messages.type_of(out.payload) not in _RESTATED:
            self._store.add_waiting(self.peer, out.payload)
