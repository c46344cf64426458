"""The ratchet between two Python sides: order, loss, skipped keys, and headers that nobody honest sends."""

import dataclasses
import os
import random
import unittest

from pawl_peer import agreement, envelope
from pawl_peer.agreement import Init0
from pawl_peer.bundle import Bundle, PrivatePair
from pawl_peer.envelope import Letter
from pawl_peer.errors import Failure, Refused
from pawl_peer.identity import Identity
from pawl_peer.ratchet import MAXIMUM_CHAINS, MAXIMUM_SKIPPED_KEYS, SKIPPED_KEY_LIFE_SECONDS, Ratchet

NOW = 1_700_000_000
SEED = int(os.environ.get("PAWL_SEED") or random.SystemRandom().randrange(2**32))
ANNA, BERT = Identity.generate(), Identity.generate()


class Pair:
    """Anna has started, Bert has answered; `ratchets` are hers and his."""

    def __init__(self, with_pair: bool = True) -> None:
        spk_a, spk_b, opk = PrivatePair.generate(1), PrivatePair.generate(7), PrivatePair.generate(9)
        bundle = Bundle.issue(BERT, ANNA.node_id, spk_b.public, NOW, pairs=(opk.public,))
        own = Bundle.issue(ANNA, BERT.node_id, spk_a.public, NOW)
        started = agreement.start(ANNA, BERT.record, bundle, own.encode(), opk.public if with_pair else None)
        init0 = Init0.parse(started.init0.encode())
        roots = agreement.answer(BERT, ANNA.record, init0, spk_b, opk if with_pair else None)
        assert roots == started.roots and len(started.init0.encode()) == agreement.INIT0_BYTES
        self.ad = roots.associated_data
        anna = Ratchet.begin_as_starter(started, spk_a.kem)
        anna, first = envelope.seal(anna, self.ad, Letter(1, 0, b"first").encode())
        opened, plaintext = envelope.open_first(roots, spk_b.x25519, spk_a.public.kem, first, NOW)
        assert Letter.parse(plaintext).payload == b"first"
        self.ratchets = [anna, opened.ratchet]

    def seal(self, side: int, text: bytes, known: bool = False) -> bytes:
        self.ratchets[side], sealed = envelope.seal(self.ratchets[side], self.ad, Letter(1, 0, text).encode(), known=known)
        return sealed

    def open(self, side: int, sealed: bytes, now: int = NOW) -> bytes:
        opened, plaintext = envelope.open(self.ratchets[side], self.ad, sealed, now)
        self.ratchets[side] = opened.ratchet
        return Letter.parse(plaintext).payload


