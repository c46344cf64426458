"""Frames that arrive late, out of order, twice, or not at all, from a printed seed."""

import random

from pawl_peer.peer import Weather
from pawl_peer.primitives import sha256

_ACK = 0x03
_TOSSED = (0x01, 0x02, _ACK)  # ENVELOPE, INIT, ACK


class RoughWeather(Weather):
    """`lost` is what was dropped on the way in before it had arrived once, by its hash; it has to come again, byte for byte, on a later link."""

    def __init__(self, dice: random.Random, loss: float = 0.05, delay: float = 0.3, double: float = 0.1) -> None:
        self._dice = dice
        self._loss, self._delay, self._double = loss, delay, double
        self._held_out: list[bytes] = []
        self._held_in: list[bytes] = []
        self.calm = False
        self.lost: set[bytes] = set()
        self.again: set[bytes] = set()
        self._arrived: set[bytes] = set()
        self.counts = {"lost": 0, "late": 0, "doubled": 0}

    def outgoing(self, frame: bytes) -> list[bytes]:
        return self._toss(frame, self._held_out)

    def incoming(self, frame: bytes) -> list[bytes]:
        digest = sha256(frame)
        if digest in self.lost:
            self.again.add(digest)
        before = self.counts["lost"]
        frames = self._arrive(self._toss(frame, self._held_in))
        if self.counts["lost"] > before and frame[0] != _ACK and digest not in self._arrived:
            self.lost.add(digest)
        return frames

    def _arrive(self, frames: list[bytes]) -> list[bytes]:
        self._arrived.update(map(sha256, frames))
        return frames

    @property
    def missing(self) -> set[bytes]:
        """What was lost, and neither came again nor was there otherwise."""
        return self.lost - self.again - self._arrived

    def _toss(self, frame: bytes, held: list[bytes]) -> list[bytes]:
        if self.calm or frame[0] not in _TOSSED:
            return [frame]
        frames: list[bytes] = []
        roll = self._dice.random()
        if roll < self._loss:
            self.counts["lost"] += 1
        elif roll < self._loss + self._delay:
            self.counts["late"] += 1
            held.append(frame)
        else:
            frames.append(frame)
            if self._dice.random() < self._double:
                self.counts["doubled"] += 1
                held.append(frame)
        while held and frames and self._dice.random() < 0.4:
            frames.insert(self._dice.randrange(len(frames) + 1), held.pop(self._dice.randrange(len(held))))
        return frames

    def clear(self) -> tuple[list[bytes], list[bytes]]:
        """What is still held: (to go out, to come in), shuffled."""
        out, into = self._held_out, self._held_in
        self._held_out, self._held_in = [], []
        self._dice.shuffle(out)
        self._dice.shuffle(into)
        return out, self._arrive(into)
