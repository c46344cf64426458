"""Identity, ticket, card, bundle, JSON, paths, tree and manifest: what is taken and what is refused."""

import base64
import dataclasses
import unittest
from collections.abc import Callable
from typing import Any

from pawl_peer import messages, names, segment, strictjson, tree
from pawl_peer.address import Address, Card
from pawl_peer.bundle import LIFE_SECONDS, Bundle, PrivatePair
from pawl_peer.envelope import Letter
from pawl_peer.errors import Failure, Refused
from pawl_peer.identity import Identity, Record, safety_number
from pawl_peer.manifest import File, Manifest, SignedManifest
from pawl_peer.primitives import sha256
from pawl_peer.ticket import Ticket

ANNA, BERT = Identity.generate(), Identity.generate()
NOW = 1_700_000_000


class Formats(unittest.TestCase):
    def refuses(self, failure: Failure, call: Callable[..., Any], *arguments: Any) -> None:
        with self.assertRaises(Refused, msg=str(arguments)[:200]) as refused:
            call(*arguments)
        self.assertIs(refused.exception.failure, failure, refused.exception)


class Identities(Formats):
    def test_a_record_is_genuine_or_refused(self) -> None:
        encoded = ANNA.record.encode()
        self.assertEqual(len(encoded), 5_436)
        self.assertEqual(Record.parse(encoded), ANNA.record)
        for at in (20, 60, 2_000, 2_050, 2_063 + 10, 2_063 + 70):
            with self.assertRaises(Refused):
                Record.parse(encoded[:at] + bytes([encoded[at] ^ 1]) + encoded[at + 1 :])
        self.refuses(Failure.FORMAT, Record.parse, encoded[:-1])
        self.refuses(Failure.FORMAT, Record.parse, encoded + b"\0")

    def test_a_signature_of_another_kind_does_not_count(self) -> None:
        signature = ANNA.sign("manifest", b"body")
        ANNA.record.verify("manifest", b"body", signature)
        self.refuses(Failure.SIGNATURE, ANNA.record.verify, "bundle", b"body", signature)

    def test_both_compute_the_same_safety_number(self) -> None:
        number = safety_number(ANNA.node_id, BERT.node_id)
        self.assertEqual(number, safety_number(BERT.node_id, ANNA.node_id))
        self.assertRegex(number, r"\A[0-9]{60}\Z")


class Tickets(Formats):
    ticket = Ticket(NOW, ANNA.record.link, ANNA.node_id, bytes(range(32)), (Address("192.0.2.7", 7411), Address("2001:db8::7", 1)))

    def test_it_is_read_whatever_its_case_and_white_space(self) -> None:
        self.assertEqual(Ticket.parse(f"\t {self.ticket.text.upper()}\r\n"), self.ticket)

    def test_what_is_mistyped_or_cut_short_is_refused(self) -> None:
        text = self.ticket.text
        self.refuses(Failure.CHECKSUM, Ticket.parse, text[:20] + ("a" if text[20] != "a" else "b") + text[21:])
        self.refuses(Failure.CHECKSUM, Ticket.parse, text[: 5 + 8 * 20])
        for wrong in ("", "pawl1", "pawl2" + text[5:], text + "1", text + "=", text.replace(text[10], "\u212a"), " " * 4_097):
            with self.assertRaises(Refused, msg=wrong):
                Ticket.parse(wrong)

    def test_hosts(self) -> None:
        for good in ("a", "_x", "192.0.2.7", "::", "::ffff:192.0.2.7", "a" * 253):
            Address(good, 1)
        for bad in ("", ".a", "-a", "a b", "a" * 254, "fe80::1%eth0", "[::1]", ":", "1:2:3:4:5:6:7:8:9", "ä"):
            self.refuses(Failure.FORMAT, Address, bad, 1)
        for port in (0, 65_536):
            self.refuses(Failure.FORMAT, Address, "a", port)

    def test_cards(self) -> None:
        card = Card("studio-1", (Address("a", 1),))
        self.assertEqual(Card.parse(card.encode()), card)
        for name in ("", "-a", "a b", "a" * 65):
            self.refuses(Failure.FORMAT, Card.parse, Card(name).encode())


