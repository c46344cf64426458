"""What can be wrong with something that came from outside."""

from enum import StrEnum


class Failure(StrEnum):
    """The class of a failure; test vectors name it."""

    FORMAT = "format"  # a wrong length, type, flag, version or value; bytes left over
    CHECKSUM = "checksum"  # a mistyped ticket
    KEY = "key"  # a public key that may not be used, or a shared secret of zeros
    SIGNATURE = "signature"
    IDENTITY = "identity"  # of or for somebody else
    TIME = "time"  # not yet or no longer valid
    UNKNOWN = "unknown"  # names a prekey, pair or session that is not there
    LIMIT = "limit"  # above a bound of §14
    TAG = "tag"  # an authentication tag or commitment that does not verify
    DUPLICATE = "duplicate"  # accepted before
    ORDER = "order"  # a message at a time at which nobody honest sends it
    JSON = "json"  # breaks the rules of §10
    CONTENT = "content"  # authentic, but not what was published or asked for


class Refused(Exception):
    """Input that a rule of the protocol forbids. Nothing has changed because of it."""

    def __init__(self, failure: Failure, what: str) -> None:
        super().__init__(f"{failure.value}: {what}")
        self.failure = failure
        self.what = what


def require(condition: bool, failure: Failure, what: str) -> None:
    if not condition:
        raise Refused(failure, what)
