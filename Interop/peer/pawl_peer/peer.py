"""One paired node: its links, its machine, and the requests that are open between us."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from . import frames, messages
from .address import Address
from .conversation import Outcome
from .errors import Refused
from .frames import Close, Counters
from .identity import Record
from .link import Closed, Link, dial_link
from .machine import PeerMachine
from .messages import Catalog, Deny, Entry, GrantMessage, Message, Resolved
from .primitives import SYSTEM
from .store import PeerRow

HEARTBEAT_SECONDS = 20
ANSWER_SECONDS = 15
_LONGEST_WAIT_SECONDS = 60
_MAXIMUM_LINKS = 16


class Weather:
    """What becomes of frames on their way. Tests have worse ones."""

    def outgoing(self, frame: bytes) -> list[bytes]:
        return [frame]

    def incoming(self, frame: bytes) -> list[bytes]:
        return [frame]


class Unanswered(Exception):
    """A request that the peer did not answer in time, or not as it may."""


class Peer:
    def __init__(self, record: Record, row: PeerRow, make: "Callable[[Peer], PeerMachine]", dialler: Any, weather: Weather) -> None:
        self.record = record
        self.row = row
        self.reports: list[str] = []
        self.links: list[Link] = []
        self.confirmed = asyncio.Event()
        self.weather = weather
        self.received: Callable[[Message], None] = lambda message: None  # every answer, once
        self._identity = dialler
        self._waiting: dict[int, asyncio.Future[tuple[Message, bytes]]] = {}
        self._denials: dict[int, asyncio.Future[Deny]] = {}
        self._requests = itertools.count(int.from_bytes(SYSTEM.draw(5)))  # answers of an earlier life have other numbers
        self._tasks: set[asyncio.Task[None]] = set()
        self._redial: asyncio.Task[None] | None = None
        self.machine = make(self)
        if self.machine.newest is not None:
            self.confirmed.set()

    @property
    def node_id(self) -> bytes:
        return self.record.node_id

    # Links

    def keep_linked(self, addresses: list[Address]) -> None:
        """Dials, and again whenever no link is left."""
        if self._redial is None:
            self._redial = asyncio.create_task(self._dial_for_ever(addresses))

    async def _dial_for_ever(self, addresses: list[Address]) -> None:
        wait = 0.0
        while True:
            if not self.links:
                for address in addresses:
                    try:
                        await self.dial(address)
                        wait = 0
                        break
                    except (Closed, Refused):
                        continue
                else:
                    wait = min(max(1.0, wait * 2), _LONGEST_WAIT_SECONDS)
            await asyncio.sleep(wait or 0.1)

    async def dial(self, address: Address) -> None:
        known = self.machine.highest_acknowledged()
        self.add_link(await dial_link(self._identity, self.record.link, address), known=known)

    def add_link(self, link: Link, paired_with: Any = None, known: dict[bytes, int] | None = None) -> None:
        """Its first frames go out before anything of it is read. `known`: what was acknowledged before its handshake."""
        self.links.append(link)
        if len(self.links) > _MAXIMUM_LINKS:
            self.links[0].close()
        outcome = self.machine.link_up(paired_with, link, known)
        for index, frame in enumerate(outcome.frames):
            for copy in [frame] if index == 0 else self.weather.outgoing(frame):
                link.send(copy)
        outcome.frames = []
        self.do(outcome)
        self._run(self._read(link))
        self._run(self._beat(link))

    def _run(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, link: Link) -> None:
        try:
            while True:
                data = await link.receive()
                frame = frames.parse(data)
                if isinstance(frame, Close):
                    break
                for copy in self.weather.incoming(data):
                    self.take(copy, link)
        except (Closed, Refused):
            pass
        finally:
            self.drop(link)

    async def _beat(self, link: Link) -> None:
        while link in self.links:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            if link in self.links:
                link.send(Counters().encode())

    def drop(self, link: Link) -> None:
        link.close()
        if link in self.links:
            self.links.remove(link)
            if not self.links:
                self.machine.link_down()
            else:
                self.do(self.machine.link_changed(link))

    def cut(self) -> None:
        """Ends every link without a word."""
        links, self.links = self.links, []
        for link in links:
            link.close()
        self.machine.link_down()

    async def stop(self, politely: bool = True) -> None:
        if self._redial is not None:
            self._redial.cancel()
        for link in list(self.links):
            if politely:
                link.send(Close().encode())
        self.cut()
        for task in list(self._tasks):
            task.cancel()

    # Frames and messages

    def take(self, frame: bytes, link: Link | None = None) -> None:
        """One frame, as it came from a link."""
        self.do(self.machine.receive(frames.parse(frame), link))

    def do(self, outcome: Outcome) -> None:
        self.reports += outcome.reports
        if outcome.confirmed:
            self.confirmed.set()
        if self.links:
            for frame in outcome.frames:
                for copy in self.weather.outgoing(frame):
                    self.links[-1].send(copy)
        for message, sid in outcome.messages:
            self._deliver(message, sid)

    def _deliver(self, message: Message, sid: bytes) -> None:
        if isinstance(message, Catalog | Resolved | GrantMessage | Deny):
            self.received(message)
            future = self._waiting.pop(message.req, None)
            if future is not None and not future.done():
                future.set_result((message, sid))
            elif future is None and isinstance(message, Deny):
                denied = self.denial(message.req)
                if not denied.done():
                    denied.set_result(message)

    def denial(self, req: int) -> asyncio.Future[Deny]:
        """Of a want that was granted before."""
        return self._denials.setdefault(req, asyncio.get_running_loop().create_future())

    def send(self, payload: bytes) -> None:
        self.do(self.machine.send(payload))

    def next_request(self) -> int:
        return next(self._requests)

    async def ask(self, request: Any, seconds: float = ANSWER_SECONDS) -> tuple[Message, bytes]:
        """The answer to a message with a `req`, and the session that brought it."""
        future: asyncio.Future[tuple[Message, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[request.req] = future
        self.send(request.encode())
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            raise Unanswered(f"no answer to {type(request).__name__}") from None
        finally:
            self._waiting.pop(request.req, None)

    async def catalog(self) -> list[Entry]:
        """All that the peer shares with us."""
        entries: list[Entry] = []
        after = None
        while True:
            answer, _ = await self.ask(messages.CatalogGet(self.next_request(), after))
            if not isinstance(answer, Catalog):
                raise Unanswered("another answer than a catalog")
            entries += answer.entries
            if answer.next is None:
                return entries
            after = answer.next

    async def resolve(self, name: str, version: int | None = None) -> Entry | None:
        answer, _ = await self.ask(messages.Resolve(self.next_request(), name, version))
        if not isinstance(answer, Resolved):
            raise Unanswered("another answer than resolved")
        entry = answer.entry
        if entry is not None and (entry.name != name or version not in (None, entry.version)):
            raise Unanswered("the answer is about something else")
        return entry
