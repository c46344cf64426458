"""tree.json (§13)"""

from pawl_peer import tree
from pawl_peer.errors import Failure
from pawl_peer.primitives import sha256

from .case import As, Case, Checks, insist


def _root(case: Case) -> None:
    leaves = [tree.leaf(chunk) for chunk in case.hexes("chunks")]
    insist(case.hexes("leaves") == leaves, "other leaves")
    case.same("root", tree.root(leaves))


def _file(case: Case) -> None:
    content, chunk = case.content("content"), case["chunk"]
    count = tree.chunk_count(len(content), chunk)
    leaves = []
    for index in range(count):
        length = tree.chunk_length(len(content), chunk, index)
        leaves.append(tree.leaf(content[index * chunk : index * chunk + length]))
    case.same("sha256", sha256(content))
    case.same("chunks", count)
    case.same("leaf list", b"".join(leaves))
    case.same("root", tree.root(leaves))
    insist(tree.check_leaf_list(case.hex("leaf list"), len(content), chunk, case.hex("root")) == leaves, "other leaves")


def _list(case: Case) -> None:
    with As("content", Failure.FORMAT):
        tree.check_leaf_list(case.hex("leaf list"), case["size"], case["chunk"], case.hex("root"))


CHECKS: Checks = {"root": _root, "file": _file, "list": _list}