class RatchetTests(unittest.TestCase):
    def refuses(self, failure: Failure, pair: Pair, side: int, sealed: bytes, now: int = NOW) -> None:
        before = pair.ratchets[side]
        with self.assertRaises(Refused) as refused:
            pair.open(side, sealed, now)
        self.assertIs(refused.exception.failure, failure, refused.exception)
        self.assertIs(pair.ratchets[side], before)

    def test_ten_thousand_steps_in_any_order(self) -> None:
        dice = random.Random(SEED)
        pair = Pair()
        for side, text in ((1, b"confirm"), (0, b"answer")):
            pair.open(1 - side, pair.seal(side, text))
        under_way: list[list[tuple[bytes, bytes]]] = [[], []]
        opened = turns = 0
        for step in range(10_000):
            side = dice.randrange(2)
            # Now and then one side is silent for a while, so that the other's chain grows.
            if dice.random() < 0.5 and not (step // 500 % 3 == side):
                text = b"%d" % step
                under_way[side].append((text, pair.seal(side, text)))
            elif under_way[side]:
                late = dice.random() < 0.3
                text, sealed = under_way[side].pop(dice.randrange(len(under_way[side])) if late else 0)
                before = pair.ratchets[1 - side].root_ec
                self.assertEqual(pair.open(1 - side, sealed), text, f"PAWL_SEED={SEED} step {step}")
                turns += pair.ratchets[1 - side].root_ec != before
                opened += 1
                if dice.random() < 0.1:
                    with self.assertRaises(Refused):
                        pair.open(1 - side, sealed)
        self.assertGreater(opened, 3_000)
        self.assertGreater(turns, 100)

    def test_a_flipped_bit_anywhere_is_refused_and_changes_nothing(self) -> None:
        pair = Pair()
        sealed = pair.seal(1, b"x" * 200)
        for at in range(0, len(sealed), 97):
            before = pair.ratchets[0]
            with self.assertRaises(Refused):
                pair.open(0, sealed[:at] + bytes([sealed[at] ^ 0x10]) + sealed[at + 1 :])
            self.assertIs(pair.ratchets[0], before)
        self.assertEqual(pair.open(0, sealed), b"x" * 200)

    def test_a_thousand_may_be_skipped_and_not_one_more(self) -> None:
        pair = Pair()
        pair.open(0, pair.seal(1, b""))
        pair.open(1, pair.seal(0, b""))
        sealed = [pair.seal(0, b"%d" % n) for n in range(1_002)]
        self.refuses(Failure.LIMIT, pair, 1, sealed[1_001])
        self.assertEqual(pair.open(1, sealed[1_000]), b"1000")
        self.assertEqual(pair.open(1, sealed[1_001]), b"1001")
        for n in range(1_000):
            self.assertEqual(pair.open(1, sealed[n]), b"%d" % n)

    def test_the_old_chains_rest_counts_towards_the_thousand(self) -> None:
        pair = Pair()
        pair.open(0, pair.seal(1, b""))
        first = [pair.seal(0, b"") for _ in range(600)]
        pair.open(1, first[0])
        pair.open(0, pair.seal(1, b""))
        second = [pair.seal(0, b"") for _ in range(500)]
        self.refuses(Failure.LIMIT, pair, 1, second[402])
        pair.open(1, second[401])
        pair.open(1, first[599])

    def test_skipped_keys_are_bounded_in_number_and_time(self) -> None:
        pair = Pair()
        pair.open(0, pair.seal(1, b""))
        kept = []
        for _ in range(3):
            sealed = [pair.seal(0, b"") for _ in range(1_000)]
            pair.open(1, sealed[-1])
            kept.append(sealed[0])
            pair.open(0, pair.seal(1, b""))
        ratchet = pair.ratchets[1]
        assert ratchet.receiving is not None
        self.assertEqual(sum(len(chain.skipped) for chain in (*ratchet.left, ratchet.receiving)), MAXIMUM_SKIPPED_KEYS)
        with self.assertRaises(Refused):
            pair.open(1, kept[0])
        self.refuses(Failure.DUPLICATE, pair, 1, kept[2], NOW + SKIPPED_KEY_LIFE_SECONDS + 1)
        pair.open(1, kept[2], NOW + SKIPPED_KEY_LIFE_SECONDS)

    def test_chains_left_behind_are_bounded(self) -> None:
        pair = Pair()
        pair.open(0, pair.seal(1, b""))
        kept = []
        for _ in range(MAXIMUM_CHAINS + 2):
            kept.append(pair.seal(0, b"late"))
            pair.open(1, pair.seal(0, b""))
            pair.open(0, pair.seal(1, b""))
        # The newest of these is the chain in use.
        self.assertEqual(len(pair.ratchets[1].left), MAXIMUM_CHAINS)
        with self.assertRaises(Refused):
            pair.open(1, kept[0])
        self.assertEqual(pair.open(1, kept[1]), b"late")

    def test_nobody_answers_what_was_not_said(self) -> None:
        pair = Pair()
        # Anna goes on as if Bert had answered: he has sent nothing, so there is no chain of his that hers could answer.
        anna = pair.ratchets[0]
        forged = dataclasses.replace(anna, sending=None, must_turn=True, receiving=pair.ratchets[1].receiving)
        assert anna.sending is not None
        forged = dataclasses.replace(forged, next_send_header_key=anna.next_send_header_key)
        _, sealed = envelope.seal(forged, pair.ad, Letter(1, 0, b"answer").encode())
        self.refuses(Failure.ORDER, pair, 1, sealed)

    def test_short_headers_open_in_chains_that_are_known_and_begin_none(self) -> None:
        pair = Pair()
        pair.open(0, pair.seal(1, b"confirm"))
        first = pair.seal(0, b"first")
        second = pair.seal(0, b"second", known=True)
        self.assertEqual(len(envelope.Envelope.parse(second).sealed_header), 21)
        with self.assertRaises(Refused):
            pair.open(1, second)
        self.assertEqual(pair.open(1, first), b"first")
        third, late = pair.seal(0, b"third", known=True), pair.seal(0, b"late", known=True)
        self.assertEqual([pair.open(1, sealed) for sealed in (third, second)], [b"third", b"second"])
        self.refuses(Failure.DUPLICATE, pair, 1, second)
        # A turn: what is known of the old chain says nothing of the new one.
        pair.open(0, pair.seal(1, b"turn"))
        sealed = pair.seal(0, b"full", known=True)
        self.assertGreater(len(envelope.Envelope.parse(sealed).sealed_header), 21)
        self.assertEqual([pair.open(1, sealed), pair.open(1, late)], [b"full", b"late"])
        short = pair.seal(0, b"short", known=True)
        with self.assertRaises(Refused):
            envelope.open(pair.ratchets[1], pair.ad, short, NOW, may_be_short=False)
        self.assertEqual(pair.open(1, short), b"short")

    def test_without_a_one_time_pair(self) -> None:
        pair = Pair(with_pair=False)
        self.assertEqual(pair.open(0, pair.seal(1, b"confirm")), b"confirm")

    def test_a_salt_is_fresh_for_each(self) -> None:
        pair = Pair()
        letter = Letter(2, 0, b"same").encode()
        again = envelope.seal(pair.ratchets[0], pair.ad, letter)[1]
        self.assertNotEqual(envelope.seal(pair.ratchets[0], pair.ad, letter)[1], again)


if __name__ == "__main__":
    unittest.main()
