"""Pairing with the real node, in both roles."""

import unittest

from realnode import CommandFailed
from support import LiveTest

from pawl_peer.errors import Refused
from pawl_peer.frames import PairErr
from pawl_peer.identity import safety_number
from pawl_peer.link import Closed
from pawl_peer.node import PairingRefused
from pawl_peer.ticket import Ticket


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

    async def test_a_wrong_secret_meets_silence(self) -> None:
        ticket = Ticket.parse(await self.real.invite("anna"))
        wrong = Ticket(ticket.expiry, ticket.link_key, ticket.node_id, bytes(32), ticket.addresses)
        with self.assertRaises((Closed, Refused)):
            await (await self.node("eve")).join(wrong.text)


if __name__ == "__main__":
    unittest.main()
