public import Primitives

/// Our signed prekeys, all generations that a valid bundle may still name. One ring for the whole node.
public struct PrekeyRing: Sendable {
  /// Newest last.
  private(set) var generations: [SignedPrekeys]

  /// The ring of a new node. Call ``refresh(at:crypto:)`` before using it.
  public init() { generations = [] }

  /// The ring as it was stored, in any order. Call ``refresh(at:crypto:)`` before using it.
  public init(stored: [StoredBlob], key: StateKey) throws(SessionError) {
    generations = []
    for blob in stored { generations.append(try SignedPrekeys(blob, key: key)) }
    generations.sort { $0.created < $1.created }
  }

  /// Replaces prekeys older than a week and drops those no bundle names any more. To be called at start-up and at every
  /// tick; the result is to be committed before the ring is used.
  public mutating func refresh(at now: UInt64, crypto: SessionCrypto) -> PrekeyCommit {
    var commit = PrekeyCommit()
    commit.delete = generations.filter { $0.dies <= now }.map(\.id)
    generations.removeAll { $0.dies <= now }
    // One that was made while the clock was ahead would otherwise live on until the clock is there again.
    let isDue =
      generations.last.map {
        $0.created + SessionTimes.prekeyRotation <= now || $0.created > now + SessionTimes.clockSkew
      } ?? true
    if isDue {
      var id = crypto.randomID()
      while generations.contains(where: { $0.id == id }) { id = crypto.randomID() }
      let fresh = SignedPrekeys(id: id, at: now, randomness: crypto.randomness)
      generations.append(fresh)
      commit.put[fresh.id] = fresh.stored
    }
    return commit
  }

  /// A bundle without one-time pairs that nobody asked for: what the joiner brings to the pairing.
  public func bundle(
    from identity: Identity, to addressee: NodeID, at now: UInt64, crypto: SessionCrypto
  ) throws(SessionError) -> Bundle {
    try Bundle.issue(
      by: identity, to: addressee, nonce: Bundle.pushedNonce, prekeys: try current(), pairs: [], at: now, crypto: crypto)
  }

  /// The generation that new bundles name.
  func current() throws(SessionError) -> SignedPrekeys {
    guard let newest = generations.last else { throw SessionError(.unknownPrekey) }
    return newest
  }

  /// The generation of that id, if its private half still lives.
  func find(_ id: UInt32) -> SignedPrekeys? { generations.first { $0.id == id } }
}
