"""What the Python peer makes of the cases in Interop/vectors: one module for each file."""

from . import envelope, identity, primitives, stream, ticket, tree
from .case import Checks

FILES: dict[str, Checks] = {
    "envelope": envelope.CHECKS,
    "identity": identity.CHECKS,
    "primitives": primitives.CHECKS,
    "stream": stream.CHECKS,
    "ticket": ticket.CHECKS,
    "tree": tree.CHECKS,
}
