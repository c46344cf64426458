"""A reference peer of the Pawl protocol, version 1, written from docs/PROTOCOL.md.

The paragraph marks (§) in this package are those of that document. Modules build on each other in this order: errors, wire, primitives,
strictjson, identity, address, ticket, bundle, agreement, ratchet, envelope, noise, frames, session, machine, store, messages, names, tree,
manifest, segment, connection, serving, pulling, node, cli.
"""

__version__ = "1.0.0"
