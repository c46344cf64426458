"""What the Python peer makes of the cases in Interop/vectors: one module for each file."""

from . import bundle, control, envelope, identity, link, manifest, noise, pqxdh, primitives, ratchet, stream, ticket, tree
from .case import Checks

FILES: dict[str, Checks] = {
    "bundle": bundle.CHECKS,
    "control": control.CHECKS,
    "envelope": envelope.CHECKS,
    "identity": identity.CHECKS,
    "link": link.CHECKS,
    "manifest": manifest.CHECKS,
    "noise": noise.CHECKS,
    "pqxdh": pqxdh.CHECKS,
    "primitives": primitives.CHECKS,
    "ratchet": ratchet.CHECKS,
    "stream": stream.CHECKS,
    "ticket": ticket.CHECKS,
    "tree": tree.CHECKS,
}
