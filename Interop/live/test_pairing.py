"""Pairing with the real node, in both roles."""

import asyncio
import time
import unittest

from pawl_peer import frames
from pawl_peer.address import Address, Introduction
from pawl_peer.errors import Refused
from pawl_peer.frames import PairErr
from pawl_peer.identity import Identity, safety_number
from pawl_peer.link import Closed, Stream, dial_link, dial_pairing
from pawl_peer.node import PairingRefused
from pawl_peer.ticket import Ticket
from realnode import CommandFailed
from support import LiveTest


class Pairing(LiveTest):
    async def test_python_joins_with_the_nodes_ticket(self) -> None:
        node, peer = await self.joined()
        self.assertEqual(peer.node_id, self.real.node_id)
        self.assertEqual(peer.row.name, "real")
        verified = await self.real.command("verify", "anna")
        self.assertEqual(verified["safety_number"], safety_number(node.identity.node_id, self.real.node_id))
        self.assertEqual(verified["peer"]["node"], node.identity.node_id.hex())
        self.assertEqual(await peer.catalog(), [])

    async def test_the_node_joins_with_pythons_ticket(self) -> None:
        node, peer = await self.invited()
        verified = await self.real.command("verify", "bert")
        self.assertEqual(verified["safety_number"], safety_number(node.identity.node_id, self.real.node_id))
        self.assertEqual(await peer.catalog(), [])

    async def test_the_same_two_meet_again_with_the_same_session(self) -> None:
        node, peer = await self.joined()
        session = peer.machine.newest
        assert session is not None
        again = await node.join(await self.real.invite("other"))
        self.assertIs(again, peer)
        self.assertEqual(await again.catalog(), [])
        self.assertIs(peer.machine.newest, session)

    async def test_a_used_ticket_is_refused_by_the_node(self) -> None:
        ticket = await self.real.invite("anna")
        node = await self.node("anna")
        await self.confirmed(await node.join(ticket))
        with self.assertRaises(PairingRefused) as refused:
            await (await self.node("eve")).join(ticket)
        self.assertEqual(refused.exception.code, PairErr.USED)

    async def test_a_used_ticket_is_refused_by_python(self) -> None:
        node = await self.node("bert")
        ticket = node.invite()
        await self.confirmed(await (await self.node("anna")).join(ticket))
        with self.assertRaises(CommandFailed):
            await self.real.join(ticket, "bert")

    async def test_clocks_that_differ_are_said_and_cost_the_ticket_nothing(self) -> None:
        ticket = await self.real.invite("anna")
        node = await self.node("anna")
        for hours in (-2, 2):
            node.clock = lambda: time.time() + hours * 3_600
            for _ in range(3):
                with self.assertRaises(PairingRefused) as refused:
                    await node.join(ticket)
                self.assertEqual(refused.exception.code, PairErr.CLOCK)
                assert refused.exception.time is not None
                self.assertLess(abs(refused.exception.time - time.time()), 60)
        # By this clock the ticket is over, and by the node's it is not.
        node.clock = lambda: time.time() + 1_800
        peer = await node.join(ticket)
        await self.confirmed(peer)
        self.assertEqual(await peer.catalog(), [])

    async def test_the_node_says_that_pythons_clock_differs(self) -> None:
        node = await self.node("bert")
        for hours in (-2, 2):
            node.clock = time.time
            ticket = node.invite(24 * 3_600)
            node.clock = lambda: time.time() + hours * 3_600
            with self.assertRaises(CommandFailed) as failed:
                await self.real.join(ticket, "bert")
            self.assertEqual(failed.exception.exit_code, 1)
            self.assertEqual(failed.exception.lines[-1]["code"], "clock")
            self.assertEqual(node.peers, {})
        node.clock = time.time
        await self.real.join(ticket, "bert")
        await self.confirmed(node.peers[self.real.node_id])

    async def test_a_wrong_secret_meets_silence(self) -> None:
        ticket = Ticket.parse(await self.real.invite("anna"))
        wrong = Ticket(ticket.expiry, ticket.link_key, ticket.node_id, bytes(32), ticket.addresses)
        with self.assertRaises((Closed, Refused)):
            await (await self.node("eve")).join(wrong.text)

    async def test_introductions_that_are_none_spoil_a_ticket(self) -> None:
        ticket = Ticket.parse(await self.real.invite("anna"))
        node = await self.node("anna")
        record = node.identity.record.encode()
        flipped = record[:-1] + bytes([record[-1] ^ 1])
        for introduction in (b"", Introduction(flipped, b"", b"").encode(), Introduction(record, b"", b"").encode()):
            link, answer = await dial_pairing(node.identity, ticket, ticket.addresses[0], introduction)
            self.assertEqual(frames.parse(answer), PairErr(PairErr.SPOILT))
            link.close()
        with self.assertRaises(PairingRefused) as refused:
            await node.join(ticket.text)
        self.assertEqual(refused.exception.code, PairErr.SPOILT)

    async def test_a_stranger_meets_silence(self) -> None:
        ticket = Ticket.parse(await self.real.invite("anna"))
        link = await dial_link(Identity.generate(), ticket.link_key, ticket.addresses[0])
        with self.assertRaises(Closed):
            await link.receive()
        link.close()

    async def test_anything_else_at_the_door_meets_silence(self) -> None:
        async def knock(first: bytes) -> bytes:
            stream = await Stream.dial(Address("127.0.0.1", self.real.port))
            stream.writer.write(first)
            async with asyncio.timeout(10):
                answer = await stream.reader.read()
            stream.close()
            return answer

        knocks = (b"\x00", b"GET / HTTP/1.1\r\n\r\n", b"\x01\x00\x30" + bytes(48), b"\x02\x00\x60" + bytes(96), b"\x03" + bytes(48))
        self.assertEqual(await asyncio.gather(*map(knock, knocks)), [b""] * len(knocks))

    async def test_a_peer_on_a_new_machine_waits_until_the_nodes_user_has_decided(self) -> None:
        old, _ = await self.joined("anna")
        await self.end(old)
        new = await self.node("anna", folder="new machine")
        peer = await new.join(await self.real.invite(None))
        await asyncio.sleep(1.5)
        self.assertFalse(peer.confirmed.is_set())
        asked = await self.real.command("verify", "anna")
        self.assertIn(new.identity.node_id.hex(), str(asked))
        self.assertIn(old.identity.node_id.hex(), str(asked))
        await self.real.command("verify", "anna", "--accept-new")
        await self.confirmed(peer)
        self.assertEqual(await peer.catalog(), [])


if __name__ == "__main__":
    unittest.main()