class Bundles(Formats):
    prekeys, pair = PrivatePair.generate(3), PrivatePair.generate(9)

    def test_only_in_time_and_between_these_two(self) -> None:
        bundle = Bundle.issue(ANNA, BERT.node_id, self.prekeys.public, NOW, pairs=(self.pair.public,))
        parsed = Bundle.parse(bundle.encode())
        self.assertEqual(parsed, bundle)
        self.assertEqual(len(bundle.encode()), 5_081 + 1_606)
        for now in (NOW - 3_600, NOW, NOW + LIFE_SECONDS + 3_599):
            parsed.check(ANNA.record, BERT.node_id, now)
        for now in (NOW - 3_601, NOW + LIFE_SECONDS + 3_600):
            self.refuses(Failure.TIME, parsed.check, ANNA.record, BERT.node_id, now)
        self.refuses(Failure.IDENTITY, parsed.check, BERT.record, BERT.node_id, NOW)
        self.refuses(Failure.IDENTITY, parsed.check, ANNA.record, ANNA.node_id, NOW)
        changed = dataclasses.replace(parsed, nonce=b"\1" * 16)
        self.refuses(Failure.SIGNATURE, changed.check, ANNA.record, BERT.node_id, NOW)
        long = Bundle.issue(ANNA, BERT.node_id, self.prekeys.public, NOW, life=LIFE_SECONDS + 1)
        self.refuses(Failure.FORMAT, long.check, ANNA.record, BERT.node_id, NOW)

    def test_keys_of_one_kind_do_not_stand_for_the_other(self) -> None:
        encoded = Bundle.issue(ANNA, BERT.node_id, self.prekeys.public, NOW).encode()
        ec_type, kem_type = 100, 137
        self.assertEqual((encoded[ec_type], encoded[kem_type]), (0x05, 0x0A))
        self.refuses(Failure.FORMAT, Bundle.parse, encoded[:ec_type] + b"\x0a" + encoded[ec_type + 1 :])
        self.refuses(Failure.FORMAT, Bundle.parse, encoded[:kem_type] + b"\x05" + encoded[kem_type + 1 :])

    def test_pairs_without_an_id_or_twice(self) -> None:
        zero = dataclasses.replace(self.pair.public, id=0)
        for pairs in ((zero,), (self.pair.public, self.pair.public)):
            bundle = Bundle.issue(ANNA, BERT.node_id, self.prekeys.public, NOW, pairs=pairs)
            self.refuses(Failure.FORMAT, Bundle.parse, bundle.encode())


class Letters(Formats):
    def test_padding(self) -> None:
        for payload, padded in ((0, 256), (236, 256), (237, 512), (32_748, 32_768), (32_749, 49_152), (49_132, 49_152)):
            letter = Letter(1, 0, b"x" * payload)
            self.assertEqual(len(letter.encode()), padded)
            self.assertEqual(Letter.parse(letter.encode()), letter)
        self.refuses(Failure.LIMIT, Letter(1, 0, b"x" * 49_133).encode)
        encoded = Letter(1, 0, b"x").encode()
        self.refuses(Failure.FORMAT, Letter.parse, encoded[:-1] + b"\1")
        self.refuses(Failure.FORMAT, Letter.parse, encoded + bytes(256))


