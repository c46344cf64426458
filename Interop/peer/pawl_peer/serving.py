"""The server's side of transfers: wants into grants, grants into frames (§11)."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from . import segment
from .errors import Refused
from .link import Stream
from .manifest import Manifest
from .messages import Catalog, CatalogGet, Deny, GrantMessage, Message, Resolve, Resolved, Want
from .primitives import SYSTEM
from .segment import AES_256_GCM, CHACHA20_POLY1305, CHUNKS, LEAVES, MANIFEST, PIECE_BYTES, Grant
from .sharing import Share, Shares, read_chunk, read_leaves

_MAXIMUM_CONNECTIONS = 16
_MAXIMUM_GRANTS = 8
_REMEMBERED_REQUESTS = 64
_PAGE = 512
ATTACH_SECONDS = 30
IDLE_SECONDS = 60

Dial = Callable[[bytes, bytes], Coroutine[Any, Any, Stream | None]]
"""(cid, ckey) → the data connection, dialled or waited for, whichever is ours to do."""


@dataclass
class Connection:
    """A data connection of one puller, and the grants that it still has to carry."""

    cid: bytes
    ckey: bytes = field(repr=False)
    jobs: "asyncio.Queue[Job]" = field(default_factory=asyncio.Queue)
    requests: list[int] = field(default_factory=list)


@dataclass
class Job:
    grant: Grant
    share: Share
    manifest: Manifest


class Server:
    """What one peer asks of us. `answer` is called in the transaction that accepts the request."""

    def __init__(self, own_id: bytes, peer_id: bytes, shares: Shares, open_connection: Dial) -> None:
        self._own_id = own_id
        self._peer_id = peer_id
        self._shares = shares
        self._open = open_connection
        self._connections: dict[bytes, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.preferred_aead = AES_256_GCM
        self.used_aeads: set[int] = set()
        # For tests: what becomes of a plaintext before it is sealed, and of a frame after.
        self.falsify: Callable[[int, int, int, bytes], bytes] = lambda kind, file, chunk, plaintext: plaintext
        self.damage: Callable[[bytes], bytes] = lambda frame: frame
        # And for what reason a want is denied.
        self.refuse: Callable[[Want], str | None] = lambda want: None

    def answer(self, message: Message, sid: bytes) -> list[bytes]:
        match message:
            case CatalogGet():
                return [self._catalog(message).encode()]
            case Resolve():
                return [self._resolve(message).encode()]
            case Want():
                answer = self._want(message, sid)
                return [answer.encode()] if answer is not None else []
        return []

    def _catalog(self, request: CatalogGet) -> Catalog:
        entries = self._shares.entries()
        if request.after is not None:
            name, _, version = request.after.rpartition("@v")
            after = (name.encode(), int(version) if version.isdecimal() else 0)
            entries = [entry for entry in entries if (entry.name.encode(), entry.version) > after]
        page: list[Any] = []
        for entry in entries[:_PAGE]:
            # A page has to fit into one envelope.
            if len(Catalog(request.req, (*page, entry), entry.cursor).encode()) > 49_132:
                break
            page.append(entry)
        return Catalog(request.req, tuple(page), page[-1].cursor if len(page) < len(entries) else None)

    def _resolve(self, request: Resolve) -> Resolved:
        found = [e for e in self._shares.entries() if e.name == request.name and request.version in (None, e.version)]
        return Resolved(request.req, found[-1] if found else None)

    def _want(self, want: Want, sid: bytes) -> GrantMessage | Deny | None:
        def deny(reason: str) -> Deny:
            return Deny(want.req, want.transfer, reason)

        refused = self.refuse(want)
        if refused is not None:
            return deny(refused)
        found = self._shares.find(want.digest)
        if found is None:
            return deny("notFound")
        share, manifest = found
        aead = self._choose(want.aeads)
        object_bytes = len(share.signed.encode())
        try:
            pieces = segment.pieces(want.kind, want.ranges, manifest, object_bytes)
        except Refused:
            return deny("badRequest")
        if aead is None:
            return deny("badRequest")
        connection = self._connections.get(want.cid)
        if connection is None:
            if want.ckey is None:
                return deny("noConnection")
            if len(self._connections) >= _MAXIMUM_CONNECTIONS:
                return deny("limit")
            connection = self._connections[want.cid] = Connection(want.cid, want.ckey)
            self._run(self._serve(connection))
        if want.req in connection.requests:
            return None
        connection.requests = [*connection.requests, want.req][-_REMEMBERED_REQUESTS:]
        if connection.jobs.qsize() >= _MAXIMUM_GRANTS:
            return deny("busy")
        self.used_aeads.add(aead)
        gid, secret = SYSTEM.draw(16), SYSTEM.draw(32)
        key = segment.grant_key(secret, want.kind, aead, sid, self._own_id, self._peer_id, want.transfer, gid, want.digest)
        connection.jobs.put_nowait(Job(Grant(gid, want.kind, aead, key, tuple(pieces)), share, manifest))
        size = object_bytes if want.kind == MANIFEST else None
        return GrantMessage(want.req, gid, secret, want.kind, aead, want.digest, want.transfer, want.ranges, want.cid, size)

    def _choose(self, aeads: tuple[int, ...]) -> int | None:
        if self.preferred_aead in aeads:
            return self.preferred_aead
        return next((aead for aead in aeads if aead in (AES_256_GCM, CHACHA20_POLY1305)), None)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    async def _serve(self, connection: Connection) -> None:
        stream = None
        try:
            stream = await self._open(connection.cid, connection.ckey)
            while stream is not None:
                async with asyncio.timeout(IDLE_SECONDS):
                    job = await connection.jobs.get()
                await self._send(job, stream)
        except (OSError, TimeoutError):
            pass
        finally:
            self._connections.pop(connection.cid, None)
            if stream is not None:
                stream.close()

    async def _send(self, job: Job, stream: Stream) -> None:
        """Each piece once, in order."""
        for piece in job.grant.pieces:
            plaintext = self.falsify(job.grant.kind, piece.file, piece.chunk, _plaintext(job, piece.file, piece.chunk))
            frame = segment.seal_frame(job.grant.key, job.grant.aead, job.grant.gid, piece.file, piece.chunk, plaintext)
            stream.writer.write(self.damage(frame))
            await stream.writer.drain()


def _plaintext(job: Job, file: int, chunk: int) -> bytes:
    if job.grant.kind == CHUNKS:
        return read_chunk(job.share, job.manifest, file, chunk)
    whole = read_leaves(job.share, job.manifest, file) if job.grant.kind == LEAVES else job.share.signed.encode()
    return whole[chunk * PIECE_BYTES : (chunk + 1) * PIECE_BYTES]
