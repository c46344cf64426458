"""The Double Ratchet with header encryption, and the KEM ratchet beside it (§8).

A `Ratchet` is a value: sealing and opening work on a copy and hand back the copy, which counts once its owner keeps it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .agreement import Agreement, Roots
from .errors import Failure, Refused, require
from .primitives import (
    CT768_BYTES,
    CT1024_BYTES,
    EK768_BYTES,
    SYSTEM,
    Entropy,
    check_kem_key,
    cut,
    decapsulate768,
    decapsulate1024,
    dh,
    hkdf,
    hmac,
    kem768_public,
    x25519_public,
)
from .wire import Reader, u32

MAXIMUM_GAP = 1_000
MAXIMUM_SKIPPED_KEYS = 2_000
MAXIMUM_CHAINS = 64
SKIPPED_KEY_LIFE_SECONDS = 7 * 86_400
FLAG_FIRST, FLAG_OTHER, FLAG_CONFIRM = 1, 2, 3
FLAG_KNOWN, SHORT_HEADER_BYTES = 4, 5
HEADER_BYTES = {FLAG_FIRST: 1_225, FLAG_OTHER: 2_313, FLAG_CONFIRM: 3_881}


@dataclass(frozen=True)
class Header:
    """dh 32 ‖ PN u32 ‖ N u32 ‖ KB, where KB begins with the flag."""

    dh: bytes
    pn: int
    n: int
    flag: int
    ek768: bytes = field(repr=False)
    ct768: bytes = field(default=b"", repr=False)
    ct1024: bytes = field(default=b"", repr=False)

    @property
    def kb(self) -> bytes:
        return bytes([self.flag]) + self.ek768 + self.ct768 + self.ct1024

    def encode(self) -> bytes:
        return self.dh + u32(self.pn) + u32(self.n) + self.kb

    @classmethod
    def parse(cls, data: bytes) -> "Header":
        reader = Reader(data, "a header")
        public, pn, n, flag = reader.take(32), reader.u32(), reader.u32(), reader.u8()
        require(len(data) == HEADER_BYTES.get(flag), Failure.FORMAT, "a header of a wrong flag or length")
        header = cls(
            public,
            pn,
            n,
            flag,
            reader.take(EK768_BYTES),
            reader.take(CT768_BYTES) if flag in (FLAG_OTHER, FLAG_CONFIRM) else b"",
            reader.take(CT1024_BYTES) if flag == FLAG_CONFIRM else b"",
        )
        reader.end()
        check_kem_key(header.ek768, 3)
        return header


@dataclass(frozen=True)
class ShortHeader:
    """04 ‖ N u32. The rest is that of the chain whose header key opens it."""

    n: int

    def encode(self) -> bytes:
        return bytes([FLAG_KNOWN]) + u32(self.n)

    @classmethod
    def parse(cls, data: bytes) -> "ShortHeader":
        reader = Reader(data, "a short header")
        require(reader.u8() == FLAG_KNOWN, Failure.FORMAT, "a short header of a wrong flag")
        header = cls(reader.u32())
        reader.end()
        return header


def parse_header(data: bytes) -> Header | ShortHeader:
    return ShortHeader.parse(data) if len(data) == SHORT_HEADER_BYTES else Header.parse(data)


@dataclass(frozen=True)
class MessageKeys:
    """The message keys of both chains."""

    ec: bytes = field(repr=False)
    pq: bytes = field(repr=False)


@dataclass(frozen=True)
class Chains:
    """The chain keys of both chains, which step together."""

    ec: bytes = field(repr=False)
    pq: bytes = field(repr=False)

    def step(self) -> tuple["Chains", MessageKeys]:
        return (
            Chains(hmac(self.ec, b"\x02"), hmac(self.pq, b"\x02")),
            MessageKeys(hmac(self.ec, b"\x01"), hmac(self.pq, b"\x01")),
        )


@dataclass(frozen=True)
class Sending:
    """Our newest chain. `header` is that of its first message."""

    header_key: bytes = field(repr=False)
    chains: Chains
    dh_private: bytes = field(repr=False)
    ek768_seed: bytes = field(repr=False)
    header: Header
    n: int = 0


@dataclass(frozen=True)
class Skipped:
    keys: MessageKeys
    since: int


@dataclass(frozen=True)
class Receiving:
    """A chain of the other side. One that was left behind has no chain keys any more, only those that were skipped."""

    header_key: bytes = field(repr=False)
    dh: bytes
    kb: bytes = field(repr=False)
    chains: Chains | None
    n: int = 0
    skipped: dict[int, Skipped] = field(default_factory=dict)
    pn: int = 0


@dataclass(frozen=True)
class Opened:
    """What a header leads to: the state that counts if the message opens too, and its keys."""

    ratchet: "Ratchet"
    header: Header | ShortHeader
    keys: MessageKeys
    turned: bool  # a new chain of the other side began


HeaderOpener = Callable[[bytes], bytes | None]


@dataclass(frozen=True)
class Ratchet:
    starter: bool
    root_ec: bytes = field(repr=False)
    root_pq: bytes = field(repr=False)
    next_send_header_key: bytes = field(repr=False)
    next_receive_header_key: bytes = field(repr=False)
    sending: Sending | None = None
    receiving: Receiving | None = None
    left: tuple[Receiving, ...] = ()  # oldest first
    must_turn: bool = False  # our next message begins a chain
    peer_pqspk: bytes | None = field(default=None, repr=False)  # B, until its first chain: what CONFIRM is encapsulated to
    own_pqspk_seed: bytes | None = field(default=None, repr=False)  # A, until CONFIRM has come

    @classmethod
    def begin_as_starter(cls, agreement: Agreement, own_pqspk_seed: bytes, entropy: Entropy = SYSTEM) -> "Ratchet":
        """A begins. Draws the chain's dh (32 bytes) and the seed of its ek768 (64)."""
        roots = agreement.roots
        dh_private, ek_seed = entropy.draw(32), entropy.draw(64)
        root_ec, chain_ec, next_key = _ec_step(roots.root_ec, dh(dh_private, agreement.signed_prekey))
        root_pq, chain_pq = _pq_step(roots.root_pq, bytes(32))
        header = Header(x25519_public(dh_private), 0, 0, FLAG_FIRST, kem768_public(ek_seed))
        return cls(
            starter=True,
            root_ec=root_ec,
            root_pq=root_pq,
            next_send_header_key=next_key,
            next_receive_header_key=roots.next_header_key_b,
            sending=Sending(roots.header_key_a, Chains(chain_ec, chain_pq), dh_private, ek_seed, header),
            own_pqspk_seed=own_pqspk_seed,
        )

    @classmethod
    def begin_as_responder(cls, roots: Roots, spk_private: bytes, peer_pqspk: bytes, open_header: HeaderOpener, now: int) -> Opened:
        """B begins, with the envelope in INIT, whose header `open_header` opens."""
        data = open_header(roots.header_key_a)
        if data is None:
            raise Refused(Failure.TAG, "the header in INIT does not open")
        header = Header.parse(data)
        require(header.flag == FLAG_FIRST and header.pn == 0, Failure.FORMAT, "not a header of a first chain")
        root_ec, chain_ec, next_key = _ec_step(roots.root_ec, dh(spk_private, header.dh))
        root_pq, chain_pq = _pq_step(roots.root_pq, bytes(32))
        ratchet = cls(
            starter=False,
            root_ec=root_ec,
            root_pq=root_pq,
            next_send_header_key=roots.next_header_key_b,
            next_receive_header_key=next_key,
            receiving=Receiving(roots.header_key_a, header.dh, header.kb, Chains(chain_ec, chain_pq)),
            must_turn=True,
            peer_pqspk=peer_pqspk,
        )
        keys, ratchet = ratchet._advance_to(header.n, now, MAXIMUM_GAP)
        return Opened(ratchet._bounded(now), header, keys, True)

    # Sending

    def next_message(
        self, entropy: Entropy = SYSTEM, known: bool = False
    ) -> tuple["Ratchet", bytes, Header | ShortHeader, MessageKeys]:
        """(state after it, header key, header, keys) of our next message; `known`: the other side knows the chain, if it is not a new one.

        If it begins a chain, draws dh (32 bytes), the seed of ek768 (64), and encapsulates to ML-KEM-768 and, for CONFIRM, then to ML-KEM-1024.
        """
        ratchet = self._turn(entropy) if self.must_turn else self
        sending = ratchet.sending
        assert sending is not None, "a starter begins with a chain, a responder turns first"
        require(sending.n < 2**32 - 1, Failure.LIMIT, "the chain is at its end")
        chains, keys = sending.chains.step()
        header = ShortHeader(sending.n) if known and not self.must_turn else replace(sending.header, n=sending.n)
        after = replace(ratchet, sending=replace(sending, chains=chains, n=sending.n + 1))
        return after, sending.header_key, header, keys

    def _turn(self, entropy: Entropy) -> "Ratchet":
        receiving = self.receiving
        assert receiving is not None, "only an answer begins a new chain"
        dh_private, ek_seed = entropy.draw(32), entropy.draw(64)
        answered = receiving.kb[1 : 1 + EK768_BYTES]
        ct768, secret = entropy.encapsulate768(answered)
        flag, ct1024 = FLAG_OTHER, b""
        if self.peer_pqspk is not None:
            ct1024, secret1024 = entropy.encapsulate1024(self.peer_pqspk)
            flag, secret = FLAG_CONFIRM, secret + secret1024
        root_ec, chain_ec, next_key = _ec_step(self.root_ec, dh(dh_private, receiving.dh))
        root_pq, chain_pq = _pq_step(self.root_pq, secret)
        pn = self.sending.n if self.sending is not None else 0
        header = Header(x25519_public(dh_private), pn, 0, flag, kem768_public(ek_seed), ct768, ct1024)
        return replace(
            self,
            root_ec=root_ec,
            root_pq=root_pq,
            sending=Sending(self.next_send_header_key, Chains(chain_ec, chain_pq), dh_private, ek_seed, header),
            next_send_header_key=next_key,
            must_turn=False,
            peer_pqspk=None,
        )

    # Receiving

    def receive(self, open_header: HeaderOpener, now: int) -> Opened:
        """Tries the header under the keys it may be sealed with; the first that opens it decides. No short one begins a chain."""
        if self.receiving is not None:
            data = open_header(self.receiving.header_key)
            if data is not None:
                return self._in_current(parse_header(data), now)
        data = open_header(self.next_receive_header_key)
        if data is not None:
            return self._in_new(Header.parse(data), now)
        for index in reversed(range(len(self.left))):
            data = open_header(self.left[index].header_key)
            if data is not None:
                return self._in_left(index, parse_header(data), now)
        raise Refused(Failure.TAG, "the header opens under no key")

    def _in_current(self, header: Header | ShortHeader, now: int) -> Opened:
        receiving = self.receiving
        assert receiving is not None
        _require_same_chain(receiving, header)
        if header.n < receiving.n:
            keys, rest = _take(receiving, header.n, now)
            return Opened(replace(self, receiving=rest), header, keys, False)
        keys, ratchet = self._advance_to(header.n, now, MAXIMUM_GAP)
        return Opened(ratchet._bounded(now), header, keys, False)

    def _in_left(self, index: int, header: Header | ShortHeader, now: int) -> Opened:
        chain = self.left[index]
        _require_same_chain(chain, header)
        keys, rest = _take(chain, header.n, now)
        kept = (rest,) if rest.skipped else ()
        return Opened(replace(self, left=self.left[:index] + kept + self.left[index + 1 :]), header, keys, False)

    def _in_new(self, header: Header, now: int) -> Opened:
        sending = self.sending
        if sending is None or sending.n == 0 or self.must_turn:
            raise Refused(Failure.ORDER, "a new chain although nothing was answered")
        old = self.receiving
        left, gap = self.left, MAXIMUM_GAP
        if self.starter and old is None:
            good = header.flag == FLAG_CONFIRM and header.pn == 0
        else:
            good = header.flag == FLAG_OTHER and old is not None and header.pn >= old.n
        require(good, Failure.FORMAT, "a new chain must not begin with this header")
        if old is not None:
            gap -= header.pn - old.n
            require(gap >= 0, Failure.LIMIT, "too many messages skipped")
            if header.pn > old.n:
                old = _skip(old, header.pn, now)
            if old.skipped:
                left = (*left, replace(old, chains=None))
        secret = decapsulate768(sending.ek768_seed, header.ct768)
        if header.flag == FLAG_CONFIRM:
            assert self.own_pqspk_seed is not None
            secret += decapsulate1024(self.own_pqspk_seed, header.ct1024)
        root_ec, chain_ec, next_key = _ec_step(self.root_ec, dh(sending.dh_private, header.dh))
        root_pq, chain_pq = _pq_step(self.root_pq, secret)
        turned = replace(
            self,
            root_ec=root_ec,
            root_pq=root_pq,
            receiving=Receiving(self.next_receive_header_key, header.dh, header.kb, Chains(chain_ec, chain_pq), pn=header.pn),
            next_receive_header_key=next_key,
            left=left,
            must_turn=True,
            own_pqspk_seed=None,
        )
        keys, ratchet = turned._advance_to(header.n, now, gap)
        return Opened(ratchet._bounded(now), header, keys, True)

    def _advance_to(self, n: int, now: int, gap: int) -> tuple[MessageKeys, "Ratchet"]:
        receiving = self.receiving
        assert receiving is not None
        require(n - receiving.n <= gap, Failure.LIMIT, "too many messages skipped")
        receiving = _skip(receiving, n, now)
        assert receiving.chains is not None
        chains, keys = receiving.chains.step()
        return keys, replace(self, receiving=replace(receiving, chains=chains, n=n + 1))

    def _bounded(self, now: int) -> "Ratchet":
        """Skipped keys that are too old dropped, then the oldest of what is too many."""
        every = [*self.left, self.receiving] if self.receiving is not None else list(self.left)
        total = sum(len(chain.skipped) for chain in every)
        oldest = now - SKIPPED_KEY_LIFE_SECONDS
        bounded = []
        for chain in every:
            kept = {}
            for n, skipped in chain.skipped.items():
                if skipped.since < oldest or total > MAXIMUM_SKIPPED_KEYS:
                    total -= 1
                else:
                    kept[n] = skipped
            bounded.append(replace(chain, skipped=kept) if len(kept) < len(chain.skipped) else chain)
        left = tuple(chain for chain in bounded[: len(self.left)] if chain.skipped)[-MAXIMUM_CHAINS:]
        return replace(self, left=left, receiving=bounded[-1] if self.receiving is not None else None)


