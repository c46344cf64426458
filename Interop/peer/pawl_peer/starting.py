"""How a session begins: bundles, INIT from both sides, batches (§5 to §7)."""

from typing import Any

from . import agreement, envelope
from .bundle import NO_NONCE, Bundle, PrivatePair, PublicPair
from .conversation import Budget, Conversation
from .envelope import Letter
from .errors import Failure, Refused, require
from .frames import BundleFrame, BundleRequest, InitFrame
from .messages import Prekeys
from .ratchet import Ratchet
from .session import Phase, Session
from .store import HeldBundle

MAXIMUM_SESSIONS = 8
MAXIMUM_REPLAYS = 4_096
BUNDLE_PATIENCE_SECONDS = 30
SESSION_LIFE_SECONDS = 7 * 86_400


class Expired(Exception):
    """An INIT that names prekeys that are gone, or carries an expired or outdated bundle: answered by RESET with zeros."""


class Starting(Conversation):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._asked: tuple[bytes, float] | None = None  # the nonce of our BUNDLE_REQ, and when it went out
        self._requests = Budget(8, 10)
        self._last_start: float = 0
        self._arrival: object = None  # the link of the frame that is being taken
        self._acknowledged_starts: set[tuple[object, bytes]] = set()  # link, sid: an ACK of our INIT came on it

    def _ask_no_more(self) -> None:
        self._asked = None

    # As A

    def _begin(self, ask: bool = False) -> None:
        """Starts a session over a link: with the held bundle, or by asking for one."""
        found = None if ask else self._held()
        if found is not None and found[1] is not None:
            self._start(found[0], found[1])
        else:
            nonce = self._entropy.draw(16)
            self._asked = (nonce, self._clock())
            self._outcome.frames.append(BundleRequest(nonce).encode())

    def _held(self) -> tuple[Bundle, PublicPair | None] | None:
        """The held bundle, if it is in time, and its first pair that we have not used."""
        held = self.row.held
        if held is None:
            return None
        bundle = Bundle.parse(held.bundle)
        try:
            bundle.check(self.record, self.identity.node_id, self.now)
        except Refused:
            return None
        return bundle, next((pair for pair in bundle.pairs if pair.id not in held.used), None)

    def _start(self, bundle: Bundle, pair: PublicPair | None) -> Session:
        """With a bundle that was checked. The INIT frame is durable before it goes out."""
        self._last_start = self._clock()
        self._learn(bundle)
        prekeys = self._ring.current(self.now)
        own_bundle = self._ring.bundle_without_pairs(self.peer, self.now)
        agreed = agreement.start(self.identity, self.record, bundle, own_bundle, pair, self._entropy)
        session = Session(
            sid=agreed.roots.sid,
            associated_data=agreed.roots.associated_data,
            starter=True,
            phase=Phase.STARTING,
            ratchet=Ratchet.begin_as_starter(agreed, prekeys.kem, self._entropy),
            created=self.now,
            init0=agreed.init0.encode(),
            without_pair=pair is None,
        )
        if pair is not None and self.row.held is not None:
            self.row.held.used.append(pair.id)
            self._save()
        self.sessions[session.sid] = session
        self._seal(session, self._hello().encode())
        return session

    def start_offline(self) -> bytes | None:
        """The INIT frame of a session started with the held bundle while no link is up; None without one."""
        with self._store.transaction():
            found = self._held()
            if found is None:
                return None
            self._start(*found)
            if found[1] is None:
                self.report("a session began without a one-time pair: the batch is used up")
            return self._outcome.frames.pop()

    def start_after_pairing(self, bundle: Bundle) -> None:
        """The joiner's first session, with the bundle in PAIR_OK."""
        self._start(bundle, bundle.pairs[0] if bundle.pairs else None)

    def _take_bundle(self, frame: BundleFrame) -> None:
        if self._asked is None:
            return
        try:
            bundle = Bundle.parse(frame.bundle)
            require(bundle.nonce == self._asked[0], Failure.IDENTITY, "a bundle that was not asked for")
            bundle.check(self.record, self.identity.node_id, self.now)
            self._start(bundle, bundle.pairs[0] if bundle.pairs else None)
        except Refused:
            return
        self._asked = None

    def _answer_request(self, request: BundleRequest) -> None:
        if self._requests.take(self._clock()):
            bundle = self._ring.bundle_with_pair(self.peer, self.now, request.nonce)
            self._outcome.frames.append(BundleFrame(bundle).encode())

    # As B

    def _take_init(self, frame: InitFrame) -> bool:
        """False if it fails in a way that counts; raises `Expired`."""
        init0 = frame.init0
        if init0.starter != self.peer or init0.responder != self.identity.node_id:
            return True
        if self._store.has_init(self.peer, init0.replay_digest):
            self._take_init_again(frame)
            return True
        if not self._requests.take(self._clock()) or self._store.count_inits(self.peer) >= MAXIMUM_REPLAYS:
            return True
        prekeys = self._ring.find(init0.prekey_id)
        stored = self._store.pairs(self.peer).get(init0.pair_id)
        if prekeys is None or (init0.pair_id != 0 and stored is None):
            raise Expired
        try:
            self._begin_as_responder(frame, prekeys, stored.pair if stored is not None else None)
        except Refused:
            return False
        return True

    def _begin_as_responder(self, frame: InitFrame, prekeys: PrivatePair, pair: PrivatePair | None) -> None:
        init0 = frame.init0
        bundle = Bundle.parse(init0.bundle)
        require(bundle.nonce == NO_NONCE and not bundle.pairs, Failure.FORMAT, "another kind of bundle than INIT carries")
        try:
            bundle.check(self.record, self.identity.node_id, self.now)
            bundle.check_lag(self.row.newest_bundle, self.now)
        except Refused as refused:
            if refused.failure is Failure.TIME:
                raise Expired from None
            raise
        roots = agreement.answer(self.identity, self.record, init0, prekeys, pair)
        opened, plaintext = envelope.open_first(roots, prekeys.x25519, bundle.prekeys.kem, frame.envelope, self.now)
        letter = Letter.parse(plaintext)
        require(letter.seen == 0, Failure.ORDER, "a first envelope that has seen something")
        self._learn(bundle)
        self._make_room()
        ours = [session.sid for session in self.sessions.values() if session.phase is Phase.STARTING]
        # YIELD (§7): a peer that starts after it acknowledged our start on the same link has forgotten that one.
        race = bool(ours) and (self._arrival, ours[-1]) not in self._acknowledged_starts
        session = Session(
            sid=roots.sid,
            associated_data=roots.associated_data,
            starter=False,
            phase=Phase.RESTING if race and self.is_lower else Phase.ANSWERED,
            ratchet=opened.ratchet,
            created=self.now,
            init_digest=init0.replay_digest,
            without_pair=pair is None,
        )
        session.accept(opened, letter, self.now)
        self.sessions[session.sid] = session
        if pair is not None:
            self._store.delete_pair(self.peer, pair.id)
        self._store.add_init(self.peer, init0.replay_digest, init0.prekey_id)
        name = envelope.name(frame.envelope)
        self._store.add_receipt(session.sid, name)
        self._store.put_session(self.peer, session)
        self._acknowledge(session, name)
        self._take(session, letter.payload)
        if session.phase is Phase.ANSWERED:
            self._seal(session, self._hello().encode())

    def _take_init_again(self, frame: InitFrame) -> None:
        digest = frame.init0.replay_digest
        session = next((session for session in self.sessions.values() if session.init_digest == digest), None)
        if session is None or session.phase is Phase.QUARANTINED:
            return
        self._accept(session, frame.envelope, in_init=True)
        if session.phase is Phase.ANSWERED:
            self._send_again(session)

    def _answer_resting(self) -> bool:
        """Answers the session that had lost the race, if there is one."""
        resting = next((session for session in self.sessions.values() if session.phase is Phase.RESTING), None)
        if resting is None:
            return False
        resting.phase = Phase.ANSWERED
        self._seal(resting, self._hello().encode())
        return True

    def _make_room(self) -> None:
        for session in [s for s in self.sessions.values() if not s.is_usable][: max(0, len(self.sessions) + 1 - MAXIMUM_SESSIONS)]:
            self._give_up(session)

    # Batches

    def _send_batch(self, session: Session) -> None:
        """In a new session, and when half of the last batch is used: the unused of the last batch again, and fresh ones."""
        if not self._batches.take(self._clock()):
            return
        prekeys = self._ring.current(self.now)
        in_time = self.row.batch_prekeys == prekeys.id and self.now - self.row.batch_issued < SESSION_LIFE_SECONDS
        used_up = session.without_pair and not session.starter
        again = self.row.batch if in_time and not used_up else []
        now = max(self.now, self.row.batch_issued + 1)
        bundle = self._ring.batch(self.peer, now, again)
        self.row.batch = [pair.id for pair in bundle.pairs]
        self.row.batch_arrived, self.row.batch_issued, self.row.batch_prekeys = False, now, prekeys.id
        self._save()
        self._seal(session, Prekeys(bundle.encode()).encode())

    def _renew_batch(self) -> None:
        if self.newest is None or not self.row.batch_arrived:
            return
        unused = self._store.pairs(self.peer)
        half_used = sum(id in unused for id in self.row.batch) <= len(self.row.batch) // 2
        replaced = self.row.batch_prekeys != self._ring.current(self.now).id
        if half_used or replaced or self.now - self.row.batch_issued >= SESSION_LIFE_SECONDS:
            self._send_batch(self.newest)

    def _take_prekeys(self, data: bytes) -> None:
        try:
            bundle = Bundle.parse(data)
            require(bundle.nonce == NO_NONCE and bool(bundle.pairs), Failure.FORMAT, "not a batch")
            bundle.check(self.record, self.identity.node_id, self.now)
        except Refused:
            return
        used: list[int] = []
        if self.row.held is not None:
            if bundle.issued <= Bundle.parse(self.row.held.bundle).issued:
                return
            used = self.row.held.used
        self.row.held = HeldBundle(data, used)
        self._learn(bundle)
        self._save()

    def _learn(self, bundle: Bundle) -> None:
        """A genuine bundle of the peer's: much older ones start no session from now on."""
        if bundle.issued > self.row.newest_bundle:
            self.row.newest_bundle = bundle.issued
            self._save()

    def _forget_held(self) -> None:
        if self.row.held is not None:
            self.row.held = None
            self._save()
