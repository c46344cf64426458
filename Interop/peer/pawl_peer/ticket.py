"""Tickets (§3)."""

import base64
import binascii
from dataclasses import dataclass, field

from .address import Address, encode_addresses, read_addresses
from .errors import Failure, Refused, require
from .primitives import cut, hkdf, sha256
from .wire import Reader, u32

MAXIMUM_TEXT = 4_096
REMEMBERED_SECONDS = 86_400  # after its expiry
_PREFIX = "pawl1"
_VERSION = b"\x01"
_WHITE_SPACE = " \t\n\v\f\r"


@dataclass(frozen=True)
class Ticket:
    """Link key, node id and addresses are the inviter's. `expiry` is in Unix seconds."""

    expiry: int
    link_key: bytes
    node_id: bytes
    secret: bytes = field(repr=False)
    addresses: tuple[Address, ...]

    def encode(self) -> bytes:
        head = _VERSION + u32(self.expiry) + self.link_key + self.node_id + self.secret + encode_addresses(self.addresses)
        return head + _sum(head)

    @property
    def text(self) -> str:
        return _PREFIX + base64.b32encode(self.encode()).decode().rstrip("=").lower()

    @property
    def open_part(self) -> bytes:
        """The bytes without secret and sum."""
        return _VERSION + u32(self.expiry) + self.link_key + self.node_id + encode_addresses(self.addresses)

    def is_long_over(self, now: int) -> bool:
        """So long that the inviter has forgotten it. Before that its clock decides, not ours."""
        return now >= self.expiry + REMEMBERED_SECONDS

    def derive(self) -> tuple[bytes, bytes]:
        """(psk 32, ticket id 16)."""
        psk, ticket_id = cut(hkdf(sha256(self.open_part), self.secret, b"pawl/1 ticket", 48), 32, 16)
        return psk, ticket_id

    @classmethod
    def decode(cls, data: bytes) -> "Ticket":
        require(len(data) > 4, Failure.FORMAT, "the ticket is too short")
        require(_sum(data[:-4]) == data[-4:], Failure.CHECKSUM, "the ticket is mistyped or incomplete")
        reader = Reader(data[:-4], "a ticket")
        reader.literal(_VERSION, "the version")
        expiry, link_key, node_id, secret = reader.u32(), reader.take(32), reader.take(32), reader.take(32)
        ticket = cls(expiry, link_key, node_id, secret, read_addresses(reader, 1))
        reader.end()
        return ticket

    @classmethod
    def parse(cls, text: str) -> "Ticket":
        require(len(text) <= MAXIMUM_TEXT, Failure.LIMIT, "the text is too long for a ticket")
        text = text.strip(_WHITE_SPACE)
        require(text.isascii() and text.lower().startswith(_PREFIX), Failure.FORMAT, "not a ticket")
        digits = text[len(_PREFIX) :].upper()
        require("=" not in digits and len(digits) % 8 not in (1, 3, 6), Failure.FORMAT, "not whole bytes in base32")
        try:
            data = base64.b32decode(digits + "=" * (-len(digits) % 8))
        except binascii.Error:
            raise Refused(Failure.FORMAT, "not base32") from None
        require(base64.b32encode(data).decode().rstrip("=") == digits, Failure.FORMAT, "the spare bits are not zero")
        return cls.decode(data)


def _sum(head: bytes) -> bytes:
    return sha256(b"pawl/1 ticket sum", head)[:4]
