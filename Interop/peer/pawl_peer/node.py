"""The whole peer: its folder, its door, its pairings, its transfers."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import frames, segment
from .address import Address, Card, Introduction
from .bundle import CLOCK_SKEW_SECONDS, NO_NONCE, Bundle
from .errors import Failure, Refused, require
from .frames import PairErr, PairOk
from .identity import Identity, Record
from .link import (
    DATA,
    FIRST_MESSAGE_SECONDS,
    HANDSHAKE_SECONDS,
    LINK,
    PAIRING,
    Closed,
    Link,
    Pairing,
    Stream,
    accept_link,
    accept_pairing,
    dial_pairing,
)
from .machine import PeerMachine
from .messages import Hello
from .peer import Peer, Weather
from .prekeys import PrekeyRing
from .primitives import SYSTEM, equal, hmac
from .pulling import Denied, Pull
from .segment import AES_256_GCM, CHACHA20_POLY1305
from .serving import ATTACH_SECONDS, Server
from .sharing import Shares
from .store import PeerRow, Store, TicketRow
from .ticket import Ticket

_SPOILT_AT = 3


class PairingRefused(Exception):
    """The inviter's word: the ticket is used, expired or spoilt, or our clocks differ; then `time` is the inviter's."""

    def __init__(self, code: int, time: int | None = None) -> None:
        super().__init__({PairErr.USED: "used", PairErr.EXPIRED: "expired", PairErr.SPOILT: "spoilt", PairErr.CLOCK: "clock"}[code])
        self.code = code
        self.time = time


class Node:
    """`folder` holds the store; the same folder, opened again, is the same peer."""

    def __init__(self, folder: Path, name: str = "peer", clock: Callable[[], float] = time.time) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = folder / "peer.sqlite"
        database.touch(mode=0o600)
        self.name = name
        self.clock = clock
        self.store = Store(database)
        self.identity = self._identity()
        self.ring = PrekeyRing(self.identity, self.store)
        self.shares = Shares(self.identity, self.store)
        self.peers: dict[bytes, Peer] = {}
        self.servers: dict[bytes, Server] = {}
        self.weather: Callable[[], Weather] = Weather
        self.address: Address | None = None
        self._listener: asyncio.Server | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._expected: dict[bytes, tuple[bytes, asyncio.Future[Stream]]] = {}  # data connections, by cid

    def _identity(self) -> Identity:
        kept = self.store.get("identity")
        if kept is not None:
            return Identity.from_seeds(*(bytes.fromhex(part) for part in kept))
        identity = Identity.generate()
        parts = (identity.ed25519_seed, identity.mldsa_seed, identity.link_private, identity.agreement_private, identity.record.encode())
        with self.store.transaction():
            self.store.put("identity", [part.hex() for part in parts])
        return identity

    @property
    def now(self) -> int:
        return int(self.clock())

    @property
    def addresses(self) -> tuple[Address, ...]:
        return (self.address,) if self.address is not None else ()

    # Start and stop

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        with self.store.transaction():
            self.ring.delete_expired(self.now, list(self.store.peers()))
        self._listener = await asyncio.start_server(self._knock, host, port)
        self.address = Address(host, self._listener.sockets[0].getsockname()[1])
        for row in self.store.peers().values():
            peer = self._add_peer(Record.parse(row.record), row)
            self._keep_linked(peer)
        self._ticker = asyncio.create_task(self._tick())

    async def stop(self, politely: bool = True) -> None:
        """Without politeness the links are cut, as in a crash; the store is what it is at any time."""
        if self._ticker is not None:
            self._ticker.cancel()
        if self._listener is not None:
            self._listener.close()
        for server in self.servers.values():
            server.stop()
        for peer in self.peers.values():
            await peer.stop(politely)
        self.store.close()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            for peer in self.peers.values():
                peer.do(peer.machine.tick())

    def _keep_linked(self, peer: Peer) -> None:
        if peer.row.dial is not None:
            peer.keep_linked([Address.parse(peer.row.dial)])

    def _add_peer(self, record: Record, row: PeerRow) -> Peer:
        server = Server(
            self.identity.node_id,
            record.node_id,
            self.shares,
            lambda cid, ckey: self._open_as_server(peer, cid, ckey),
        )

        def make(peer: Peer) -> PeerMachine:
            return PeerMachine(
                self.identity,
                record,
                row,
                self.store,
                self.ring,
                self.clock,
                lambda: Hello(self.name, self.addresses),
                server.answer,
            )

        peer = Peer(record, row, make, self.identity, self.weather())
        self.peers[record.node_id] = peer
        self.servers[record.node_id] = server
        return peer

    # The door

    async def _knock(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = Stream(reader, writer)
        known = {id: peer.machine.highest_acknowledged() for id, peer in self.peers.items()}
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
                    first_byte = await stream.read_exactly(1)
                if first_byte == LINK:
                    link, key = await accept_link(self.identity, stream)
                    self._let_in(link, key, known)
                elif first_byte == PAIRING:
                    self._take_joiner(await accept_pairing(self.identity, stream, self._psks()))
                elif first_byte == DATA:
                    await self._attach(stream)
                else:
                    stream.close()
        except (Closed, Refused, TimeoutError):
            stream.close()

    def _let_in(self, link: Link, key: bytes, known: dict[bytes, dict[bytes, int]]) -> None:
        peer = next((peer for peer in self.peers.values() if peer.record.link == key), None)
        if peer is None:
            link.close()
        else:
            peer.add_link(link, known=known.get(peer.node_id))

    # Pairing as the inviter

    def invite(self, seconds: int = 900) -> str:
        assert self.address is not None, "the node listens"
        ticket = Ticket(self.now + seconds, self.identity.record.link, self.identity.node_id, SYSTEM.draw(32), self.addresses)
        with self.store.transaction():
            self.store.put_ticket(ticket.derive()[1], TicketRow(ticket.text))
        return ticket.text

    def _psks(self) -> dict[bytes, bytes]:
        tickets = (Ticket.parse(row.text) for row in self.store.tickets())
        return {ticket_id: psk for ticket in tickets if not ticket.is_long_over(self.now) for psk, ticket_id in [ticket.derive()]}

    def _take_joiner(self, pairing: Pairing) -> None:
        row = self.store.ticket(pairing.ticket_id)
        assert row is not None
        now = self.now
        over = self._over(row, pairing, now)
        if over is not None:
            self._refuse(pairing.link, PairErr(over))
            return
        try:
            issued = Bundle.parse(Introduction.parse(pairing.introduction).bundle).issued
            if abs(issued - now) > CLOCK_SKEW_SECONDS:
                self._refuse(pairing.link, PairErr(PairErr.CLOCK, now))
                return
            record, card = self._check_introduction(pairing.introduction, pairing.joiner_key, maximum_pairs=0)[:2]
        except Refused:
            row.bad += 1
            with self.store.transaction():
                self.store.put_ticket(pairing.ticket_id, row)
            self._refuse(pairing.link, PairErr(PairErr.SPOILT))
            return
        row.used_by = record.node_id
        with self.store.transaction():
            self.store.put_ticket(pairing.ticket_id, row)
            peer = self._paired(record, card, None, we_invited=True)
            bundle = self.ring.bundle_with_pair(record.node_id, now)
        pairing.link.send(PairOk(self._introduction(bundle)).encode())
        peer.add_link(pairing.link)

    def _over(self, row: TicketRow, pairing: Pairing, now: int) -> int | None:
        """Why the ticket lets nobody in, whatever the introduction says; nothing of it is verified for that."""
        if now >= Ticket.parse(row.text).expiry:
            return PairErr.EXPIRED
        if row.bad >= _SPOILT_AT:
            return PairErr.SPOILT
        if row.used_by is None:
            return None
        joiner = self.peers.get(row.used_by)
        return None if joiner is not None and joiner.record.link == pairing.joiner_key else PairErr.USED

    @staticmethod
    def _refuse(link: Link, error: PairErr) -> None:
        link.send(error.encode())
        link.close()

    def _paired(self, record: Record, card: Card, dialled: Address | None, we_invited: bool) -> Peer:
        """A peer that is known already keeps its sessions."""
        peer = self.peers.get(record.node_id)
        row = peer.row if peer is not None else PeerRow(record.encode(), card.name, we_invited=we_invited, paired=self.now)
        row.name, row.addresses = card.name, tuple(str(address) for address in card.addresses)
        row.dial = str(dialled) if dialled is not None else row.dial
        self.store.put_peer(record.node_id, row)
        return peer or self._add_peer(record, row)

    def _introduction(self, bundle: bytes) -> bytes:
        return Introduction(self.identity.record.encode(), bundle, Card(self.name, self.addresses).encode()).encode()

    def _check_introduction(self, data: bytes, key: bytes, maximum_pairs: int) -> tuple[Record, Card, Bundle]:
        introduction = Introduction.parse(data)
        record = Record.parse(introduction.record)
        require(record.link == key, Failure.IDENTITY, "the record of another link key")
        require(record.node_id != self.identity.node_id, Failure.IDENTITY, "our own record")
        card = Card.parse(introduction.card)
        bundle = Bundle.parse(introduction.bundle)
        bundle.check(record, self.identity.node_id, self.now)
        require(bundle.nonce == NO_NONCE and len(bundle.pairs) <= maximum_pairs, Failure.FORMAT, "another kind of bundle than pairing has")
        return record, card, bundle

    # Pairing as the joiner

    async def join(self, text: str) -> Peer:
        ticket = Ticket.parse(text)
        require(not ticket.is_long_over(self.now), Failure.TIME, "the ticket has expired")
        require(ticket.node_id != self.identity.node_id, Failure.IDENTITY, "our own ticket")
        with self.store.transaction():
            introduction = self._introduction(self.ring.bundle_without_pairs(ticket.node_id, self.now))
        last: Exception = Closed("the ticket has no address")
        for address in ticket.addresses:
            try:
                link, answer = await dial_pairing(self.identity, ticket, address, introduction)
            except (Closed, TimeoutError) as error:
                last = error
                continue
            return self._joined(ticket, link, frames.parse(answer), address)
        raise last

    def _joined(self, ticket: Ticket, link: Link, answer: Any, address: Address) -> Peer:
        if isinstance(answer, PairErr):
            link.close()
            raise PairingRefused(answer.code, answer.time)
        require(isinstance(answer, PairOk), Failure.FORMAT, "no answer to a pairing")
        record, card, bundle = self._check_introduction(answer.introduction, ticket.link_key, maximum_pairs=1)
        require(record.node_id == ticket.node_id, Failure.IDENTITY, "another node than the ticket's")
        with self.store.transaction():
            peer = self._paired(record, card, address, we_invited=False)
        # Without a pair, the inviter's user has to decide about us first: CLOSE follows, and the session starts on the first link that stands.
        if bundle.pairs:
            peer.add_link(link, bundle)
        else:
            link.close()
        self._keep_linked(peer)
        return peer

    # Data connections

    def expect(self, cid: bytes, ckey: bytes) -> "asyncio.Future[Stream]":
        future: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()
        self._expected[cid] = (ckey, future)
        return future

    async def _attach(self, stream: Stream) -> None:
        async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
            message = await stream.read_exactly(segment.ATTACH_BYTES)
        ckey, future = self._expected.get(message[:16], (b"", None))
        if future is None or not equal(message[16:], hmac(ckey, b"pawl/1 attach" + message[:16])):
            raise Refused(Failure.UNKNOWN, "an attach message that attaches to nothing")
        del self._expected[message[:16]]
        future.set_result(stream)

    async def _wait_for(self, cid: bytes, ckey: bytes) -> Stream | None:
        future = self.expect(cid, ckey)
        try:
            async with asyncio.timeout(ATTACH_SECONDS):
                return await future
        except TimeoutError:
            return None
        finally:
            self._expected.pop(cid, None)

    @staticmethod
    async def _dial_data(address: Address, cid: bytes, ckey: bytes) -> Stream | None:
        try:
            stream = await Stream.dial(address)
        except Closed:
            return None
        stream.writer.write(DATA + segment.attach_message(cid, ckey))
        return stream

    async def _open_as_server(self, peer: Peer, cid: bytes, ckey: bytes) -> Stream | None:
        """The server dials only if it dialled every link that is up."""
        dialled = [link.dialled for link in peer.links]
        if dialled and all(address is not None for address in dialled):
            assert dialled[-1] is not None
            await asyncio.sleep(0)  # the grant goes out first
            return await self._dial_data(dialled[-1], cid, ckey)
        return await self._wait_for(cid, ckey)

    async def _open_as_puller(self, peer: Peer, cid: bytes, ckey: bytes, granted: asyncio.Event) -> Stream | None:
        """The puller dials if it dialled any, once the first grant has come."""
        dialled = [link.dialled for link in peer.links if link.dialled is not None]
        if dialled:
            await granted.wait()
            return await self._dial_data(dialled[-1], cid, ckey)
        return await self._wait_for(cid, ckey)

    async def pull(
        self, peer: Peer, name: str, into: Path, version: int | None = None, aeads: tuple[int, ...] = (AES_256_GCM, CHACHA20_POLY1305)
    ) -> Path:
        entry = await peer.resolve(name, version)
        if entry is None:
            raise Denied("notFound")
        known = {self.identity.node_id: self.identity.record} | {id: other.record for id, other in self.peers.items()}
        publisher = known.get(entry.publisher)
        if publisher is None:
            raise Refused(Failure.UNKNOWN, "the publisher is nobody we know")

        async def opened(cid: bytes, ckey: bytes, granted: asyncio.Event) -> Stream | None:
            return await self._open_as_puller(peer, cid, ckey, granted)

        return await Pull(self.identity.node_id, peer, entry, publisher, opened, aeads).run(into)
