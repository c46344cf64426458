"""What the tests against the real node share."""

import asyncio
import logging
import os
import random
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path

from pawl_peer.node import Node
from pawl_peer.peer import Peer
from realnode import RealNode

SEED = int(os.environ.get("PAWL_SEED") or random.SystemRandom().randrange(2**32))
# The debug mode that unittest runs loops in tells of every step above 0.1 s.
logging.getLogger("asyncio").setLevel(logging.ERROR)


async def until(condition: Callable[[], object], what: str, seconds: float = 20) -> None:
    """Waits for something that the other side is to bring about."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still not: {what}")
        await asyncio.sleep(0.01)


class LiveTest(unittest.IsolatedAsyncioTestCase):
    """A real node called `real` and Python peers beside it, in a folder that goes away."""

    async def asyncSetUp(self) -> None:
        self.dice = random.Random(f"{SEED} {self.id()}")
        self._folder = tempfile.TemporaryDirectory(prefix="pawl-")
        self.folder = Path(self._folder.name)
        self.real = RealNode(self.folder / "real", "real")
        self.nodes: list[Node] = []
        await self.real.start()

    async def asyncTearDown(self) -> None:
        for node in self.nodes:
            await node.stop()
        await self.real.stop()
        failed = getattr(self._outcome, "success", True) is False  # type: ignore[attr-defined]
        if failed:
            print(f"\n{self.id()}: PAWL_SEED={SEED}; the node's log:\n{self.real.log}")
        self._folder.cleanup()

    async def node(self, name: str, folder: str | None = None) -> Node:
        node = Node(self.folder / (folder or name), name)
        await node.start()
        self.nodes.append(node)
        return node

    async def end(self, node: Node, politely: bool = True) -> None:
        self.nodes.remove(node)
        await node.stop(politely)

    async def joined(self, name: str = "anna") -> tuple[Node, Peer]:
        """A Python peer that joined with the real node's ticket."""
        node = await self.node(name)
        peer = await node.join(await self.real.invite(name))
        await self.confirmed(peer)
        return node, peer

    async def invited(self, name: str = "bert") -> tuple[Node, Peer]:
        """A Python peer that the real node joined."""
        node = await self.node(name)
        await self.real.join(node.invite(), name)
        peer = node.peers[self.real.node_id]
        await self.confirmed(peer)
        return node, peer

    async def confirmed(self, peer: Peer) -> None:
        async with asyncio.timeout(20):
            await peer.confirmed.wait()