def _ec_step(root: bytes, shared: bytes) -> tuple[bytes, bytes, bytes]:
    root, chain, header_key = cut(hkdf(root, shared, b"pawl/1 ratchet ec", 96), 32, 32, 32)
    return root, chain, header_key


def _pq_step(root: bytes, secret: bytes) -> tuple[bytes, bytes]:
    root, chain = cut(hkdf(root, secret, b"pawl/1 ratchet pq", 64), 32, 32)
    return root, chain


def _require_same_chain(chain: Receiving, header: Header | ShortHeader) -> None:
    if isinstance(header, ShortHeader):
        return  # it stands for what the chain's headers say
    same = (header.dh, header.pn, header.kb) == (chain.dh, chain.pn, chain.kb)
    require(same, Failure.FORMAT, "a header with another dh, PN or KB than its chain's")


def _skip(chain: Receiving, until: int, now: int) -> Receiving:
    """The keys of the messages before `until` kept for later."""
    if until == chain.n:
        return chain
    chains = chain.chains
    assert chains is not None
    skipped = dict(chain.skipped)
    for n in range(chain.n, until):
        chains, keys = chains.step()
        skipped[n] = Skipped(keys, now)
    return replace(chain, chains=chains, n=until, skipped=skipped)


def _take(chain: Receiving, n: int, now: int) -> tuple[MessageKeys, Receiving]:
    skipped = chain.skipped.get(n)
    if skipped is None or skipped.since < now - SKIPPED_KEY_LIFE_SECONDS:
        raise Refused(Failure.DUPLICATE, "the key of this message is gone: it came before, or far too late")
    rest = dict(chain.skipped)
    del rest[n]
    return skipped.keys, replace(chain, skipped=rest)
