"""Manifests: reading, writing, signing (§12)."""

import re
from dataclasses import dataclass, field
from typing import Any

from . import strictjson
from .errors import Failure, Refused, require
from .identity import Identity, Record
from .names import MAXIMUM_FOLDERS, check_paths, is_artifact_name, is_path
from .primitives import sha256
from .tree import EMPTY_ROOT, MAXIMUM_CHUNK_BYTES, MAXIMUM_CHUNKS, MINIMUM_CHUNK_BYTES, chunk_count
from .wire import Reader, lp

SCHEMA = "pawl/manifest/1"
MAXIMUM_BYTES = 33_554_432
MAXIMUM_SIGNATURE_BYTES = 8_192
MAXIMUM_OBJECT_BYTES = 33_562_632
MAXIMUM_FILES = 100_000
MAXIMUM_TOTAL_CHUNKS = 4_194_304
MAXIMUM_NOTE_BYTES = 4_096
MAXIMUM_ENVIRONMENT_FILES = 64
MAXIMUM_VERSION = 2**32 - 1
MODES = (0o644, 0o755)
_WORD = re.compile("[a-z0-9-]{1,32}")
_DIGEST = re.compile("[0-9a-f]{64}")
_DTYPE = re.compile("[A-Z0-9_]{1,16}")
_MAXIMUM_DTYPES = 32
_MAXIMUM_TENSORS = 200_000
_MAXIMUM_METADATA = 16_777_216


@dataclass(frozen=True)
class File:
    path: str
    size: int
    mode: int
    kind: str
    sha256: bytes
    root: bytes
    format: dict[str, Any] | None = None
    ext: dict[str, Any] | None = None


@dataclass(frozen=True)
class Manifest:
    name: str
    version: int
    previous: bytes | None
    publisher: bytes
    created: int
    note: str
    chunk: int
    files: tuple[File, ...]
    folder: bool = False
    environment: dict[str, Any] | None = None
    ext: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def is_bare(self) -> bool:
        """One file, placed under its own name."""
        return len(self.files) == 1 and "/" not in self.files[0].path and not self.folder

    @property
    def folders(self) -> list[str]:
        """Those that hold nothing; other extensions are not ours to read."""
        return (self.ext or {}).get("folders", [])

    def encode(self) -> bytes:
        """In our writer's order, without white space."""
        members: dict[str, Any] = {
            "schema": SCHEMA,
            "name": self.name,
            "version": self.version,
            "previous": self.previous.hex() if self.previous is not None else None,
            "publisher": self.publisher.hex(),
            "created": self.created,
            "note": self.note,
            "chunk": self.chunk,
        }
        if self.folder:
            members["folder"] = True
        if self.environment is not None:
            members["environment"] = self.environment
        members["files"] = [_file_members(file) for file in self.files]
        if self.ext is not None:
            members["ext"] = self.ext
        return strictjson.dumps(members)

    @classmethod
    def parse(cls, data: bytes) -> "Manifest":
        """The JSON and every rule of the two tables."""
        require(len(data) <= MAXIMUM_BYTES, Failure.LIMIT, "the manifest is too long")
        members = _Members(strictjson.loads(data), "the manifest")
        require(members.text("schema") == SCHEMA, Failure.FORMAT, "another schema")
        previous = members.take("previous")
        manifest = cls(
            name=members.text("name"),
            version=members.integer("version", 1, MAXIMUM_VERSION),
            previous=_digest(previous) if previous is not None else None,
            publisher=_digest(members.take("publisher")),
            created=members.integer("created"),
            note=members.text("note"),
            chunk=members.integer("chunk", MINIMUM_CHUNK_BYTES, MAXIMUM_CHUNK_BYTES),
            folder=members.only_true("folder"),
            environment=members.object("environment"),
            ext=members.object("ext"),
            files=tuple(_file(value) for value in members.array("files", 1, MAXIMUM_FILES)),
        )
        members.end()
        manifest._check()
        return manifest

    def _check(self) -> None:
        require(is_artifact_name(self.name), Failure.CONTENT, "not an artifact's name")
        require(len(self.note.encode()) <= MAXIMUM_NOTE_BYTES, Failure.LIMIT, "the note is too long")
        require(self.chunk & (self.chunk - 1) == 0, Failure.CONTENT, "the chunk size is no power of two")
        paths = [file.path for file in self.files]
        require(all(is_path(path) for path in paths), Failure.CONTENT, "not a path")
        encoded = [path.encode() for path in paths]
        require(all(a < b for a, b in zip(encoded, encoded[1:])), Failure.CONTENT, "the files are not in the order of their paths")
        if "folders" in (self.ext or {}):
            self._check_folders()
        check_paths(paths, self.folders)
        require(all(file.size <= MAXIMUM_CHUNKS * self.chunk for file in self.files), Failure.LIMIT, "a file of too many chunks")
        total = sum(chunk_count(file.size, self.chunk) for file in self.files)
        require(total <= MAXIMUM_TOTAL_CHUNKS, Failure.LIMIT, "too many chunks")
        if self.environment is not None:
            _check_environment(self.environment, set(paths))

    def _check_folders(self) -> None:
        folders = _Members(self.ext, "ext").array("folders", 1, MAXIMUM_FOLDERS)
        require(all(isinstance(path, str) and is_path(path) for path in folders), Failure.CONTENT, "not a path")
        encoded = [path.encode() for path in folders]
        require(all(a < b for a, b in zip(encoded, encoded[1:])), Failure.CONTENT, "the folders are not in the order of their paths")
        require(not self.is_bare, Failure.CONTENT, "a bare file with folders")


