"""Hosts, addresses, cards and introductions (§3, §4)."""

import re
from dataclasses import dataclass

from .errors import Failure, Refused, require
from .identity import RECORD_BYTES
from .wire import Reader, lp, u8, u16

MAXIMUM_ADDRESSES = 8
MAXIMUM_CARD_BYTES = 2_114
MAXIMUM_BUNDLE_BYTES = 30_777
_NAME = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HOST = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")
_IPV6 = re.compile(rb"[0-9A-Fa-f:.]{1,45}")


def is_name(name: bytes) -> bool:
    return _NAME.fullmatch(name) is not None


def is_host(host: bytes) -> bool:
    if b":" in host:
        return _IPV6.fullmatch(host) is not None and 2 <= host.count(b":") <= 7
    return _HOST.fullmatch(host) is not None


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def __post_init__(self) -> None:
        good = self.host.isascii() and is_host(self.host.encode()) and 1 <= self.port <= 65_535
        require(good, Failure.FORMAT, "not an address")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Address":
        """HOST:PORT, IPv6 in brackets (§10, `hello`)."""
        match = re.fullmatch(r"(?:\[([^\[\]]*:[^\[\]]*)\]|([^\[\]:]+)):([0-9]+)", text, re.ASCII)
        if match is None:
            raise Refused(Failure.FORMAT, "not an address")
        return cls(match[1] or match[2], int(match[3]))

    def encode(self) -> bytes:
        return u8(len(self.host)) + self.host.encode() + u16(self.port)


def encode_addresses(addresses: tuple[Address, ...]) -> bytes:
    return u8(len(addresses)) + b"".join(address.encode() for address in addresses)


def read_addresses(reader: Reader, minimum: int) -> tuple[Address, ...]:
    count = reader.u8()
    require(minimum <= count <= MAXIMUM_ADDRESSES, Failure.FORMAT, "too few or too many addresses")
    addresses = []
    for _ in range(count):
        host = reader.take(reader.u8())
        require(host.isascii(), Failure.FORMAT, "not an address")
        addresses.append(Address(host.decode("ascii"), reader.u16()))
    return tuple(addresses)


@dataclass(frozen=True)
class Card:
    """What a node says of itself: a claim."""

    name: str
    addresses: tuple[Address, ...] = ()

    def encode(self) -> bytes:
        return u8(len(self.name)) + self.name.encode() + encode_addresses(self.addresses)

    @classmethod
    def parse(cls, data: bytes) -> "Card":
        reader = Reader(data, "a card")
        name = reader.take(reader.u8())
        require(is_name(name), Failure.FORMAT, "not a name")
        card = cls(name.decode("ascii"), read_addresses(reader, 0))
        reader.end()
        return card


@dataclass(frozen=True)
class Introduction:
    """lp(record) ‖ lp(bundle) ‖ lp(card), each still to be looked into."""

    record: bytes
    bundle: bytes
    card: bytes

    def encode(self) -> bytes:
        return lp(self.record) + lp(self.bundle) + lp(self.card)

    @classmethod
    def parse(cls, data: bytes) -> "Introduction":
        reader = Reader(data, "an introduction")
        parsed = cls(reader.lp(RECORD_BYTES), reader.lp(MAXIMUM_BUNDLE_BYTES), reader.lp(MAXIMUM_CARD_BYTES))
        reader.end()
        return parsed
