"""What we publish: folders and files as signed manifests, read where they lie (§12, §13)."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from . import tree
from .identity import Identity
from .manifest import File, Manifest, SignedManifest
from .messages import Entry
from .store import Store
from .tree import EMPTY_ROOT

_KINDS = {
    ".safetensors": "safetensors",
    ".gguf": "gguf",
    ".onnx": "onnx",
    ".pt": "pytorch",
    ".pth": "pytorch",
    ".json": "json",
    ".yaml": "yaml",
    ".txt": "text",
    ".png": "image",
}


@dataclass
class Share:
    """One version of an artifact, and where its files lie."""

    folder: str  # what the paths of the manifest are relative to
    data: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def signed(self) -> SignedManifest:
        return SignedManifest(self.data, self.signature)


class Shares:
    def __init__(self, identity: Identity, store: Store) -> None:
        self._identity = identity
        self._store = store
        self._manifests: dict[bytes, tuple[Share, Manifest]] = {}
        for kept in store.get("shares") or []:
            self._add(Share(kept["folder"], bytes.fromhex(kept["data"]), bytes.fromhex(kept["signature"])))

    def _add(self, share: Share) -> Manifest:
        manifest = Manifest.parse(share.data)
        self._manifests[share.signed.digest] = (share, manifest)
        return manifest

    def publish(self, path: Path, name: str, now: int, note: str = "", chunk: int | None = None) -> Manifest:
        """The next version of `name`; every peer may have it."""
        earlier = [entry for entry in self.entries() if entry.name == name]
        root = path if path.is_dir() else path.parent
        paths = sorted((p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path], key=lambda p: os.fsencode(p.relative_to(root)))
        chunk = chunk or tree.chunk_for(max(p.stat().st_size for p in paths))
        files = tuple(_describe(p, p.relative_to(root).as_posix(), chunk) for p in paths)
        empty = sorted((p.relative_to(root).as_posix() for p in path.rglob("*") if p.is_dir() and not any(p.iterdir())), key=os.fsencode)
        manifest = Manifest(
            name=name,
            version=earlier[-1].version + 1 if earlier else 1,
            previous=earlier[-1].digest if earlier else None,
            publisher=self._identity.node_id,
            created=now,
            note=note,
            chunk=chunk,
            files=files,
            folder=path.is_dir() and len(files) == 1 and "/" not in files[0].path,
            ext={"folders": empty} if empty else None,
        )
        signed = SignedManifest.sign(self._identity, manifest)
        self._add(Share(str(root), signed.data, signed.signature))
        with self._store.transaction():
            kept = [{"folder": s.folder, "data": s.data.hex(), "signature": s.signature.hex()} for s, _ in self._manifests.values()]
            self._store.put("shares", kept)
        return manifest

    def entries(self) -> list[Entry]:
        """Sorted as a catalog is."""
        entries = [
            Entry(m.name, m.version, digest, sum(f.size for f in m.files), len(m.files), m.note, m.created, m.publisher)
            for digest, (_, m) in self._manifests.items()
        ]
        return sorted(entries, key=lambda entry: (entry.name.encode(), entry.version))

    def find(self, digest: bytes) -> tuple[Share, Manifest] | None:
        return self._manifests.get(digest)


def _describe(path: Path, relative: str, chunk: int) -> File:
    size, digest, leaves = 0, hashlib.sha256(), []
    with path.open("rb") as file:
        while data := file.read(chunk):
            size += len(data)
            digest.update(data)
            leaves.append(tree.leaf(data))
    mode = 0o755 if os.access(path, os.X_OK) else 0o644
    kind = _KINDS.get(path.suffix, "other")
    return File(relative, size, mode, kind, digest.digest(), tree.root(leaves) if leaves else EMPTY_ROOT)


def read_chunk(share: Share, manifest: Manifest, file: int, index: int) -> bytes:
    with (Path(share.folder) / manifest.files[file].path).open("rb") as opened:
        opened.seek(index * manifest.chunk)
        return opened.read(manifest.chunk)


def read_leaves(share: Share, manifest: Manifest, file: int) -> bytes:
    chunks = tree.chunk_count(manifest.files[file].size, manifest.chunk)
    return b"".join(tree.leaf(read_chunk(share, manifest, file, index)) for index in range(chunks))
