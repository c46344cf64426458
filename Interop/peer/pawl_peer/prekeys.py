"""Our own prekeys: made, replaced, handed out, deleted (§6)."""

import itertools

from .bundle import CLOCK_SKEW_SECONDS, LIFE_SECONDS, MAXIMUM_PAIRS, NO_NONCE, Bundle, PrivatePair
from .identity import Identity
from .primitives import SYSTEM, Entropy
from .store import Store, StoredPair, StoredPrekeys

ROTATION_SECONDS = 7 * 86_400
MAXIMUM_ANSWERED = 4  # unused pairs that went out in answers, a peer
MAXIMUM_BATCHED = 128  # unused pairs that went out in batches, a peer
_PAIR_LIFE = LIFE_SECONDS + 2 * CLOCK_SKEW_SECONDS
_PREKEY_LIFE = ROTATION_SECONDS + _PAIR_LIFE


class PrekeyRing:
    """Every method that changes something is called within a transaction of the store."""

    def __init__(self, identity: Identity, store: Store, entropy: Entropy = SYSTEM) -> None:
        self._identity = identity
        self._store = store
        self._entropy = entropy

    def current(self, now: int) -> PrivatePair:
        """The signed prekeys to put into a bundle now."""
        kept = self._store.prekeys()
        newest = kept[-1] if kept else None
        if newest is None or now - newest.made >= ROTATION_SECONDS:
            newest = StoredPrekeys(PrivatePair.generate(newest.pair.id + 1 if newest else 1, self._entropy), now)
            self._store.put_prekeys(newest)
        return newest.pair

    def find(self, id: int) -> PrivatePair | None:
        return next((prekeys.pair for prekeys in self._store.prekeys() if prekeys.pair.id == id), None)

    def delete_expired(self, now: int, peers: list[bytes]) -> None:
        for prekeys in self._store.prekeys():
            if now >= prekeys.made + _PREKEY_LIFE:
                self._store.delete_prekeys(prekeys.pair.id)
        for peer in peers:
            for pair in self._store.pairs(peer).values():
                if now >= pair.listed + _PAIR_LIFE:
                    self._store.delete_pair(peer, pair.pair.id)

    def bundle_without_pairs(self, peer: bytes, now: int) -> bytes:
        """For pairing as the joiner, and for INIT0."""
        return Bundle.issue(self._identity, peer, self.current(now).public, now).encode()

    def bundle_with_pair(self, peer: bytes, now: int, nonce: bytes = NO_NONCE) -> bytes:
        """For BUNDLE and PAIR_OK: one pair, a fresh one or the oldest unused one."""
        unused = [pair for pair in self._store.pairs(peer).values() if not pair.batch]
        if len(unused) < MAXIMUM_ANSWERED:
            [pair] = self._mint(peer, 1, now, batch=False)
        else:
            pair = min(unused, key=lambda stored: (stored.listed, stored.pair.id))
            pair.listed = now
            self._store.put_pair(peer, pair)
        return Bundle.issue(self._identity, peer, self.current(now).public, now, nonce, (pair.pair.public,)).encode()

    def batch(self, peer: bytes, now: int, again: list[int]) -> Bundle:
        """Sixteen pairs: those of `again` that are not used, and fresh ones."""
        stored = self._store.pairs(peer)
        listed = [stored[id] for id in again if id in stored]
        for pair in listed:
            pair.listed = now
            self._store.put_pair(peer, pair)
        listed += self._mint(peer, MAXIMUM_PAIRS - len(listed), now, batch=True)
        unused = sorted(pair.pair.id for pair in self._store.pairs(peer).values() if pair.batch)
        for id in unused[: max(0, len(unused) - MAXIMUM_BATCHED)]:
            self._store.delete_pair(peer, id)
        return Bundle.issue(self._identity, peer, self.current(now).public, now, pairs=tuple(pair.pair.public for pair in listed))

    def _mint(self, peer: bytes, count: int, now: int, batch: bool) -> list[StoredPair]:
        key = f"pair id {peer.hex()}"
        last = self._store.get(key) or 0
        minted = [StoredPair(PrivatePair.generate(id, self._entropy), now, batch) for id in itertools.islice(itertools.count(last + 1), count)]
        for pair in minted:
            self._store.put_pair(peer, pair)
        self._store.put(key, last + count)
        return minted
