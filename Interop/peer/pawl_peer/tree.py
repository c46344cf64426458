"""Chunks and the hash tree over them (§13)."""

from .errors import Failure, require
from .primitives import sha256

MINIMUM_CHUNK_BYTES = 65_536
MAXIMUM_CHUNK_BYTES = 16_777_216
MAXIMUM_CHUNKS = 65_536
LEAF_BYTES = 32
EMPTY_ROOT = sha256()


def chunk_count(size: int, chunk: int) -> int:
    return -(-size // chunk)


def chunk_length(size: int, chunk: int, index: int) -> int:
    return min(chunk, size - index * chunk)


def chunk_for(largest: int) -> int:
    """The chunk size that our publisher takes: 1 MiB, or the smallest power of two above with which the largest file fits."""
    chunk = 1 << 20
    while chunk_count(largest, chunk) > MAXIMUM_CHUNKS:
        chunk *= 2
    return chunk


def leaf(chunk: bytes) -> bytes:
    return sha256(b"\x00", chunk)


def root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 §2.1.1. From the left, whole subtrees are joined as soon as there are two of a size; what is left is joined from
    the right."""
    stack: list[tuple[int, bytes]] = []  # (height, hash)
    for value in leaves:
        height = 0
        while stack and stack[-1][0] == height:
            value = sha256(b"\x01", stack.pop()[1], value)
            height += 1
        stack.append((height, value))
    if not stack:
        return EMPTY_ROOT
    _, top = stack.pop()
    while stack:
        top = sha256(b"\x01", stack.pop()[1], top)
    return top


def split_leaves(data: bytes) -> list[bytes]:
    return [data[at : at + LEAF_BYTES] for at in range(0, len(data), LEAF_BYTES)]


def check_leaf_list(data: bytes, size: int, chunk: int, expected_root: bytes) -> list[bytes]:
    """The leaves, if length and root are what the manifest says."""
    require(len(data) == chunk_count(size, chunk) * LEAF_BYTES, Failure.FORMAT, "a leaf list of a wrong length")
    leaves = split_leaves(data)
    require(root(leaves) == expected_root, Failure.CONTENT, "the leaves do not lead to the root")
    return leaves
