"""Two machines with a simulated link, clock and damage."""

import os
import random
import unittest

from pawl_peer import envelope, frames
from pawl_peer.bundle import Bundle
from pawl_peer.envelope import Envelope
from pawl_peer.frames import encode_init
from pawl_peer.identity import Identity
from pawl_peer.machine import Outcome, PeerMachine
from pawl_peer.messages import Hello, Message, Resolve, Resolved, Turned
from pawl_peer.prekeys import PrekeyRing
from pawl_peer.session import Phase
from pawl_peer.store import PeerRow, Store

SEED = int(os.environ.get("PAWL_SEED") or random.SystemRandom().randrange(2**32))
LOWER, HIGHER = sorted((Identity.generate(), Identity.generate()), key=lambda identity: identity.node_id)
_DAY = 86_400


class Side:
    def __init__(self, world: "World", identity: Identity, peer: Identity) -> None:
        self.world = world
        self.identity = identity
        self.peer = peer
        self.answers: list[int] = []
        self.reports: list[str] = []
        self.lose_everything()

    def lose_everything(self) -> None:
        self.store = Store(":memory:")
        self.row = PeerRow(self.peer.record.encode(), "x")
        self.restart()

    def restart(self) -> None:
        self.ring = PrekeyRing(self.identity, self.store)
        self.row = self.store.peers().get(self.peer.node_id, self.row)
        self.machine = PeerMachine(
            self.identity, self.peer.record, self.row, self.store, self.ring, lambda: self.world.now, lambda: Hello("x"), self.respond
        )

    def respond(self, message: Message, sid: bytes) -> list[bytes]:
        return [Resolved(message.req, None).encode()] if isinstance(message, Resolve) else []

    def phases(self) -> list[Phase]:
        return [session.phase for session in self.machine.sessions.values()]


