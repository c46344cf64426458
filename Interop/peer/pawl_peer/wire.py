"""Integers, length prefixes and fields off the front of a byte string (§1)."""

from .errors import Failure, Refused, require


def u8(value: int) -> bytes:
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def lp(value: bytes) -> bytes:
    """u32 length ‖ value."""
    return u32(len(value)) + value


class Reader:
    """Takes fields off the front of `data`; what is not there, or is left over, is refused."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    @property
    def consumed(self) -> bytes:
        return self._data[: self._at]

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise Refused(Failure.FORMAT, f"{self._what} is too short")
        field = self._data[self._at : self._at + count]
        self._at += count
        return field

    def rest(self) -> bytes:
        return self.take(self.left)

    def integer(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def u8(self) -> int:
        return self.integer(1)

    def u16(self) -> int:
        return self.integer(2)

    def u32(self) -> int:
        return self.integer(4)

    def u64(self) -> int:
        return self.integer(8)

    def lp(self, maximum: int) -> bytes:
        length = self.u32()
        require(length <= maximum, Failure.LIMIT, f"a field of {self._what} is too long")
        return self.take(length)

    def literal(self, expected: bytes, name: str) -> None:
        require(self.take(len(expected)) == expected, Failure.FORMAT, f"{name} of {self._what}")

    def end(self) -> None:
        require(self.left == 0, Failure.FORMAT, f"{self._what} has bytes left over")
