"""Link frames (§5)."""

from dataclasses import dataclass, field

from .agreement import Init0
from .envelope import MAXIMUM_BYTES, NAME_BYTES
from .errors import Failure, Refused, require
from .wire import Reader, lp, u8, u64

SID_BYTES = 16
NO_SID = bytes(SID_BYTES)
MAXIMUM_COUNTERS = 64


@dataclass(frozen=True)
class EnvelopeFrame:
    sid: bytes
    envelope: bytes = field(repr=False)

    def encode(self) -> bytes:
        return b"\x01" + self.sid + self.envelope


@dataclass(frozen=True)
class InitFrame:
    init0: Init0
    envelope: bytes = field(repr=False)

    def encode(self) -> bytes:
        return encode_init(self.init0.encode(), self.envelope)


def encode_init(init0: bytes, envelope: bytes) -> bytes:
    return b"\x02" + init0 + lp(envelope)


@dataclass(frozen=True)
class Ack:
    sid: bytes
    name: bytes

    def encode(self) -> bytes:
        return b"\x03" + self.sid + self.name


@dataclass(frozen=True)
class Counter:
    sid: bytes
    committed: int
    seen: int


@dataclass(frozen=True)
class Counters:
    counters: tuple[Counter, ...] = ()

    def encode(self) -> bytes:
        return b"\x04" + b"".join(counter.sid + u64(counter.committed) + u64(counter.seen) for counter in self.counters)


@dataclass(frozen=True)
class BundleRequest:
    nonce: bytes

    def encode(self) -> bytes:
        return b"\x05" + self.nonce


@dataclass(frozen=True)
class BundleFrame:
    bundle: bytes = field(repr=False)

    def encode(self) -> bytes:
        return b"\x06" + self.bundle


@dataclass(frozen=True)
class Reset:
    sid: bytes

    def encode(self) -> bytes:
        return b"\x07" + self.sid


@dataclass(frozen=True)
class PairOk:
    introduction: bytes = field(repr=False)

    def encode(self) -> bytes:
        return b"\x08" + self.introduction


@dataclass(frozen=True)
class PairErr:
    """With CLOCK goes the inviter's time."""

    code: int
    time: int | None = None

    USED, EXPIRED, SPOILT, CLOCK = 1, 2, 3, 4

    def encode(self) -> bytes:
        return b"\x09" + u8(self.code) + (u64(self.time) if self.time is not None else b"")


@dataclass(frozen=True)
class Close:
    def encode(self) -> bytes:
        return b"\x0a"


Frame = EnvelopeFrame | InitFrame | Ack | Counters | BundleRequest | BundleFrame | Reset | PairOk | PairErr | Close


def parse(data: bytes) -> Frame:
    reader = Reader(data, "a link frame")
    frame = _parse(reader.u8(), reader)
    reader.end()
    return frame


def _parse(kind: int, reader: Reader) -> Frame:
    match kind:
        case 0x01:
            frame = EnvelopeFrame(reader.take(SID_BYTES), reader.rest())
            require(len(frame.envelope) <= MAXIMUM_BYTES, Failure.LIMIT, "the envelope is too long")
            return frame
        case 0x02:
            return InitFrame(Init0.read(reader), reader.lp(MAXIMUM_BYTES))
        case 0x03:
            return Ack(reader.take(SID_BYTES), reader.take(NAME_BYTES))
        case 0x04:
            require(reader.left <= MAXIMUM_COUNTERS * 32, Failure.LIMIT, "too many counters")
            counters = []
            while reader.left:
                counters.append(Counter(reader.take(SID_BYTES), reader.u64(), reader.u64()))
            return Counters(tuple(counters))
        case 0x05:
            request = BundleRequest(reader.take(16))
            require(any(request.nonce), Failure.FORMAT, "a request with nonce zero")
            return request
        case 0x06:
            return BundleFrame(reader.rest())
        case 0x07:
            return Reset(reader.take(SID_BYTES))
        case 0x08:
            return PairOk(reader.rest())
        case 0x09:
            code = reader.u8()
            require(code in (PairErr.USED, PairErr.EXPIRED, PairErr.SPOILT, PairErr.CLOCK), Failure.FORMAT, "an unknown PAIR_ERR")
            return PairErr(code, reader.u64() if code == PairErr.CLOCK else None)
        case 0x0A:
            return Close()
    raise Refused(Failure.FORMAT, "an unknown type of frame")
