"""Sessions with the real node that begin, are lost, go back in time, and are repaired."""

import shutil
import sqlite3
import unittest
from contextlib import closing
from pathlib import Path

from pawl_peer import frames
from pawl_peer.bundle import Bundle
from pawl_peer.frames import Ack, BundleFrame, BundleRequest, Counter, Counters, InitFrame
from pawl_peer.link import dial_link
from pawl_peer.messages import CatalogGet
from pawl_peer.peer import Peer, Weather
from pawl_peer.session import Phase, Session
from support import LiveTest, until


class Watch(Weather):
    """Keeps what came in."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def incoming(self, frame: bytes) -> list[bytes]:
        self.seen.append(frame)
        return [frame]


class Repair(LiveTest):
    async def talk(self, peer: Peer) -> None:
        self.assertEqual(await peer.catalog(), [])

    def only(self, peer: Peer) -> Session:
        """The one session that payloads go out in."""
        usable = [session for session in peer.machine.sessions.values() if session.phase is Phase.CONFIRMED]
        self.assertEqual(len(usable), 1)
        return usable[0]

    async def new_session(self, peer: Peer, old: bytes) -> Session:
        await until(lambda: peer.machine.newest is not None and peer.machine.newest.sid != old, "there is a new session")
        return self.only(peer)

    async def python_again(self, name: str = "anna") -> Peer:
        node = await self.node(name)
        return node.peers[self.real.node_id]

    async def test_both_sides_restart_and_go_on_with_the_same_session(self) -> None:
        node, peer = await self.joined()
        sid = self.only(peer).sid
        await self.end(node, politely=False)
        await self.real.kill()
        await self.real.start()
        peer = await self.python_again()
        await self.talk(peer)
        self.assertEqual(self.only(peer).sid, sid)

    async def test_python_loses_its_sessions_and_is_repaired(self) -> None:
        node, peer = await self.joined()
        old = self.only(peer).sid
        await self.end(node)
        with closing(sqlite3.connect(self.folder / "anna" / "peer.sqlite")) as store:
            for table in ("sessions", "outbox", "receipts", "prekeys", "pairs", "inits", "waiting"):
                store.execute(f"DELETE FROM {table}")
            store.commit()
        peer = await self.python_again()
        await self.new_session(peer, old)
        await self.talk(peer)

    async def test_python_goes_back_in_time_and_both_sides_notice(self) -> None:
        node, peer = await self.joined()
        await self.talk(peer)
        old = self.only(peer).sid
        await self.end(node)
        shutil.copytree(self.folder / "anna", self.folder / "copy")
        peer = await self.python_again()
        for _ in range(3):
            await self.talk(peer)
        await self.end(self.nodes[0])
        shutil.rmtree(self.folder / "anna")
        (self.folder / "copy").rename(self.folder / "anna")
        peer = await self.python_again()
        await self.new_session(peer, old)
        await self.talk(peer)
        self.assertTrue(any("our state is old" in report for report in peer.reports))
        await self.expect_trouble("peer_rollback")

    async def test_the_node_goes_back_in_time_and_both_sides_notice(self) -> None:
        node, peer = await self.joined()
        await self.talk(peer)
        old = self.only(peer).sid
        peer.cut()
        await self.real.stop()
        copy = self.folder / "copy"
        shutil.copytree(self.real.home, copy, ignore=_no_sockets)
        await self.real.start()
        for _ in range(3):
            await self.talk(peer)
        await self.real.stop()
        shutil.rmtree(self.real.home)
        copy.rename(self.real.home)
        await self.real.start()
        await self.new_session(peer, old)
        await self.talk(peer)
        self.assertTrue(any("the peer's state is old" in report for report in peer.reports))
        await self.expect_trouble("rollback")

    async def expect_trouble(self, kind: str) -> None:
        troubles = (await self.real.command("status"))["peers"][0]["troubles"]
        self.assertTrue(any(trouble["kind"] == kind and trouble["healed_at"] >= trouble["at"] for trouble in troubles), troubles)

    async def test_counters_that_envelopes_on_another_link_overtook_accuse_nobody(self) -> None:
        node, peer = await self.joined()
        await self.talk(peer)
        session = self.only(peer)
        written = Counters((Counter(session.sid, session.sent, session.seen),)).encode()
        first = peer.links[0]
        assert first.dialled is not None
        late = await dial_link(node.identity, peer.record.link, first.dialled)
        for req in range(3):
            peer.send(CatalogGet(req).encode())
        acknowledged = 0
        while acknowledged < 3:  # The node sends on the newest link.
            frame = await late.receive()
            acknowledged += isinstance(frames.parse(frame), Ack)
            peer.take(frame)
        late.send(written)
        peer.add_link(late)
        await self.talk(peer)
        self.assertEqual((await self.real.command("status"))["peers"][0]["troubles"], [])
        self.assertEqual(self.only(peer).sid, session.sid)

    async def test_a_session_starts_offline_from_the_nodes_batch(self) -> None:
        node, peer = await self.joined()
        await until(lambda: peer.row.held is not None, "the node's batch is there")
        await self.real.kill()
        await until(lambda: not peer.links, "the link is gone")
        old = self.only(peer).sid
        init = peer.machine.start_offline()
        assert init is not None and peer.row.held is not None
        self.assertEqual(init[0], 0x02)
        self.assertEqual(len(peer.row.held.used), 1)
        await self.real.start()
        session = await self.new_session(peer, old)
        self.assertTrue(session.starter)
        self.assertFalse(session.without_pair)
        await self.talk(peer)
        for _ in range(3):
            peer.links[-1].send(init)  # a known INIT makes no second session
        await self.talk(peer)
        self.assertEqual(self.only(peer).sid, session.sid)

    async def test_a_batch_of_the_nodes_is_used_up_and_the_session_says_so(self) -> None:
        node, peer = await self.joined()
        await until(lambda: peer.row.held is not None, "the node's batch is there")
        held = peer.row.held
        assert held is not None
        held.used.extend(pair.id for pair in Bundle.parse(held.bundle).pairs)
        await self.real.kill()
        await until(lambda: not peer.links, "the link is gone")
        old = self.only(peer).sid
        self.assertIsNotNone(peer.machine.start_offline())
        await self.real.start()
        session = await self.new_session(peer, old)
        self.assertTrue(session.without_pair)
        await self.talk(peer)

    async def test_the_node_starts_from_pythons_batch(self) -> None:
        # The lower node starts by itself, so Python has to be the higher one.
        node = await self.node("anna")
        while node.identity.node_id < self.real.node_id:
            await self.end(node)
            shutil.rmtree(self.folder / "anna")
            node = await self.node("anna")
        peer = await node.join(await self.real.invite("anna"))
        await self.confirmed(peer)
        await until(lambda: peer.row.batch_arrived, "Python's batch is acknowledged")
        old, batch = self.only(peer).sid, list(peer.row.batch)
        await self.real.stop()
        with closing(sqlite3.connect(self.real.home / "state" / "pawl.db")) as state:
            state.execute("DELETE FROM session")
            state.commit()
        watch = peer.weather = Watch()
        await self.real.start()
        session = await self.new_session(peer, old)
        await self.talk(peer)
        starts = [frame for frame in map(frames.parse, watch.seen) if isinstance(frame, InitFrame)]
        self.assertEqual(starts[0].init0.pair_id, batch[0])
        self.assertFalse(session.starter)
        self.assertNotIn(batch[0], node.store.pairs(peer.node_id), "a used pair is gone")

    async def test_simultaneous_starts_settle_on_one_session(self) -> None:
        node, peer = await self.joined()
        await self.talk(peer)
        old = self.only(peer)
        for req in range(50):
            peer.send(CatalogGet(req).encode())
        answers: list[int] = []
        peer.received = lambda message: answers.append(message.req)  # type: ignore[union-attr]
        # RESET makes the node start one, and we start one at the same time.
        peer.links[-1].send(frames.Reset(old.sid).encode())
        peer.do(peer.machine.start_anew())
        await self.new_session(peer, old.sid)
        await until(lambda: set(range(50)) <= set(answers), "every request is answered")
        await until(lambda: not any(s.is_pending for s in peer.machine.sessions.values()), "nothing is left half-way")
        await self.talk(peer)
        self.only(peer)

    async def test_a_flood_of_requests_for_bundles_drains_nothing(self) -> None:
        node, peer = await self.joined()
        watch = peer.weather = Watch()
        for number in range(1, 200):
            peer.links[-1].send(BundleRequest(number.to_bytes(16, "big")).encode())
        await self.talk(peer)
        answered = [frame for frame in map(frames.parse, watch.seen) if isinstance(frame, BundleFrame)]
        self.assertGreater(len(answered), 0)
        self.assertLessEqual(len(answered), 9)

    async def test_a_frame_that_does_not_parse_closes_the_link_and_nothing_else(self) -> None:
        node, peer = await self.joined()
        first = peer.links[-1]
        first.send(b"\xff")
        await until(lambda: first not in peer.links, "the node closed the link")
        await until(lambda: peer.links, "there is a link again")
        await self.talk(peer)


def _no_sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_socket()]


if __name__ == "__main__":
    unittest.main()
