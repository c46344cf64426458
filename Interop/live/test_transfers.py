"""Artifacts from the real node and to it, and what becomes of wrong ones."""

import filecmp
import unittest
from pathlib import Path

from pawl_peer.errors import Failure, Refused
from pawl_peer.messages import Want
from pawl_peer.node import Node
from pawl_peer.peer import Peer
from pawl_peer.pulling import Denied
from pawl_peer.segment import AES_256_GCM, CHACHA20_POLY1305, CHUNKS, LEAVES, MANIFEST
from realnode import CommandFailed
from support import LiveTest

_INTEGRITY = 13
_UNREACHABLE = 14
_SIZE = 20_000_000


class Transfers(LiveTest):
    def artifact(self, folder: Path) -> Path:
        """Several files, one of 20 MB, an empty one, one in a folder that may be executed; and folders with nothing in them."""
        (folder / "sub" / "deeper").mkdir(parents=True)
        (folder / "sub" / "samples").mkdir()
        (folder / "leer" / "größer").mkdir(parents=True)
        (folder / "weights.safetensors").write_bytes(self.dice.randbytes(_SIZE))
        (folder / "empty").touch()
        (folder / "sub" / "notes.txt").write_text("größer\n")
        script = folder / "sub" / "deeper" / "run.sh"
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
        return folder

    def assert_same(self, one: Path, other: Path) -> None:
        folders = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_dir())
        self.assertEqual(folders, sorted(p.relative_to(other) for p in other.rglob("*") if p.is_dir()))
        names = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
        self.assertEqual(names, sorted(p.relative_to(other) for p in other.rglob("*") if p.is_file()))
        for name in names:
            self.assertTrue(filecmp.cmp(one / name, other / name, shallow=False), name)
            self.assertEqual((one / name).stat().st_mode & 0o100, (other / name).stat().st_mode & 0o100, name)

    async def pull_from_node(self, node: Node, peer: Peer) -> None:
        source = self.artifact(self.real.folder / "lora")
        shared = await self.real.command("share", str(source), "--to", "all", "--note", "v1")
        [entry] = await peer.catalog()
        self.assertEqual((entry.name, entry.version, entry.digest.hex()), ("lora", 1, shared["digest"]))
        self.assertEqual((entry.files, entry.publisher, entry.note), (4, self.real.node_id, "v1"))
        for aead in (AES_256_GCM, CHACHA20_POLY1305):
            into = self.folder / f"pulled-{aead}"
            self.assertEqual(await node.pull(peer, "lora", into, aeads=(aead,)), into / "lora")
            self.assert_same(source, into / "lora")

    async def test_python_pulls_over_a_connection_that_it_dials(self) -> None:
        await self.pull_from_node(*await self.joined())

    async def test_python_pulls_over_a_connection_that_the_node_dials(self) -> None:
        await self.pull_from_node(*await self.invited())

    async def serve_node(self, node: Node, alias: str) -> None:
        source = self.artifact(self.folder / "served")
        manifest = node.shares.publish(source, "lora", node.now, "from Python")
        [listed] = (await self.real.command("ls", alias))["artifacts"]
        self.assertEqual((listed["artifact"], listed["note"]), ("lora", "from Python"))
        server = node.servers[self.real.node_id]
        for aead in (AES_256_GCM, CHACHA20_POLY1305):
            server.preferred_aead = aead
            into = self.real.folder / f"into-{aead}"
            pulled = await self.real.command("pull", f"{alias}/lora", "-o", str(into), "--verify")
            self.assertEqual(pulled["version"], manifest.version)
            self.assert_same(source, into / "lora")
        self.assertEqual(server.used_aeads, {AES_256_GCM, CHACHA20_POLY1305})

    async def test_the_node_pulls_over_a_connection_that_python_dials(self) -> None:
        node, _ = await self.joined()
        await self.serve_node(node, "anna")

    async def test_the_node_pulls_over_a_connection_that_it_dials(self) -> None:
        node, _ = await self.invited()
        await self.serve_node(node, "bert")

    async def test_a_bare_file_and_a_folder_with_one_file(self) -> None:
        node, peer = await self.joined()
        (self.folder / "one").mkdir()
        (self.folder / "one" / "a.txt").write_text("one")
        node.shares.publish(self.folder / "one", "folder", node.now)
        node.shares.publish(self.folder / "one" / "a.txt", "bare", node.now)
        into = self.real.folder / "into"
        self.assertEqual((await self.real.command("pull", "anna/folder", "-o", str(into)))["path"], str(into / "folder"))
        self.assertEqual((await self.real.command("pull", "anna/bare", "-o", str(into)))["path"], str(into / "a.txt"))
        await self.real.command("share", str(into / "folder"), "--name", "back", "--to", "all")
        await self.real.command("share", str(into / "a.txt"), "--name", "back2", "--to", "all")
        self.assertEqual(await node.pull(peer, "back", self.folder / "back"), self.folder / "back" / "back")
        self.assertEqual(await node.pull(peer, "back2", self.folder / "back"), self.folder / "back" / "a.txt")

    async def test_what_is_not_there_and_what_is_not_for_us_look_the_same(self) -> None:
        node, peer = await self.joined()
        secret = self.real.folder / "secret.bin"
        secret.write_bytes(b"secret")
        await self.real.command("share", str(secret), "--name", "secret")
        self.assertIsNone(await peer.resolve("secret"))
        self.assertIsNone(await peer.resolve("nothing"))
        with self.assertRaises(Denied):
            await node.pull(peer, "secret", self.folder)

    async def hostile(self, kind: int) -> CommandFailed:
        """What the node says of a server that sends one wrong byte of `kind` under a right tag."""
        node, _ = await self.joined("mallory")
        source = self.folder / "big.bin"
        source.write_bytes(self.dice.randbytes(3_000_000))
        node.shares.publish(source, "big", node.now)

        def falsify(sent: int, file: int, chunk: int, plaintext: bytes) -> bytes:
            return plaintext[:-1] + bytes([plaintext[-1] ^ 1]) if sent == kind else plaintext

        node.servers[self.real.node_id].falsify = falsify
        with self.assertRaises(CommandFailed) as failed:
            await self.real.command("pull", "mallory/big", "-o", str(self.real.folder / "into"))
        self.assertFalse((self.real.folder / "into" / "big.bin").exists())
        return failed.exception

    async def test_a_wrong_chunk_names_the_server(self) -> None:
        failed = await self.hostile(CHUNKS)
        self.assertEqual(failed.exit_code, _INTEGRITY)
        self.assertIn("mallory", failed.lines[-1]["message"])

    async def test_a_wrong_leaf_list_names_the_server(self) -> None:
        failed = await self.hostile(LEAVES)
        self.assertEqual(failed.exit_code, _INTEGRITY)
        self.assertIn("mallory", failed.lines[-1]["message"])

    async def test_a_wrong_manifest_names_the_server(self) -> None:
        failed = await self.hostile(MANIFEST)
        self.assertEqual(failed.exit_code, _INTEGRITY)
        self.assertIn("mallory", failed.lines[-1]["message"])

    async def test_an_unknown_reason_is_a_busy_server_and_asked_again(self) -> None:
        node, _ = await self.joined()
        source = self.folder / "big.bin"
        source.write_bytes(self.dice.randbytes(3_000_000))
        node.shares.publish(source, "big", node.now)
        refused = []

        def refuse(want: Want) -> str | None:
            refused.append(want)
            return "out-of-coffee" if len(refused) == 1 else None

        node.servers[self.real.node_id].refuse = refuse
        await self.real.command("pull", "anna/big", "-o", str(self.real.folder))
        self.assertGreater(len(refused), 1)
        self.assertTrue(filecmp.cmp(source, self.real.folder / "big.bin", shallow=False))

    async def test_a_file_that_cannot_be_read_there_is_named_and_what_came_is_kept(self) -> None:
        node, _ = await self.joined()
        source = self.folder / "big.bin"
        source.write_bytes(self.dice.randbytes(3_000_000))
        node.shares.publish(source, "big", node.now)
        node.servers[self.real.node_id].refuse = lambda want: "unreadable" if want.kind == CHUNKS else None
        with self.assertRaises(CommandFailed) as failed:
            await self.real.command("pull", "anna/big", "-o", str(self.real.folder))
        self.assertEqual(failed.exception.exit_code, _UNREACHABLE)
        self.assertIn("cannot read", failed.exception.lines[-1]["message"])

    async def test_a_frame_damaged_on_the_way_costs_a_second_try_and_blames_nobody(self) -> None:
        node, _ = await self.joined()
        source = self.folder / "big.bin"
        source.write_bytes(self.dice.randbytes(3_000_000))
        node.shares.publish(source, "big", node.now)
        damaged = []

        def damage(frame: bytes) -> bytes:
            if len(frame) > 1_000_000 and not damaged:
                damaged.append(frame)
                return frame[:-1] + bytes([frame[-1] ^ 1])
            return frame

        node.servers[self.real.node_id].damage = damage
        await self.real.command("pull", "anna/big", "-o", str(self.real.folder))
        self.assertEqual(len(damaged), 1)
        self.assertTrue(filecmp.cmp(source, self.real.folder / "big.bin", shallow=False))

    async def test_a_file_that_changed_on_the_node_is_not_sent(self) -> None:
        node, peer = await self.joined()
        source = self.real.folder / "lora.bin"
        source.write_bytes(b"as it was shared")
        await self.real.command("share", str(source), "--name", "lora", "--to", "all")
        source.write_bytes(b"as it is now, a different length")
        with self.assertRaises((Denied, Refused)) as failed:
            await node.pull(peer, "lora", self.folder)
        if isinstance(failed.exception, Refused):
            self.assertIsNot(failed.exception.failure, Failure.CONTENT)


if __name__ == "__main__":
    unittest.main()
