"""manifest.json (§10 and §12)"""

from pawl_peer import strictjson
from pawl_peer.errors import Failure
from pawl_peer.identity import Record
from pawl_peer.manifest import Manifest, SignedManifest
from pawl_peer.names import check_paths, is_artifact_name, is_path
from pawl_peer.primitives import sha256

from .case import As, Case, Checks, Refusal, insist


def _bytes(case: Case) -> bytes:
    return case.hex("bytes") if "bytes" in case else case["text"].encode()


def _json(case: Case) -> None:
    strictjson.loads(_bytes(case))


def _manifest(case: Case) -> None:
    data = _bytes(case)
    strictjson.loads(data)
    with As("content"):
        manifest = Manifest.parse(data)
    case.same("digest", sha256(data))
    case.same("canonical", manifest.encode().decode())
    insist(Manifest.parse(manifest.encode()) == manifest, "what is written is read otherwise")


def _signed(case: Case) -> None:
    publisher = Record.parse(case.hex("publisher record"))
    signed = SignedManifest.parse(case.hex("object"))
    insist(signed.encode() == case.hex("object"), "the object is written otherwise than it was read")
    with As("content", Failure.FORMAT):
        signed.check(case.hex("digest"), publisher, "n", 1)


def _name(case: Case) -> None:
    if not is_artifact_name(case["text"]):
        raise Refusal("content")


def _path(case: Case) -> None:
    if not is_path(case["text"]):
        raise Refusal("content")


def _paths(case: Case) -> None:
    if not all(is_path(text) for text in case["texts"]):
        raise Refusal("content")
    check_paths(case["texts"])


CHECKS: Checks = {"json": _json, "manifest": _manifest, "signed": _signed, "name": _name, "path": _path, "paths": _paths}