class World:
    """`inbox[i]` are the frames on their way to side i."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.sides = [Side(self, LOWER, HIGHER), Side(self, HIGHER, LOWER)]
        self.inbox: list[list[bytes]] = [[], []]

    def do(self, side: int, outcome: Outcome) -> None:
        self.inbox[1 - side] += outcome.frames
        self.sides[side].answers += [m.req for m, _ in outcome.messages if isinstance(m, Resolved)]
        self.sides[side].reports += outcome.reports

    def pair(self, joiner: int = 0) -> None:
        inviter = self.sides[1 - joiner]
        inviter.row.we_invited, inviter.row.paired = True, int(self.now)
        with inviter.store.transaction():
            bundle = Bundle.parse(inviter.ring.bundle_with_pair(inviter.peer.node_id, int(self.now)))
        self.do(1 - joiner, inviter.machine.link_up())
        self.do(joiner, self.sides[joiner].machine.link_up(bundle))
        self.settle()

    def link(self) -> None:
        self.inbox = [[], []]
        for side in self.sides:
            side.machine.link_down()
        for index, side in enumerate(self.sides):
            self.do(index, side.machine.link_up(known=side.machine.highest_acknowledged()))

    def deliver(self, side: int, at: int = 0) -> None:
        self.do(side, self.sides[side].machine.receive(frames.parse(self.inbox[side].pop(at))))

    def settle(self) -> None:
        while self.inbox[0] or self.inbox[1]:
            for side in (0, 1):
                while self.inbox[side]:
                    self.deliver(side)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for index, side in enumerate(self.sides):
            self.do(index, side.machine.tick())
        self.settle()

    def ask(self, side: int, req: int) -> None:
        self.do(side, self.sides[side].machine.send(Resolve(req, "n").encode()))


class MachineTests(unittest.TestCase):
    def setUp(self) -> None:
        self.dice = random.Random(SEED)
        self.world = World()

    def assert_one_session(self) -> bytes:
        """Both sides send in the same."""
        lower, higher = (side.machine.newest for side in self.world.sides)
        assert lower is not None and higher is not None, [side.phases() for side in self.world.sides]
        self.assertEqual(lower.sid, higher.sid)
        return lower.sid

    def assert_works(self) -> None:
        for index, side in enumerate(self.world.sides):
            side.answers.clear()
            self.world.ask(index, 77)
        self.world.settle()
        self.assertEqual([side.answers for side in self.world.sides], [[77], [77]])

    def test_pairing_leads_to_a_session_and_batches(self) -> None:
        for joiner in (0, 1):
            self.world = World()
            self.world.pair(joiner)
            self.assert_one_session()
            self.assert_works()
            for side in self.world.sides:
                assert side.row.held is not None
                self.assertEqual(len(Bundle.parse(side.row.held.bundle).pairs), 16)

    def test_hello_counts_at_the_confirmation_also_after_a_restart(self) -> None:
        joiner, inviter = self.world.sides
        with inviter.store.transaction():
            bundle = Bundle.parse(inviter.ring.bundle_with_pair(inviter.peer.node_id, int(self.world.now)))
        inviter.row.name = "before"
        with inviter.store.transaction():
            inviter.store.put_peer(inviter.peer.node_id, inviter.row)
        self.world.do(1, inviter.machine.link_up())
        self.world.do(0, joiner.machine.link_up(bundle))
        while self.world.inbox[1]:
            self.world.deliver(1)
        self.assertEqual(inviter.phases(), [Phase.ANSWERED])
        inviter.restart()
        self.assertEqual(inviter.row.name, "before")
        self.world.link()
        self.world.settle()
        self.assert_one_session()
        self.assertEqual(inviter.row.name, "x")
        self.assertEqual(inviter.row.early_hello, b"")

    def test_loss_disorder_doubles_and_restarts(self) -> None:
        world = self.world
        world.pair()
        sid = self.assert_one_session()
        for req in range(300):
            world.ask(self.dice.randrange(2), req)
            for _ in range(self.dice.randrange(4)):
                side = self.dice.randrange(2)
                inbox = world.inbox[side]
                if inbox:
                    at = self.dice.randrange(len(inbox))
                    if self.dice.random() < 0.1:
                        inbox.pop(at)
                    else:
                        if self.dice.random() < 0.2:
                            inbox.append(inbox[at])
                        world.deliver(side, at)
            if self.dice.random() < 0.02:
                world.sides[self.dice.randrange(2)].restart()
                world.link()
            if self.dice.random() < 0.02:
                world.link()
        world.settle()
        world.link()
        world.settle()
        answered = sorted(world.sides[0].answers + world.sides[1].answers)
        self.assertEqual(answered, list(range(300)), f"PAWL_SEED={SEED}")
        self.assertEqual(self.assert_one_session(), sid)
        self.assertEqual(world.sides[0].reports + world.sides[1].reports, [])

    def test_simultaneous_starts_settle_and_lose_nothing(self) -> None:
        for first in (0, 1):
            world = self.world = World()
            world.pair()
            for index in (first, 1 - first):
                world.do(index, world.sides[index].machine.start_anew())
            for req in range(20):
                world.ask(req % 2, req)
            world.settle()
            self.assert_one_session()
            self.assertEqual(sorted(world.sides[0].answers + world.sides[1].answers), list(range(20)))
            self.assertTrue(all(phase in (Phase.CONFIRMED, Phase.WINDING) for s in world.sides for phase in s.phases()))
            self.assert_works()

    def test_the_lower_nodes_session_wins_the_race(self) -> None:
        world = self.world
        world.pair()
        old = self.assert_one_session()
        requests = [world.sides[index].machine.start_anew() for index in (0, 1)]
        for index, outcome in enumerate(requests):
            world.do(index, outcome)
        world.settle()
        session = world.sides[0].machine.newest
        assert session is not None and session.sid != old
        self.assertTrue(session.starter)

    def test_a_side_that_lost_everything_is_repaired(self) -> None:
        for loser in (0, 1):
            world = self.world = World()
            world.pair()
            old = self.assert_one_session()
            world.ask(1 - loser, 5)
            world.sides[loser].lose_everything()
            world.link()
            world.settle()
            self.assertNotEqual(self.assert_one_session(), old)
            self.assertEqual(world.sides[1 - loser].answers, [5], "what was under way is asked again")
            self.assert_works()

    def test_a_side_that_went_back_in_time_is_noticed_and_healed(self) -> None:
        for fool in (0, 1):
            world = self.world = World()
            world.pair()
            old = self.assert_one_session()
            side = world.sides[fool]
            dump = "".join(side.store._db.iterdump())
            self.assert_works()
            side.store = Store(":memory:")
            side.store._db.executescript("".join(f"DROP TABLE IF EXISTS {t};" for t in _TABLES) + dump)
            side.restart()
            world.link()
            world.settle()
            self.assertNotEqual(self.assert_one_session(), old)
            self.assertTrue(any("our state is old" in report for report in side.reports))
            self.assertTrue(any("the peer's state is old" in report for report in world.sides[1 - fool].reports))
            self.assert_works()

    def put_back(self, side: Side, dump: str) -> None:
        side.store = Store(":memory:")
        side.store._db.executescript("".join(f"DROP TABLE IF EXISTS {t};" for t in _TABLES) + dump)
        side.restart()

    def test_a_side_that_went_back_is_noticed_though_only_receiving_had_moved(self) -> None:
        for fool in (0, 1):
            world = self.world = World()
            world.pair()
            old = self.assert_one_session()
            side = world.sides[fool]
            dump = "".join(side.store._db.iterdump())
            for _ in range(3):
                world.do(1 - fool, world.sides[1 - fool].machine.send(Resolved(1, None).encode()))
            world.settle()
            self.put_back(side, dump)
            world.now += 5
            world.link()
            world.settle()
            world.pass_time(61)
            self.assertNotEqual(self.assert_one_session(), old)
            self.assertTrue(any("forgotten what it acknowledged" in report for report in world.sides[1 - fool].reports))
            self.assert_works()

    def test_a_side_that_says_as_much_as_it_has_forgotten_is_noticed(self) -> None:
        for fool in (0, 1):
            world = self.world = World()
            world.pair()
            old = self.assert_one_session()
            side = world.sides[fool]
            dump = "".join(side.store._db.iterdump())
            world.do(fool, side.machine.send(Resolved(1, None).encode()))
            world.settle()
            self.put_back(side, dump)
            world.now += 5
            world.link()
            world.do(fool, side.machine.send(Resolved(2, None).encode()))
            world.settle()
            world.pass_time(61)
            self.assertNotEqual(self.assert_one_session(), old)
            self.assertTrue(any("our state is old" in report for report in side.reports))

    def test_what_is_lost_inside_a_repair_is_repaired_within_two_minutes(self) -> None:
        for fool in (0, 1):
            for cut in range(30):
                world = self.world = World()
                world.pair()
                side = world.sides[fool]
                dump = "".join(side.store._db.iterdump())
                self.assert_works()
                self.put_back(side, dump)
                world.link()
                for step in range(cut):
                    target = step % 2 if world.inbox[step % 2] else 1 - step % 2
                    if not world.inbox[target]:
                        break
                    world.deliver(target)
                world.link()
                world.settle()
                for _ in range(12):
                    world.pass_time(10)
                self.assert_one_session()
                self.assert_works()

    def test_a_start_that_the_other_side_forgot_is_followed_by_another(self) -> None:
        for starter in (0, 1):
            world = self.world = World()
            world.pair()
            for side in world.sides:
                side.lose_everything()
            other = world.sides[1 - starter]
            with other.store.transaction():
                bundle = Bundle.parse(other.ring.bundle_with_pair(other.peer.node_id, int(world.now)))
            dump = "".join(other.store._db.iterdump())
            world.do(1 - starter, other.machine.link_up())
            world.do(starter, world.sides[starter].machine.link_up(bundle))
            world.deliver(1 - starter)
            world.deliver(1 - starter)
            world.inbox[starter] = [frame for frame in world.inbox[starter] if isinstance(frames.parse(frame), frames.Ack)]
            world.deliver(starter)
            self.put_back(other, dump)
            world.link()
            world.settle()
            for _ in range(9):
                world.pass_time(10)
            self.assert_one_session()
            self.assert_works()

    def test_what_the_newest_of_two_links_carried_goes_out_on_the_other(self) -> None:
        for index in (0, 1):
            world = self.world = World()
            world.pair()
            world.do(index, world.sides[index].machine.send(Resolve(9, "n").encode()))
            world.inbox = [[], []]
            for side in (0, 1):
                world.do(side, world.sides[side].machine.link_changed(object()))
            world.settle()
            self.assertEqual(world.sides[index].answers, [9])

    def test_what_comes_late_of_a_session_that_was_wound_up_ends_it_there_too(self) -> None:
        world = self.world
        world.pair()
        old = self.assert_one_session()
        world.pass_time(7 * _DAY)
        world.pass_time(_DAY + 60)
        self.assertNotEqual(self.assert_one_session(), old)
        world.do(1, world.sides[1].machine.receive(frames.EnvelopeFrame(old, b"late")))
        self.assertEqual(world.inbox[0], [frames.Reset(old).encode()])
        world.settle()
        self.assert_works()

    def test_an_init_that_comes_again_makes_no_second_session(self) -> None:
        world = self.world
        world.pair()
        for side in world.sides:
            side.machine.link_down()
        init = world.sides[0].machine.start_offline()
        assert init is not None
        for _ in range(3):
            world.do(1, world.sides[1].machine.receive(frames.parse(init)))
        world.sides[1].restart()
        world.do(1, world.sides[1].machine.receive(frames.parse(init)))
        self.assertEqual(len(world.sides[1].machine.sessions), 2)
        world.link()
        world.settle()
        self.assert_one_session()
        self.assert_works()

    def test_batches_are_used_in_order_and_fall_back_when_exhausted(self) -> None:
        world = self.world
        world.pair()
        held = world.sides[0].row.held
        assert held is not None
        ids = [pair.id for pair in Bundle.parse(held.bundle).pairs]
        for side in world.sides:
            side.machine.link_down()
        used = []
        for _ in range(7):
            init = world.sides[0].machine.start_offline()
            assert init is not None
            frame = frames.parse(init)
            assert isinstance(frame, frames.InitFrame)
            used.append(frame.init0.pair_id)
        self.assertEqual(used, ids[:7])
        held.used.extend(ids)
        init = world.sides[0].machine.start_offline()
        assert init is not None
        frame = frames.parse(init)
        assert isinstance(frame, frames.InitFrame)
        self.assertEqual(frame.init0.pair_id, 0)
        world.do(1, world.sides[1].machine.receive(frame))
        self.assertTrue(any(s.without_pair for s in world.sides[1].machine.sessions.values()))

    def test_an_init_with_a_used_pair_gets_a_reset(self) -> None:
        world = self.world
        world.pair()
        for side in world.sides:
            side.machine.link_down()
        held = world.sides[0].row.held
        assert held is not None
        first = world.sides[0].machine.start_offline()
        held.used.clear()
        second = world.sides[0].machine.start_offline()
        assert first is not None and second is not None
        world.do(1, world.sides[1].machine.receive(frames.parse(first)))
        world.inbox[0].clear()
        world.do(1, world.sides[1].machine.receive(frames.parse(second)))
        self.assertEqual(world.inbox[0], [frames.Reset(frames.NO_SID).encode()])

    def test_an_init_that_is_broken_leaves_nothing_and_three_get_a_reset(self) -> None:
        world = self.world
        world.pair()
        for side in world.sides:
            side.machine.link_down()
        init = world.sides[0].machine.start_offline()
        assert init is not None
        frame = frames.parse(init)
        assert isinstance(frame, frames.InitFrame)
        broken = encode_init(frame.init0.encode(), frame.envelope[:-1] + bytes([frame.envelope[-1] ^ 1]))
        before = world.sides[1].phases()
        for expected in ([], [], [frames.Reset(frames.NO_SID).encode()]):
            world.do(1, world.sides[1].machine.receive(frames.parse(broken)))
            self.assertEqual(world.inbox[0], expected)
        self.assertEqual(world.sides[1].phases(), before)
        world.do(1, world.sides[1].machine.receive(frame))
        self.assertEqual(len(world.sides[1].phases()), len(before) + 1)

    def test_after_a_week_the_session_is_replaced_and_after_a_day_the_keys_turn(self) -> None:
        world = self.world
        world.pair()
        first = self.assert_one_session()
        roots = [side.machine.sessions[first].ratchet.root_ec for side in world.sides]
        world.pass_time(_DAY)
        self.assertEqual(self.assert_one_session(), first)
        for side, root in zip(world.sides, roots):
            self.assertNotEqual(side.machine.sessions[first].ratchet.root_ec, root)
        world.pass_time(6 * _DAY)
        self.assertNotEqual(self.assert_one_session(), first)
        world.pass_time(_DAY)
        self.assertEqual([len(side.phases()) for side in world.sides], [1, 1])
        self.assert_works()

    def test_prekeys_and_pairs_are_deleted_when_nobody_can_name_them(self) -> None:
        world = self.world
        world.pair()
        side = world.sides[0]
        self.assertEqual(len(side.store.prekeys()), 1)
        for _ in range(80):
            world.pass_time(_DAY)
        self.assertLessEqual(len(side.store.prekeys()), 7)
        self.assertGreater(min(prekeys.made for prekeys in side.store.prekeys()), world.now - 38 * _DAY)
        oldest = min(pair.listed for pair in side.store.pairs(HIGHER.node_id).values())
        self.assertGreater(oldest, world.now - 31 * _DAY)
        self.assert_works()

    def test_headers_are_short_once_the_chain_is_known_on_this_link(self) -> None:
        world = self.world
        world.pair()

        def header_bytes(side: int) -> list[int]:
            world.ask(side, 1)
            sizes = []
            for data in world.inbox[1 - side]:
                frame = frames.parse(data)
                if isinstance(frame, frames.EnvelopeFrame):
                    sizes.append(len(Envelope.parse(frame.envelope).sealed_header))
            world.inbox[1 - side].clear()
            return sizes

        world.ask(0, 1)
        world.settle()
        # An answer turned the keys: nobody knows the next chain before it is acknowledged.
        [first] = header_bytes(0)
        self.assertGreater(first, 21)
        world.link()
        world.settle()
        world.sides[0].machine._seal(world.sides[0].machine.newest, Turned().encode())
        out = world.sides[0].machine._outcome.frames.pop()
        self.assertEqual(len(Envelope.parse(frames.parse(out).envelope).sealed_header) > 21, True)
        world.inbox[1].append(out)
        world.settle()
        self.assertEqual(header_bytes(0), [21])
        world.link()
        self.assertGreater(max(header_bytes(0)), 21)
        world.settle()

    def test_an_init_with_a_bundle_of_long_ago_is_answered_by_a_reset(self) -> None:
        world = self.world
        world.pair()
        for side in world.sides:
            side.machine.link_down()
        init = world.sides[0].machine.start_offline()
        assert init is not None
        row = world.sides[1].row
        # Eight days later a newer bundle of the starter's is known.
        world.now += 8 * _DAY
        row.newest_bundle = int(world.now)
        world.do(1, world.sides[1].machine.receive(frames.parse(init)))
        self.assertEqual(world.inbox[0], [frames.Reset(frames.NO_SID).encode()])
        self.assertEqual(len(world.sides[1].machine.sessions), 1)
        # Not more than seven days before it, it is taken.
        row.newest_bundle -= 2 * _DAY
        world.do(1, world.sides[1].machine.receive(frames.parse(init)))
        self.assertEqual(len(world.sides[1].machine.sessions), 2)

    def test_other_bytes_under_a_known_name_are_acknowledged_and_do_nothing(self) -> None:
        world = self.world
        world.pair()
        world.ask(0, 1)
        data = world.inbox[1][-1]
        world.deliver(1, len(world.inbox[1]) - 1)
        forged = data[:-1] + bytes([data[-1] ^ 1])
        world.inbox[0].clear()
        outcome = world.sides[1].machine.receive(frames.parse(forged))
        frame = frames.parse(data)
        assert isinstance(frame, frames.EnvelopeFrame)
        self.assertEqual(outcome.frames, [frames.Ack(frame.sid, envelope.name(frame.envelope)).encode()])
        self.assertEqual(outcome.messages, [])

    def test_resets_are_at_most_one_a_minute(self) -> None:
        world = self.world
        world.pair()
        for number in range(5):
            world.do(1, world.sides[1].machine.receive(frames.EnvelopeFrame(bytes([number]) * 16, b"")))
        self.assertEqual(len(world.inbox[0]), 1)
        world.pass_time(59)
        world.inbox[0].clear()
        world.do(1, world.sides[1].machine.receive(frames.EnvelopeFrame(b"z" * 16, b"")))
        self.assertEqual(world.inbox[0], [])


_TABLES = ("meta", "peers", "tickets", "prekeys", "pairs", "sessions", "outbox", "waiting", "receipts", "inits")

if __name__ == "__main__":
    unittest.main()
