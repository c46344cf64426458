"""The puller's side of a transfer (§11): manifest, leaf lists, chunks; one grant at a time."""

import asyncio
import hashlib
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from . import segment, tree
from .errors import Failure, Refused, require
from .identity import Record
from .link import Stream
from .manifest import Manifest, SignedManifest
from .messages import Deny, Entry, GrantMessage, Want
from .peer import Peer
from .primitives import SYSTEM
from .segment import CHUNKS, GRANT_BYTES, HEADER_BYTES, LEAVES, MANIFEST, MAXIMUM_RANGES, PIECE_BYTES, FrameHeader, Piece, Range

_PATIENCE_SECONDS = 20


class Denied(Exception):
    """The server's reason is the argument."""


Open = Callable[[bytes, bytes, asyncio.Event], Coroutine[Any, Any, Stream | None]]


class Pull:
    """One artifact from one peer, over one data connection."""

    def __init__(self, own_id: bytes, peer: Peer, entry: Entry, publisher: Record, open_connection: Open, aeads: tuple[int, ...]) -> None:
        self._own_id = own_id
        self._peer = peer
        self._entry = entry
        self._publisher = publisher
        self._open = open_connection
        self._aeads = aeads
        self._transfer = SYSTEM.draw(16)
        self._cid, self._ckey = SYSTEM.draw(16), SYSTEM.draw(32)
        self._stream: Stream | None = None
        self._granted = asyncio.Event()
        self.used_aeads: set[int] = set()

    async def run(self, into: Path) -> Path:
        """Where the artifact is now. A file gets its name once every chunk of it has matched its leaf and it was read back."""
        opening = asyncio.create_task(self._open(self._cid, self._ckey, self._granted))
        try:
            manifest = await self._manifest(opening)
            target = into if manifest.is_bare else into / manifest.name
            for index, file in enumerate(manifest.files):
                await self._file(opening, manifest, index, target / file.path)
            for folder in manifest.folders:
                (target / folder).mkdir(parents=True, exist_ok=True)
            return target / manifest.files[0].path if manifest.is_bare else target
        finally:
            opening.cancel()
            if self._stream is not None:
                self._stream.close()

    async def _manifest(self, opening: asyncio.Task[Stream | None]) -> Manifest:
        data = b"".join([plaintext async for _, _, plaintext in self._fetch(opening, MANIFEST, (), None)])
        return SignedManifest.parse(data).check(self._entry.digest, self._publisher, self._entry.name, self._entry.version)

    async def _file(self, opening: asyncio.Task[Stream | None], manifest: Manifest, index: int, target: Path) -> None:
        file = manifest.files[index]
        chunks = tree.chunk_count(file.size, manifest.chunk)
        leaves = [file.root]
        if chunks > 1:
            count = tree.chunk_count(chunks * tree.LEAF_BYTES, PIECE_BYTES)
            listed = [plaintext async for _, _, plaintext in self._fetch(opening, LEAVES, ((index, 0, count),), manifest)]
            leaves = tree.check_leaf_list(b"".join(listed), file.size, manifest.chunk, file.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".pawl-{target.name}.part")
        with part.open("wb") as out:
            for ranges in _grants_of(index, chunks, manifest.chunk):
                async for _, chunk, plaintext in self._fetch(opening, CHUNKS, ranges, manifest):
                    require(tree.leaf(plaintext) == leaves[chunk], Failure.CONTENT, "a chunk that is not what was published")
                    out.write(plaintext)
            out.flush()
            os.fsync(out.fileno())
        with part.open("rb") as back:
            digest = hashlib.file_digest(back, "sha256").digest()
        require(digest == file.sha256, Failure.CONTENT, "the file read back is not what the publisher claimed")
        part.chmod(file.mode)
        part.rename(target)

    async def _fetch(self, opening: asyncio.Task[Stream | None], kind: int, ranges: tuple[Range, ...], manifest: Manifest | None) -> Any:
        """Yields (file, chunk, plaintext) of one grant."""
        first = not self._granted.is_set()
        want = Want(
            self._peer.next_request(),
            self._transfer,
            self._entry.digest,
            kind,
            ranges,
            self._aeads,
            self._cid,
            self._ckey if first else None,
        )
        answer, sid = await self._peer.ask(want)
        if isinstance(answer, Deny):
            raise Denied(answer.reason)
        if not isinstance(answer, GrantMessage):
            raise Refused(Failure.CONTENT, "another answer than a grant")
        repeated = (answer.kind, answer.digest, answer.transfer, answer.ranges, answer.cid)
        require(repeated == (kind, want.digest, want.transfer, ranges, self._cid), Failure.CONTENT, "a grant for something else")
        require(answer.aead in self._aeads, Failure.CONTENT, "a cipher that was not offered")
        self.used_aeads.add(answer.aead)
        self._granted.set()
        if self._stream is None:
            self._stream = await opening
            if self._stream is None:
                raise Denied("the data connection did not come about")
        key = segment.grant_key(
            answer.secret, kind, answer.aead, sid, self._peer.node_id, self._own_id, self._transfer, answer.gid, self._entry.digest
        )
        for piece in segment.pieces(kind, ranges, manifest, answer.size or 0):
            frame = await self._or_denied(want.req, self._frame(answer.gid, piece))
            _, plaintext = segment.open_frame(key, answer.aead, frame)
            yield piece.file, piece.chunk, plaintext

    async def _frame(self, gid: bytes, piece: Piece) -> bytes:
        """The next frame, if it is the one that is due."""
        assert self._stream is not None
        async with asyncio.timeout(_PATIENCE_SECONDS):
            encoded = await self._stream.read_exactly(HEADER_BYTES)
            header = FrameHeader.parse(encoded)
            due = (gid, piece.file, piece.chunk, piece.length)
            require((header.gid, header.file, header.chunk, header.plaintext_bytes) == due, Failure.ORDER, "a frame not asked for")
            return encoded + await self._stream.read_exactly(header.sealed_bytes)

    async def _or_denied(self, req: int, work: Coroutine[Any, Any, bytes]) -> bytes:
        """What was not sent when a deny comes after the grant will not be."""
        reading, denied = asyncio.ensure_future(work), self._peer.denial(req)
        try:
            await asyncio.wait((reading, denied), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                raise Denied(denied.result().reason)
            return reading.result()
        finally:
            reading.cancel()


def _grants_of(file: int, chunks: int, chunk: int) -> Iterator[tuple[Range, ...]]:
    """What one grant may hold at most, again and again until the file is through."""
    at_once = min(GRANT_BYTES // chunk, MAXIMUM_RANGES * 65_536)
    for first in range(0, chunks, at_once):
        yield ((file, first, min(at_once, chunks - first)),)