def _file(value: Any) -> File:
    members = _Members(value, "a file")
    file = File(
        path=members.text("path"),
        size=members.integer("size"),
        mode=members.integer("mode"),
        kind=members.word("kind"),
        sha256=_digest(members.take("sha256")),
        root=_digest(members.take("root")),
        format=members.object("format"),
        ext=members.object("ext"),
    )
    members.end()
    require(file.mode in MODES, Failure.CONTENT, "a mode other than 0644 and 0755")
    if file.size == 0:
        require(file.root == EMPTY_ROOT and file.sha256 == EMPTY_ROOT, Failure.CONTENT, "an empty file with another hash")
    if file.format is not None:
        _check_format(file.format)
    return file


def _file_members(file: File) -> dict[str, Any]:
    members: dict[str, Any] = {
        "path": file.path,
        "size": file.size,
        "mode": file.mode,
        "kind": file.kind,
        "sha256": file.sha256.hex(),
        "root": file.root.hex(),
    }
    if file.format is not None:
        members["format"] = file.format
    if file.ext is not None:
        members["ext"] = file.ext
    return members


def _check_environment(value: dict[str, Any], paths: set[str]) -> None:
    members = _Members(value, "the environment")
    seen = set()
    for entry in members.array("files", 1, MAXIMUM_ENVIRONMENT_FILES):
        file = _Members(entry, "an environment file")
        path = file.text("path")
        file.word("form")
        file.end()
        require(path in paths and path not in seen, Failure.CONTENT, "an environment file that is not there, or stands twice")
        seen.add(path)
    members.object("ext")
    members.end()


def _check_format(value: dict[str, Any]) -> None:
    members = _Members(value, "the format")
    if members.only_true("malformed"):
        members.end()
        return
    dtypes = _Members(members.take("dtypes"), "dtypes").rest()
    require(len(dtypes) <= _MAXIMUM_DTYPES, Failure.LIMIT, "too many dtypes")
    for name, count in dtypes.items():
        require(_DTYPE.fullmatch(name) is not None and type(count) is int, Failure.CONTENT, "not a dtype")
    tensors = members.integer("tensors", 0, _MAXIMUM_TENSORS)
    require(sum(dtypes.values()) == tensors, Failure.CONTENT, "the tensors do not add up")
    members.integer("parameters")
    if members.has("metadata"):
        members.integer("metadata", 0, _MAXIMUM_METADATA)
    if members.has("kohya"):
        require(type(members.take("kohya")) is bool, Failure.JSON, "kohya")
    members.object("ext")
    members.end()


