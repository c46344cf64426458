"""Everything above the link between us and one peer: what a frame does, what a link begins with, what time and damage ask for (§5, §15).

The machine does no I/O but its store's. Each public method is one transaction and returns what is to be done once it is durable.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import frames, messages
from .bundle import Bundle
from .conversation import MAXIMUM_FAILURES, Outcome
from .frames import NO_SID, Ack, BundleFrame, BundleRequest, Counter, Counters, EnvelopeFrame, Frame, InitFrame, Reset
from .messages import Turn
from .session import Phase, RolledBack, Session
from .starting import BUNDLE_PATIENCE_SECONDS, SESSION_LIFE_SECONDS, Expired, Starting

RESET_INTERVAL_SECONDS = 60
START_PATIENCE_SECONDS = 60
TURN_INTERVAL_SECONDS = 30
INVITER_PATIENCE_SECONDS = 10
_DAY = 86_400
_UNANSWERED_LIFE_SECONDS = 30 * _DAY


class PeerMachine(Starting):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._is_linked = False
        self._failed_inits = 0
        self._resets_due: list[bytes] = []
        self._start_due = False
        self._behind: set[bytes] = set()  # sessions in which the peer's COUNTERS fell short of what we accepted
        self._linked_since: float = 0
        # What had been sent when the process began, or when a link came up alone: until COUNTERS have come, nobody has seen more.
        self._sent_at_start: dict[bytes, int] | None = {sid: session.sent for sid, session in self.sessions.items()}
        self._sent_before: dict[object, dict[bytes, int]] = {}
        self._known: dict[object, dict[bytes, int]] = {}  # by link: what had been acknowledged before its handshake

    @contextmanager
    def _step(self) -> Iterator[Outcome]:
        self._outcome = outcome = Outcome()
        with self._store.transaction():
            yield outcome

    @property
    def unacknowledged(self) -> int:
        return self._store.outgoing_size(self.peer)[0]

    # What the node calls

    def highest_acknowledged(self) -> dict[bytes, int]:
        """Of each session the highest sequence that the other side has acknowledged. To be taken before a handshake begins."""
        result = {}
        for sid, session in self.sessions.items():
            under_way = {out.seq for out in self._store.outgoing(self.peer, sid)}
            result[sid] = next((seq for seq in range(session.sent, 0, -1) if seq not in under_way), 0)
        return result

    def link_up(self, paired_with: Bundle | None = None, link: object = None, known: dict[bytes, int] | None = None) -> Outcome:
        """A link is there: its first frames. After pairing as the joiner with the inviter's bundle. `known` is what
        `highest_acknowledged` said before its handshake."""
        with self._step() as outcome:
            if not self._is_linked:
                self._linked_since = self._clock()
                now_sent = {sid: session.sent for sid, session in self.sessions.items()}
                self._sent_before[link] = now_sent if self._sent_at_start is None else self._sent_at_start
                self._sent_at_start = None
            else:
                self._sent_before.clear()
            self._is_linked = True
            self._forget_what_is_known()
            self._known[link] = known or {}
            self._open()
            if paired_with is not None and not any(s.is_usable or s.is_pending for s in self.sessions.values()):
                self.start_after_pairing(paired_with)
            else:
                self._keep_up()
            return outcome

    def _open(self) -> None:
        """COUNTERS, and everything that is not acknowledged."""
        counters = [
            Counter(session.sid, session.sent, session.seen)
            for session in self.sessions.values()
            if not session.is_given_up and session.phase is not Phase.STARTING
        ]
        self._outcome.frames.append(Counters(tuple(counters[-frames.MAXIMUM_COUNTERS :])).encode())
        for session in self.sessions.values():
            if not session.is_given_up and not self._rests(session):
                self._send_again(session)

    def link_changed(self, ended: object) -> Outcome:
        """One of several links has ended: what it carried goes out on the newest that is left."""
        with self._step() as outcome:
            self._forget_link(ended)
            self._forget_what_is_known()
            self._open()
            if self._asked is not None:
                self._begin(ask=True)
            return outcome

    def _forget_link(self, link: object) -> None:
        self._known.pop(link, None)
        self._sent_before.pop(link, None)
        self._acknowledged_starts = {start for start in self._acknowledged_starts if start[0] is not link}

    def _rests(self, session: Session) -> bool:
        """Ours, and it lost the race."""
        return session.phase is Phase.STARTING and any(s.phase is Phase.ANSWERED for s in self.sessions.values())

    def link_down(self) -> None:
        """The last link is gone."""
        self._is_linked = False
        self._forget_what_is_known()
        self._asked = None
        self._known.clear()
        self._sent_before.clear()
        self._acknowledged_starts.clear()

    def send(self, payload: bytes) -> Outcome:
        with self._step() as outcome:
            self._out(payload)
            return outcome

    def start_anew(self) -> Outcome:
        """Asks for a bundle and starts a session with it, whatever there is already."""
        with self._step() as outcome:
            self._begin(ask=True)
            return outcome

    def tick(self) -> Outcome:
        """Once a second or so: what is due."""
        with self._step() as outcome:
            self._forget_what_is_over()
            if self._is_linked:
                self._send_due_reset()
                self._keep_up()
                self._renew_batch()
                self._flush()
            return outcome

    def receive(self, frame: Frame, link: object = None) -> Outcome:
        with self._step() as outcome:
            self._arrival = link
            match frame:
                case EnvelopeFrame():
                    self._take_envelope(frame)
                case InitFrame():
                    self._take_init_frame(frame)
                case Ack():
                    self._take_ack(frame)
                case Counters():
                    self._take_counters(frame)
                case BundleRequest():
                    self._answer_request(frame)
                case BundleFrame():
                    self._take_bundle(frame)
                case Reset():
                    self._take_reset(frame)
            return outcome

    # Frames

    def _take_envelope(self, frame: EnvelopeFrame) -> None:
        session = self.sessions.get(frame.sid)
        if session is None:
            self._reset(frame.sid)
        elif session.phase is not Phase.QUARANTINED:
            try:
                if not self._accept(session, frame.envelope) and session.failures >= MAXIMUM_FAILURES:
                    session.failures = 0
                    self._reset(session.sid)
            except RolledBack:
                self._quarantine(session)

    def _take_init_frame(self, frame: InitFrame) -> None:
        try:
            if self._take_init(frame):
                return
        except Expired:
            self._reset(NO_SID)
            return
        except RolledBack:
            self._quarantine(next(s for s in self.sessions.values() if s.init_digest == frame.init0.replay_digest))
            return
        self._failed_inits += 1
        if self._failed_inits >= MAXIMUM_FAILURES:
            self._failed_inits = 0
            self._reset(NO_SID)

    def _take_ack(self, ack: Ack) -> None:
        found = self._store.acknowledged(ack.sid, ack.name)
        if found is not None:
            seq, payload = found
            self._was_acknowledged(ack.sid, seq)
            if messages.type_of(payload) == "prekeys" and not self.row.batch_arrived:
                self.row.batch_arrived = True
                self._save()
            session = self.sessions.get(ack.sid)
            if session is not None and session.phase is Phase.STARTING:
                self._acknowledged_starts.add((self._arrival, ack.sid))
        self._flush()

    def _take_counters(self, counters: Counters) -> None:
        sent = self._sent_before.pop(self._arrival, {})
        for counter in counters.counters:
            session = self.sessions.get(counter.sid)
            if session is None:
                if counter.sid not in self.row.retired:
                    self._reset(counter.sid)
            elif session.phase is Phase.QUARANTINED:
                continue
            elif counter.seen > sent.get(counter.sid, session.sent):
                self._quarantine(session)
            elif counter.seen < self._known.get(self._arrival, {}).get(counter.sid, 0):
                self._give_up_for_sending(session)
            elif counter.committed < session.seen:
                # Or envelopes on another link were faster than this frame; if the state is old, a RESET follows.
                self._behind.add(counter.sid)

    def _give_up_for_sending(self, session: Session) -> None:
        """The peer has forgotten what it acknowledged before this link: it does not know that its state is old."""
        if not session.is_given_up:
            self.report("the peer's state is old: it has forgotten what it acknowledged")
            self._forget_held()
            session.phase = Phase.ABANDONED
            self._store.put_session(self.peer, session)
            self._move_on(session)
        self._reset(session.sid)

    def _quarantine(self, session: Session) -> None:
        self.report("our state is old or a copy: the peer has seen more than we ever sent")
        session.phase = Phase.QUARANTINED
        self._store.put_session(self.peer, session)
        self._move_on(session)
        # Nobody knows which pairs were used, of ours and of theirs.
        for id in self._store.pairs(self.peer):
            self._store.delete_pair(self.peer, id)
        self.row.batch = []
        self._save()
        self._forget_held()
        self._reset(session.sid)

    # RESET

    def _reset(self, sid: bytes) -> None:
        if sid not in self._resets_due:
            self._resets_due.append(sid)
        self._send_due_reset()

    def _send_due_reset(self) -> None:
        if self._resets_due and self.now - self.row.last_reset >= RESET_INTERVAL_SECONDS:
            self.row.last_reset = self.now
            self._save()
            self._outcome.frames.append(Reset(self._resets_due.pop(0)).encode())

    def _take_reset(self, reset: Reset) -> None:
        if reset.sid in self._behind:
            self._behind.discard(reset.sid)
            self.report("the peer's state is old: it has gone back behind what it sent")
            self._forget_held()
        if reset.sid == NO_SID:
            self._forget_held()
            for session in [s for s in self.sessions.values() if s.phase is Phase.STARTING]:
                self._give_up(session)
            if not self._answer_resting():
                self._start_due = True
        elif (named := self.sessions.get(reset.sid)) is not None:
            self._lose(named)
        else:
            self._start_due = self._start_due or not self._has_other_than(None)
        if self.newest is None:
            self._forget_held()
        self._start_because_of_reset()

    def _lose(self, session: Session) -> None:
        """The other side cannot use it."""
        if self.newest is not None and self.newest is not session:
            if session.phase is not Phase.QUARANTINED:
                self._give_up(session)
                self._flush()
            return
        if session.phase is not Phase.QUARANTINED:
            session.phase = Phase.ABANDONED
            self._store.put_session(self.peer, session)
            self._move_on(session)
        self._start_due = not self._has_other_than(session)

    def _has_other_than(self, session: Session | None) -> bool:
        return any((s.is_usable or s.is_pending) and s is not session for s in self.sessions.values())

    def _start_because_of_reset(self) -> None:
        if self._start_due and self.now - self.row.last_start_after_reset >= RESET_INTERVAL_SECONDS:
            self._start_due = False
            self.row.last_start_after_reset = self.now
            self._save()
            self.report("the session is repaired: a fresh one is started")
            self._begin(ask=True)

    # Time

    def _keep_up(self) -> None:
        """Starts a session where it is our turn to."""
        if self._asked is not None:
            if self._clock() - self._asked[1] >= BUNDLE_PATIENCE_SECONDS:
                self._begin(ask=True)
            return
        self._start_because_of_reset()
        if self._start_is_overdue:
            self._begin(ask=any(session.phase is Phase.STARTING for session in self.sessions.values()))
            return
        if any(session.is_pending for session in self.sessions.values()):
            return
        newest = self.newest
        if newest is None:
            just_paired = not self.sessions and not self.row.retired
            if just_paired:
                if not self.row.we_invited or self.now - self.row.paired >= INVITER_PATIENCE_SECONDS:
                    self._begin()
            elif self.is_lower and not any(s.phase is Phase.ABANDONED for s in self.sessions.values()):
                self._begin()
        elif self.now - newest.created >= SESSION_LIFE_SECONDS + (0 if self.is_lower else _DAY):
            self._begin(ask=True)
        elif self.now - newest.turned >= _DAY and self.now - newest.turn_asked >= TURN_INTERVAL_SECONDS:
            if not any(messages.type_of(out.payload) == "turn" for out in self._store.outgoing(self.peer, newest.sid)):
                newest.turn_asked = self.now
                self._seal(newest, Turn().encode())

    @property
    def _start_is_overdue(self) -> bool:
        """START (§5): a minute with a link and without a session that is confirmed."""
        since = max(self._linked_since, self._last_start)
        return self._is_linked and self.newest is None and self._clock() - since >= START_PATIENCE_SECONDS

    def _forget_what_is_over(self) -> None:
        self._ring.delete_expired(self.now, [self.peer])
        for session in list(self.sessions.values()):
            if session.phase is Phase.WINDING and self.now >= session.until:
                self._give_up(session)
            elif session.phase is Phase.STARTING and self.now - session.created >= _UNANSWERED_LIFE_SECONDS:
                self._give_up(session)
