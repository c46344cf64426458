"""JSON by the rules of §10: what breaks one of them is refused before anything looks at it."""

import json
import re
import unicodedata
from typing import Any, NoReturn

from .errors import Failure, Refused, require

MAXIMUM_DEPTH = 16
MAXIMUM_INTEGER = 2**53 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")


def loads(data: bytes) -> Any:
    """Objects, arrays, strings, integers 0…2^53 − 1, booleans and None."""
    try:
        text = data.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except (ValueError, RecursionError):
        raise Refused(Failure.JSON, "not JSON in UTF-8") from None
    _check(value, 0)
    return value


def dumps(value: Any) -> bytes:
    """As our writer writes: no white space, only `"`, `\\` and bytes below 20 escaped, members in the order of the dict."""
    return _text(value).encode()


def _text(value: Any) -> str:
    match value:
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case int():
            return str(value)
        case str():
            return '"' + re.sub(r'["\\]|[\x00-\x1f]', _escape, value) + '"'
        case list() | tuple():
            return "[" + ",".join(map(_text, value)) + "]"
        case dict():
            return "{" + ",".join(f"{_text(key)}:{_text(member)}" for key, member in value.items()) + "}"
    raise TypeError(f"no JSON for {type(value).__name__}")


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return "\\" + character if character in '"\\' else f"\\u{ord(character):04x}"


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    names = {unicodedata.normalize("NFC", name) for name, _ in members}
    require(len(names) == len(members), Failure.JSON, "a key stands twice in an object")
    return dict(members)


def _integer(digits: str) -> int:
    # The parser lets a minus sign through, and no leading zero.
    good = not digits.startswith("-") and len(digits) <= 16 and int(digits) <= MAXIMUM_INTEGER
    require(good, Failure.JSON, "a number out of range")
    return int(digits)


def _no_number(_: str) -> NoReturn:
    raise Refused(Failure.JSON, "a number that is no integer")


def _check(value: Any, depth: int) -> None:
    match value:
        case str():
            require(_SURROGATE.search(value) is None, Failure.JSON, "half a surrogate pair")
        case list():
            require(depth < MAXIMUM_DEPTH, Failure.JSON, "nested too deep")
            for member in value:
                _check(member, depth + 1)
        case dict():
            require(depth < MAXIMUM_DEPTH, Failure.JSON, "nested too deep")
            for key, member in value.items():
                _check(key, depth)
                _check(member, depth + 1)
