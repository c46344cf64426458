"""`pawl-peer`: the reference peer by hand."""

import argparse
import asyncio
import sys
from pathlib import Path

from .errors import Refused
from .identity import safety_number
from .link import Closed
from .node import Node, PairingRefused
from .peer import Peer, Unanswered
from .pulling import Denied


def main() -> None:
    parser = argparse.ArgumentParser(prog="pawl-peer", description="A reference peer of the Pawl protocol. Its secrets are not protected.")
    parser.add_argument("--home", type=Path, default=Path(".pawl-peer"), help="where its state lies (default: ./.pawl-peer)")
    parser.add_argument("--name", default="peer", help="what it calls itself (default: peer)")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="default: 127.0.0.1:0")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("id", help="its node id")
    verbs.add_parser("up", help="stay and serve")
    verbs.add_parser("invite", help="print a ticket, then stay and serve")
    verbs.add_parser("join", help="pair with a ticket").add_argument("ticket", help="- reads it from standard input")
    verbs.add_parser("peers", help="whom it is paired with")
    share = verbs.add_parser("share", help="publish a file or folder for every peer; `up` serves it")
    share.add_argument("path", type=Path)
    share.add_argument("--as", dest="artifact", help="the artifact's name (default: the file's)")
    verbs.add_parser("ls", help="what a peer shares").add_argument("peer", help="its name, or the beginning of its node id")
    pull = verbs.add_parser("pull", help="fetch PEER/NAME")
    pull.add_argument("artifact", metavar="PEER/NAME")
    pull.add_argument("-o", "--output", type=Path, default=Path("."))
    options = parser.parse_args()
    try:
        asyncio.run(_run(options))
    except KeyboardInterrupt:
        sys.exit(130)
    except (Refused, Closed, PairingRefused, Denied, Unanswered, TimeoutError) as error:
        sys.exit(f"pawl-peer: {error or type(error).__name__}")


async def _run(options: argparse.Namespace) -> None:
    node = Node(options.home, options.name)
    host, _, port = options.listen.rpartition(":")
    await node.start(host.strip("[]"), int(port))
    try:
        await _VERBS[options.verb](node, options)
    finally:
        await node.stop()


async def _id(node: Node, options: argparse.Namespace) -> None:
    print(node.identity.node_id.hex())


async def _up(node: Node, options: argparse.Namespace) -> None:
    print(f"ready {node.identity.node_id.hex()} listening {node.address}", flush=True)
    while True:
        await asyncio.sleep(0.5)
        for peer in node.peers.values():
            while peer.reports:
                print(f"{peer.row.name}: {peer.reports.pop(0)}", flush=True)


async def _invite(node: Node, options: argparse.Namespace) -> None:
    print(node.invite(), flush=True)
    await _up(node, options)


async def _join(node: Node, options: argparse.Namespace) -> None:
    peer = await node.join(sys.stdin.readline() if options.ticket == "-" else options.ticket)
    await _confirmed(peer)
    print(f"paired with {peer.row.name} {peer.node_id.hex()}")
    _print_safety_number(node, peer)


async def _peers(node: Node, options: argparse.Namespace) -> None:
    for peer in node.peers.values():
        print(f"{peer.row.name} {peer.node_id.hex()}")
        _print_safety_number(node, peer)


async def _share(node: Node, options: argparse.Namespace) -> None:
    path: Path = options.path.resolve()
    manifest = node.shares.publish(path, options.artifact or path.stem, node.now)
    print(f"{manifest.name}@v{manifest.version}")


async def _ls(node: Node, options: argparse.Namespace) -> None:
    for entry in await (await _find(node, options.peer)).catalog():
        print(f"{entry.cursor} {entry.files} files {entry.size} bytes {entry.note!r}")


async def _pull(node: Node, options: argparse.Namespace) -> None:
    peer, _, name = options.artifact.partition("/")
    print(await node.pull(await _find(node, peer), name, options.output))


async def _find(node: Node, name: str) -> Peer:
    for peer in node.peers.values():
        if peer.row.name == name or (len(name) >= 8 and peer.node_id.hex().startswith(name)):
            await _confirmed(peer)
            return peer
    sys.exit(f"pawl-peer: no peer is called {name}")


async def _confirmed(peer: Peer) -> None:
    async with asyncio.timeout(20):
        await peer.confirmed.wait()
        while not peer.links:
            await asyncio.sleep(0.05)


def _print_safety_number(node: Node, peer: Peer) -> None:
    number = safety_number(node.identity.node_id, peer.node_id)
    groups = [number[at : at + 5] for at in range(0, 60, 5)]
    for row in range(0, 12, 4):
        print("    " + " ".join(groups[row : row + 4]))


_VERBS = {"id": _id, "up": _up, "invite": _invite, "join": _join, "peers": _peers, "share": _share, "ls": _ls, "pull": _pull}

if __name__ == "__main__":
    main()