class Json(Formats):
    def test_what_breaks_a_rule_is_refused(self) -> None:
        for bad in (
            b"", b"1 2", b"\xef\xbb\xbf1", b"\xff", b"\x0b1", b"[1,]", b"{'a':1}", b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}',
            b'{"\xc3\xa9":1,"e\xcc\x81":2}', b'["a\x01"]', b'"\\x"', b'"\\u+123"', b'"\\ud800"', b'"\\udc00\\ud800"', b"-1", b"-0", b"01", b"1.0",
            b"1e3", b"9007199254740992", b"NaN", b"Infinity", b"[" * 17 + b"]" * 17, b"[" * 100_000, b'{"a":' * 17 + b"1" + b"}" * 17,
        ):  # fmt: skip
            self.refuses(Failure.JSON, strictjson.loads, bad)

    def test_what_breaks_none_is_taken(self) -> None:
        nested = b" [" * 16 + b' 9007199254740991 , "\\ud83d\\ude00\\/" ' + b"]" * 16 + b"\r\n"
        value = strictjson.loads(nested)
        for _ in range(15):
            [value] = value
        self.assertEqual(value, [2**53 - 1, "\U0001f600/"])

    def test_our_writer_escapes_three_things(self) -> None:
        self.assertEqual(strictjson.dumps({"a": ['"\\/\n\x7fé']}), '{"a":["\\"\\\\/\\u000a\x7fé"]}'.encode())

    def test_control_messages(self) -> None:
        known: list[Any] = [
            messages.Hello("studio", (Address("2001:db8::7", 7_411),)),
            messages.Turn(),
            messages.Turned(),
            messages.Prekeys(b"abc"),
            messages.CatalogGet(7, "anime-lora@v3"),
            messages.Resolve(8, "anime-lora", 3),
            messages.Resolved(8, None),
            messages.Want(9, bytes(16), bytes(32), 0, ((0, 0, 20), (0, 20, 1), (1, 0, 1)), (1, 2, 99), bytes(16), bytes(32)),
            messages.GrantMessage(9, bytes(16), bytes(32), 1, 1, bytes(32), bytes(16), (), bytes(16), 4_011),
            messages.Deny(9, bytes(16), "changed", "a/b"),
        ]
        for message in known:
            self.assertEqual(messages.parse(message.encode()), message)
        self.assertIsNone(messages.parse(b'{"type":"later","anything":[1]}'))
        self.assertEqual(messages.parse(b'{"x":{},"name":"studio","type":"hello","addresses":["nonsense"]}'), messages.Hello("studio"))
        for bad in (
            b"[]", b"{}", b'{"type":1}', b'{"type":"hello","name":"-","addresses":[]}', b'{"type":"catalog.get"}', b'{"type":"catalog.get","req":true}',
            b'{"type":"resolve","req":1,"name":"a/b"}', b'{"type":"resolve","req":1,"name":"a","version":0}', b'{"type":"prekeys","bundle":"YWJj\\n"}',
            b'{"type":"prekeys","bundle":"YR=="}',
        ):  # fmt: skip
            self.refuses(Failure.JSON, messages.parse, bad)

    def test_ranges_are_sorted_and_apart(self) -> None:
        for bad in ([[0, 1, 0]], [[0, 0, 2], [0, 1, 1]], [[1, 0, 1], [0, 0, 1]], [[0, 0]], [[0, True, 1]], [[100_000, 0, 1]], [[0, 0, 1]] * 2_049):
            self.refuses(Failure.JSON, segment.parse_ranges, bad)


class Paths(Formats):
    def test_paths(self) -> None:
        for good in ("a", "a/b", ".hidden", "ä/日本", "a" * 255, "/".join("a" * 64), ".pawl"):
            self.assertTrue(names.is_path(good), good)
        for bad in (
            "", "/a", "a/", "a//b", ".", "a/../b", "a\\b", "a\nb", "a\u202eb", "e\u0301", "a" * 256, "/".join("a" * 65), ".PAWL-x", ".p\u00adawl-x",
            "a/.pawl-part", "\ufeffa",
        ):  # fmt: skip
            self.assertFalse(names.is_path(bad), repr(bad))

    def test_names(self) -> None:
        for bad in ("", "a/b", "a@b", "-a", ".a", "a\x00", "é".replace("é", "e\u0301"), "a" * 129):
            self.assertFalse(names.is_artifact_name(bad), repr(bad))

    def test_paths_that_collide(self) -> None:
        for bad in (["a", "A"], ["straße", "STRASSE"], ["a/x", "A/y"], ["a", "a/b"], ["a\u200bb", "ab"], ["ς", "Σ"], ["ﬁ", "fi"]):
            self.refuses(Failure.CONTENT, names.check_paths, bad)
        names.check_paths(["a/x", "b/X", "ı", "i"])


class Trees(Formats):
    def test_the_root_is_that_of_rfc_9162(self) -> None:
        def mth(leaves: list[bytes]) -> bytes:
            if len(leaves) < 2:
                return leaves[0] if leaves else sha256()
            k = 1 << (len(leaves) - 1).bit_length() - 1
            return sha256(b"\1", mth(leaves[:k]), mth(leaves[k:]))

        for count in range(70):
            leaves = [tree.leaf(bytes([n])) for n in range(count)]
            self.assertEqual(tree.root(leaves), mth(leaves))

    def test_a_leaf_list_counts_only_whole_and_right(self) -> None:
        leaves = [tree.leaf(bytes([n])) for n in range(5)]
        top = tree.root(leaves)
        size = 4 * 65_536 + 1
        self.assertEqual(tree.check_leaf_list(b"".join(leaves), size, 65_536, top), leaves)
        self.refuses(Failure.FORMAT, tree.check_leaf_list, b"".join(leaves[:4]), size, 65_536, top)
        self.refuses(Failure.CONTENT, tree.check_leaf_list, b"".join([*leaves[1:], leaves[0]]), size, 65_536, top)


