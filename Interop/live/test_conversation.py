"""A long conversation with the real node in rough weather, with crashes of both sides."""

import asyncio
import unittest
from collections import Counter

from pawl_peer.messages import Catalog, CatalogGet, Message, Resolve, Resolved, Turn
from pawl_peer.node import Node
from pawl_peer.peer import Peer
from support import LiveTest, until
from weather import RoughWeather

ENVELOPES = 1_000
KILLED_AT = 330  # the node
CRASHED_AT = 660  # the Python side


class Conversation(LiveTest):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.answers: Counter[int] = Counter()
        self.wrong: list[Message] = []
        self.chains: set[bytes] = set()
        self.weather = RoughWeather(self.dice)

    def attend(self, peer: Peer) -> None:
        def received(message: Message) -> None:
            assert isinstance(message, Catalog | Resolved)
            if message.req >= ENVELOPES:
                return
            self.answers[message.req] += 1
            if isinstance(message, Catalog) != (message.req % 2 == 0):
                self.wrong.append(message)
            session = peer.machine.newest
            assert session is not None and session.ratchet.receiving is not None
            self.chains.add(session.ratchet.receiving.dh)

        peer.weather = self.weather
        peer.received = received

    async def test_a_thousand_envelopes_each_way_in_any_order_arrive_once(self) -> None:
        source = self.real.folder / "lora.bin"
        source.write_bytes(b"weights")
        await self.real.command("share", str(source), "--name", "lora", "--to", "all")
        node, peer = await self.joined()
        assert peer.machine.newest is not None
        sid = peer.machine.newest.sid
        self.attend(peer)
        for req in range(ENVELOPES):
            self.ask(peer, req)
            if req % 10 == 0:
                await self.gust(peer)
            if req % 90 == 89:
                peer.cut()
            if req in (200, 500, 800):
                await self.node_asks(peer)
            if req == KILLED_AT:
                await self.real.kill()
                await self.real.start()
            if req == CRASHED_AT:
                node, peer = await self.crash(node)
            while peer.machine.unacknowledged >= 300:
                await self.gust(peer)
                peer.cut()
                await asyncio.sleep(0.2)

        self.weather.calm = True
        await self.gust(peer)
        peer.cut()
        await until(lambda: peer.machine.unacknowledged == 0, "all is acknowledged", 60)
        await self.ask_again(peer)
        await until(lambda: len(self.answers) == ENVELOPES, "all answers are there", 60)
        self.assertEqual(self.wrong, [])
        self.assertEqual(set(self.answers.values()), {1})
        self.assertEqual(self.weather.missing, set(), "what was lost came again, byte for byte")
        self.assertGreater(len(self.weather.again), 10)
        self.assertGreater(len(self.chains), 20)
        self.assertEqual([s.sid for s in peer.machine.sessions.values()], [sid])
        self.assertEqual(peer.reports, [])
        self.assertEqual((await self.real.command("ls", "anna"))["artifacts"], [])

    async def ask_again(self, peer: Peer) -> None:
        """What the node was killed over: acknowledged, but its answer was not committed yet (§9)."""
        await asyncio.sleep(1)
        peer.cut()
        await until(lambda: peer.links, "there is a link")
        await peer.catalog()
        for req in set(range(ENVELOPES)) - set(self.answers):
            self.assertIn(req, range(KILLED_AT - 150, KILLED_AT + 1), "only what was under way when the node died")
            self.ask(peer, req)

    async def node_asks(self, peer: Peer) -> None:
        """The node's user wants to know something, in the same weather. Nothing is sent again without a new link."""
        asked = asyncio.create_task(self.real.command("ls", "anna"))
        while not asked.done():
            for _ in range(20):
                await self.gust(peer)
            peer.cut()
            await until(lambda: peer.links, "there is a link")
        self.assertEqual((await asked)["artifacts"], [])

    def ask(self, peer: Peer, req: int) -> None:
        if req % 2 == 0:
            peer.send(CatalogGet(req).encode())
        else:
            peer.send(Resolve(req, self.dice.choice(["lora", "nothing"])).encode())
        if self.dice.random() < 0.05:
            peer.send(Turn().encode())

    async def gust(self, peer: Peer) -> None:
        """Lets time pass, and then what was late arrive."""
        await asyncio.sleep(0.005)
        out, into = self.weather.clear()
        for frame in out:
            if peer.links:
                peer.links[-1].send(frame)
        for frame in into:
            peer.take(frame)

    async def crash(self, node: Node) -> tuple[Node, Peer]:
        """The Python side ends without a word and goes on from its store."""
        self.weather.clear()
        await self.end(node, politely=False)
        again = await self.node("anna")
        peer = again.peers[self.real.node_id]
        self.attend(peer)
        return again, peer


if __name__ == "__main__":
    unittest.main()
