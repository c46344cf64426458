"""stream.json (§11)"""

from pawl_peer import segment
from pawl_peer.manifest import File, Manifest
from pawl_peer.segment import FrameHeader
from pawl_peer.tree import check_leaf_list, leaf

from .case import Case, Checks, Refusal


def _attach(case: Case) -> None:
    message = b"\x03" + segment.attach_message(case.hex("cid"), case.hex("ckey"))
    if message != case.hex("message"):
        raise Refusal("refused")


def _key(case: Case) -> bytes:
    bound = (case.hex(key) for key in ("sid", "server", "puller", "transfer", "gid", "digest"))
    return segment.grant_key(case.hex("secret"), case["kind"], case["aead"], *bound)


def _frame(case: Case) -> None:
    key, aead = _key(case), case["aead"]
    header, plaintext = segment.open_frame(key, aead, case.hex("frame"))
    case.same("key", key)
    case.same("plaintext", plaintext)
    case.same("file", header.file)
    case.same("chunk", header.chunk)
    case.same("frame", segment.seal_frame(key, aead, case.hex("gid"), case["file"], case["chunk"], case.hex("plaintext")))


def _grant(case: Case) -> None:
    kind, key = case["kind"], _key(case)
    manifest = _manifest(case) if "files" in case else None
    ranges = tuple((part["file"], part["first"], part["count"]) for part in case.parts("ranges")) if "ranges" in case else ()
    owed = segment.pieces(kind, ranges, manifest, case["bytes"] if "bytes" in case else 0)
    for frame in case.hexes("frames"):
        header = FrameHeader.parse(frame[: segment.HEADER_BYTES])
        place = (header.file, header.chunk, header.plaintext_bytes)
        if not owed or header.gid != case.hex("gid") or place != (owed[0].file, owed[0].chunk, owed[0].length):
            raise Refusal("unasked")
        owed.pop(0)
        _, plaintext = segment.open_frame(key, case["aead"], frame)
        if manifest is None:
            case.same("object", plaintext)
            continue
        file = manifest.files[header.file]
        if kind == segment.LEAVES:
            check_leaf_list(plaintext, file.size, manifest.chunk, file.root)
        elif leaf(plaintext) != file.root:  # files of one chunk
            raise Refusal("content")


def _manifest(case: Case) -> Manifest:
    files = (
        File(str(index), part["size"], 0o644, "other", part.hex("root"), part.hex("root")) for index, part in enumerate(case.parts("files"))
    )
    return Manifest("vector", 1, None, case.hex("server"), 1, "", case["chunk"], tuple(files))


CHECKS: Checks = {"attach": _attach, "frame": _frame, "grant": _grant}