class Manifests(Formats):
    manifest = Manifest(
        "anime-lora", 3, bytes(32), ANNA.node_id, NOW, "v3", 1_048_576,
        (
            File("anime.safetensors", 20_000_000, 0o644, "safetensors", bytes(32), bytes(32),
                 {"dtypes": {"F16": 264}, "tensors": 264, "parameters": 9_961_472, "metadata": 31, "kohya": True}),
            File("requirements.txt", 18, 0o644, "text", bytes(32), bytes(32)),
        ),
        environment={"files": [{"path": "requirements.txt", "form": "pip-requirements"}]},
    )  # fmt: skip

    def changed(self, **members: Any) -> bytes:
        return strictjson.dumps(strictjson.loads(self.manifest.encode()) | members)

    def test_a_round_and_the_order_of_the_checks(self) -> None:
        signed = SignedManifest.sign(ANNA, self.manifest)
        self.assertEqual(SignedManifest.parse(signed.encode()).check(signed.digest, ANNA.record, "anime-lora", 3), self.manifest)
        self.refuses(Failure.CONTENT, signed.check, bytes(32), BERT.record, "x", 1)
        self.refuses(Failure.SIGNATURE, signed.check, signed.digest, BERT.record, "x", 1)
        self.refuses(Failure.CONTENT, signed.check, signed.digest, ANNA.record, "anime-lora", 2)

    def test_what_breaks_a_rule_is_refused(self) -> None:
        files = strictjson.loads(self.manifest.encode())["files"]
        for members in (
            {"more": 1}, {"name": "a/b"}, {"version": 0}, {"version": 2**32}, {"previous": "00"}, {"publisher": None}, {"chunk": 65_535},
            {"chunk": 3 * 65_536}, {"chunk": 32_768}, {"folder": False}, {"files": []}, {"files": files[::-1]}, {"files": files + [files[1]]},
            {"files": [files[0] | {"mode": 0o600}, files[1]]}, {"files": [files[0] | {"kind": "Text"}, files[1]]},
            {"files": [files[0] | {"more": 1}, files[1]]}, {"files": [files[0], files[1] | {"size": 0}]}, {"ext": []},
            {"environment": {"files": [{"path": "no", "form": "x"}]}}, {"environment": {"files": []}},
        ):  # fmt: skip
            with self.assertRaises(Refused, msg=str(members)):
                Manifest.parse(self.changed(**members))
        Manifest.parse(self.changed(ext={"anything": [1]}))

    def test_folders_that_hold_nothing(self) -> None:
        for bad in (
            "d", [], [1], ["../d"], ["d/"], ["e", "d"], ["d", "d"], ["D", "d"], ["d", "d/e"], ["requirements.txt"], ["Requirements.txt"],
            ["requirements.txt/d"], [".pawl-x"],
        ):  # fmt: skip
            self.refuses(Failure.CONTENT, Manifest.parse, self.changed(ext={"folders": bad}))
        good = Manifest.parse(self.changed(ext={"folders": ["d/e", "f"], "more": 1}))
        self.assertEqual(good.folders, ["d/e", "f"])
        self.assertEqual(self.manifest.folders, [])


class Frames(Formats):
    def test_both_ciphers(self) -> None:
        for aead in (segment.AES_256_GCM, segment.CHACHA20_POLY1305):
            frame = segment.seal_frame(bytes(32), aead, bytes(16), 1, 2, b"chunk")
            header, plaintext = segment.open_frame(bytes(32), aead, frame)
            self.assertEqual((header.file, header.chunk, header.length, plaintext), (1, 2, 28 + 5 + 16, b"chunk"))
            for at in range(len(frame)):
                with self.assertRaises(Refused):
                    segment.open_frame(bytes(32), aead, frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1 :])

    def test_base64_has_one_form(self) -> None:
        self.assertEqual(len(base64.b64encode(bytes(30_777))), messages.MAXIMUM_BUNDLE_TEXT)


if __name__ == "__main__":
    unittest.main()
