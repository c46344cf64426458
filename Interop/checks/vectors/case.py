"""Reading Interop/vectors, and what a case expects."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pawl_peer.errors import Failure, Refused

FOLDER = Path(__file__).resolve().parents[2] / "vectors"

# The classes of Interop/vectors/README.md, and which of the peer's failures belong to them.
CLASSES = ("ok", "malformed", "signature", "identity", "time", "unknown", "refused", "rollback", "json", "content", "unasked")
_OF_FAILURE = {
    Failure.FORMAT: "malformed",
    Failure.CHECKSUM: "malformed",
    Failure.KEY: "malformed",
    Failure.LIMIT: "malformed",
    Failure.SIGNATURE: "signature",
    Failure.IDENTITY: "identity",
    Failure.TIME: "time",
    Failure.UNKNOWN: "unknown",
    Failure.TAG: "refused",
    Failure.DUPLICATE: "refused",
    Failure.ORDER: "refused",
    Failure.JSON: "json",
    Failure.CONTENT: "content",
}


class Refusal(Exception):
    """What was refused belongs to this class."""

    def __init__(self, failure: str) -> None:
        super().__init__(failure)
        self.failure = failure


class Mismatch(Exception):
    """The peer makes something else of a case than what was recorded."""


class As:
    """Whatever is refused inside belongs to one class: where the protocol tells no more than that, and reasons may differ."""

    def __init__(self, failure: str, *only: Failure) -> None:
        self._failure, self._only = failure, only

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: Any) -> None:
        if isinstance(error, Refused) and (not self._only or error.failure in self._only):
            raise Refusal(self._failure) from error


class Case:
    """One case, or a part of one."""

    def __init__(self, members: dict[str, Any]) -> None:
        self.members = members

    def __contains__(self, key: str) -> bool:
        return key in self.members

    def __getitem__(self, key: str) -> Any:
        return self.members[key]

    def hex(self, key: str) -> bytes:
        return bytes.fromhex(self.members[key])

    def hexes(self, key: str) -> list[bytes]:
        return [bytes.fromhex(text) for text in self.members[key]]

    def part(self, key: str) -> "Case":
        return Case(self.members[key])

    def parts(self, key: str) -> list["Case"]:
        return [Case(part) for part in self.members[key]]

    def content(self, key: str) -> bytes:
        """Bytes that stand whole, or as a pattern that is repeated."""
        value = self.members[key]
        if isinstance(value, str):
            return bytes.fromhex(value)
        unit, size = bytes.fromhex(value["repeat"]), value["size"]
        return (unit * (size // len(unit) + 1))[:size]

    def same(self, key: str, ours: Any) -> None:
        if key not in self.members:
            raise Mismatch(f"{key} has no recorded value: nothing was to come of the case")
        recorded = self.content(key) if isinstance(ours, bytes) else self.members[key]
        if recorded != ours:
            raise Mismatch(f"{key} is {_shown(recorded)}, and not {_shown(ours)}")


def _shown(value: Any) -> str:
    return f"{value.hex()[:80]} ({len(value)} bytes)" if isinstance(value, bytes) else repr(value)


def insist(condition: bool, what: str) -> None:
    if not condition:
        raise Mismatch(what)


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(name: str) -> list[Case]:
    file = json.loads((FOLDER / f"{name}.json").read_text("ascii"))
    given = file.get("given", {})
    return [Case({key: _resolved(value, given) for key, value in members.items()}) for members in file["cases"]]


def _resolved(value: Any, given: dict[str, str]) -> Any:
    """A value that the cases of a file share stands once, and they name it."""
    return given[value["given"]] if isinstance(value, dict) and set(value) == {"given"} else value


def of(name: str, *operations: str) -> Iterable[Case]:
    """The cases of a file that do one of these."""
    return (case for case in load(name) if case["op"] in operations)


Checks = dict[str, Callable[[Case], None]]


def outcome(checks: Checks, case: Case) -> str:
    """The class that a case comes out as. Raises `Mismatch` where it passes with other results than the recorded ones."""
    if case["op"] not in checks:
        raise Mismatch(f"the operation {case['op']!r} is unknown")
    try:
        checks[case["op"]](case)
    except Refusal as refusal:
        return refusal.failure
    except Refused as refused:
        return _OF_FAILURE[refused.failure]
    return "ok"