def _digest(value: Any) -> bytes:
    if not isinstance(value, str) or _DIGEST.fullmatch(value) is None:
        raise Refused(Failure.CONTENT, "not a digest")
    return bytes.fromhex(value)


class _Members:
    """The members of an object, each taken once; what nobody took is refused at the end."""

    def __init__(self, value: Any, what: str) -> None:
        if not isinstance(value, dict):
            raise Refused(Failure.CONTENT, f"{what} is no object")
        self._members = dict(value)
        self._what = what

    def has(self, key: str) -> bool:
        return key in self._members

    def take(self, key: str) -> Any:
        if key not in self._members:
            raise Refused(Failure.CONTENT, f"{self._what} has no {key}")
        return self._members.pop(key)

    def text(self, key: str) -> str:
        value = self.take(key)
        if not isinstance(value, str):
            raise Refused(Failure.CONTENT, f"{key} of {self._what} is no text")
        return value

    def word(self, key: str) -> str:
        value = self.text(key)
        require(_WORD.fullmatch(value) is not None, Failure.CONTENT, f"{key} of {self._what} is no word")
        return value

    def integer(self, key: str, minimum: int = 0, maximum: int = strictjson.MAXIMUM_INTEGER) -> int:
        value = self.take(key)
        if type(value) is not int or not minimum <= value <= maximum:
            raise Refused(Failure.CONTENT, f"{key} of {self._what} is out of range")
        return value

    def array(self, key: str, minimum: int, maximum: int) -> list[Any]:
        value = self.take(key)
        if not isinstance(value, list) or not minimum <= len(value) <= maximum:
            raise Refused(Failure.CONTENT, f"{key} of {self._what} is no list of a fit length")
        return value

    def object(self, key: str) -> dict[str, Any] | None:
        if not self.has(key):
            return None
        value = self.take(key)
        if not isinstance(value, dict):
            raise Refused(Failure.CONTENT, f"{key} of {self._what} is no object")
        return value

    def only_true(self, key: str) -> bool:
        if not self.has(key):
            return False
        require(self.take(key) is True, Failure.CONTENT, f"{key} of {self._what} is not true")
        return True

    def rest(self) -> dict[str, Any]:
        return self._members

    def end(self) -> None:
        require(not self._members, Failure.CONTENT, f"{self._what} has members that nobody knows")


@dataclass(frozen=True)
class SignedManifest:
    """The object of kind 1: lp(bytes) ‖ lp(signature)."""

    data: bytes
    signature: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        return sha256(self.data)

    def encode(self) -> bytes:
        return lp(self.data) + lp(self.signature)

    @classmethod
    def sign(cls, identity: Identity, manifest: Manifest) -> "SignedManifest":
        data = manifest.encode()
        return cls(data, identity.sign("manifest", data))

    @classmethod
    def parse(cls, data: bytes) -> "SignedManifest":
        reader = Reader(data, "a signed manifest")
        parsed = cls(reader.lp(MAXIMUM_BYTES), reader.lp(MAXIMUM_SIGNATURE_BYTES))
        reader.end()
        return parsed

    def check(self, digest: bytes, publisher: Record, name: str, version: int) -> Manifest:
        """In the order that §12 gives."""
        require(self.digest == digest, Failure.CONTENT, "another artifact than the one asked for")
        publisher.verify("manifest", self.data, self.signature)
        manifest = Manifest.parse(self.data)
        require(manifest.publisher == publisher.node_id, Failure.CONTENT, "another publisher than the one that signed")
        require((manifest.name, manifest.version) == (name, version), Failure.CONTENT, "another name or version than resolved")
        return manifest
