"""Frames that arrive late, out of order, twice, or not at all, from a printed seed."""

import random

from pawl_peer.peer import Weather

_TOSSED = (0x01, 0x02, 0x03)  # ENVELOPE, INIT, ACK


class RoughWeather(Weather):
    """What is lost on the way in comes again, byte for byte, on a later link: `lost` minus `again` is empty at the end."""

    def __init__(self, dice: random.Random, loss: float = 0.05, delay: float = 0.3, double: float = 0.1) -> None:
        self._dice = dice
        self._loss, self._delay, self._double = loss, delay, double
        self._held_out: list[bytes] = []
        self._held_in: list[bytes] = []
        self.calm = False
        self.lost: set[bytes] = set()
        self.again: set[bytes] = set()
        self.counts = {"lost": 0, "late": 0, "doubled": 0}

    def outgoing(self, frame: bytes) -> list[bytes]:
        return self._toss(frame, self._held_out)

    def incoming(self, frame: bytes) -> list[bytes]:
        if frame in self.lost:
            self.again.add(frame)
        frames = self._toss(frame, self._held_in)
        if frame[0] == 0x01 and not frames and frame not in self._held_in:
            self.lost.add(frame)
        return frames

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
        return out, into
