"""Connections that carry Noise messages: the handshakes, and links after them (§4)."""

import asyncio
from dataclasses import dataclass

from .address import Address
from .errors import Failure, Refused, require
from .identity import Identity
from .noise import MAXIMUM_MESSAGE_BYTES, MAXIMUM_PLAINTEXT_BYTES, Handshake, Pattern, Transport
from .ticket import Ticket
from .wire import u16

LINK, PAIRING, DATA = b"\x01", b"\x02", b"\x03"
FIRST_MESSAGE_SECONDS = 3
HANDSHAKE_SECONDS = 5
PAIRING_ANSWER_SECONDS = 10
SILENCE_SECONDS = 60
_SHORT_MESSAGE_BYTES = 96


class Closed(Exception):
    """The connection is at its end."""


@dataclass
class Stream:
    """A TCP connection, in messages with a u16 length in front."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def dial(cls, address: Address) -> "Stream":
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                return cls(*await asyncio.open_connection(address.host, address.port))
        except (OSError, TimeoutError) as error:
            raise Closed(f"{address} does not answer") from error

    async def read(self, maximum: int = MAXIMUM_MESSAGE_BYTES) -> bytes:
        length = int.from_bytes(await self.read_exactly(2), "big")
        require(length <= maximum, Failure.LIMIT, "a message is too long")
        return await self.read_exactly(length)

    async def read_exactly(self, count: int) -> bytes:
        try:
            return await self.reader.readexactly(count)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Closed("the connection was closed") from error

    def write(self, message: bytes) -> None:
        self.writer.write(u16(len(message)) + message)

    def close(self) -> None:
        self.writer.close()


class Link:
    """One frame a transport message, each way."""

    def __init__(self, stream: Stream, transport: Transport, dialled: Address | None) -> None:
        self._stream = stream
        self._transport = transport
        self.dialled = dialled  # where to, if we did

    async def receive(self) -> bytes:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                return self._transport.receiving.open(await self._stream.read())
        except TimeoutError as error:
            raise Closed("the link is silent") from error

    def send(self, frame: bytes) -> None:
        require(len(frame) <= MAXIMUM_PLAINTEXT_BYTES, Failure.LIMIT, "a frame is too long")
        self._stream.write(self._transport.sending.seal(frame))

    def close(self) -> None:
        self._stream.close()


async def dial_link(identity: Identity, link_key: bytes, address: Address) -> Link:
    stream = await Stream.dial(address)
    handshake = Handshake(Pattern.LINK, True, identity.link_private, link_key)
    return Link(stream, await _initiate(stream, LINK, handshake, b"", b""), address)


async def dial_pairing(identity: Identity, ticket: Ticket, address: Address, introduction: bytes) -> tuple[Link, bytes]:
    """The link, and the inviter's first frame."""
    stream = await Stream.dial(address)
    psk, ticket_id = ticket.derive()
    handshake = Handshake(Pattern.PAIRING, True, identity.link_private, ticket.link_key, psk)
    transport = await _initiate(stream, PAIRING, handshake, ticket_id, introduction)
    link = Link(stream, transport, address)
    try:
        async with asyncio.timeout(PAIRING_ANSWER_SECONDS):
            return link, await link.receive()
    except BaseException:
        link.close()
        raise


async def _initiate(stream: Stream, first_byte: bytes, handshake: Handshake, payload1: bytes, payload3: bytes) -> Transport:
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            stream.writer.write(first_byte)
            stream.write(handshake.write(payload1))
            require(handshake.read(await stream.read(_SHORT_MESSAGE_BYTES)) == b"", Failure.FORMAT, "a payload where there is none")
            stream.write(handshake.write(payload3))
    except (Refused, Closed):
        stream.close()
        raise
    except TimeoutError as error:
        stream.close()
        raise Closed("the other side does not answer") from error
    assert handshake.transport is not None
    return handshake.transport


async def accept_link(identity: Identity, stream: Stream) -> tuple[Link, bytes]:
    """The link, and the static key of whoever is at its other end."""
    handshake = Handshake(Pattern.LINK, False, identity.link_private)
    async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
        payload = handshake.read(await stream.read(_SHORT_MESSAGE_BYTES))
    require(payload == b"", Failure.FORMAT, "a payload where there is none")
    stream.write(handshake.write())
    require(handshake.read(await stream.read(_SHORT_MESSAGE_BYTES)) == b"", Failure.FORMAT, "a payload where there is none")
    assert handshake.transport is not None and handshake.remote_static is not None
    return Link(stream, handshake.transport, None), handshake.remote_static


@dataclass
class Pairing:
    """A pairing at the inviter: the joiner has proved that it has the ticket, and introduced itself."""

    link: Link
    ticket_id: bytes
    joiner_key: bytes
    introduction: bytes


async def accept_pairing(identity: Identity, stream: Stream, psk_of: dict[bytes, bytes]) -> Pairing:
    """`psk_of` has the tickets that are known, by their ids."""
    handshake = Handshake(Pattern.PAIRING, False, identity.link_private)
    async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
        ticket_id = handshake.read(await stream.read(_SHORT_MESSAGE_BYTES))
    psk = psk_of.get(ticket_id)
    if psk is None:
        raise Refused(Failure.UNKNOWN, "a ticket that is not there")
    handshake.psk = psk
    stream.write(handshake.write())
    introduction = handshake.read(await stream.read())
    assert handshake.transport is not None and handshake.remote_static is not None
    return Pairing(Link(stream, handshake.transport, None), ticket_id, handshake.remote_static, introduction)
