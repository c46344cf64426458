internal import Primitives

/// The bundles without pairs that the INITs between us and one peer carry: signed once a day and verified once, not with every start,
/// for signatures are what a start would cost most.
struct CarriedBundles: Sendable {
  private var ours: KeptBundle?
  private var theirs: KeptBundle?

  /// Ours, signed when the last one was signed with other prekeys, more than a day ago, or in the future.
  mutating func own(
    from identity: Identity, to peer: NodeID, prekeys: PrekeyRing, at now: UInt64, crypto: SessionCrypto
  ) throws(SessionError) -> Bundle {
    let generation = try prekeys.current()
    if let ours = ours?.bundle, ours.spkID == generation.id, ours.issued <= now, now < ours.issued + SessionTimes.day {
      return ours
    }
    let fresh = try prekeys.bundle(from: identity, to: peer, at: now, crypto: crypto)
    ours = KeptBundle(fresh)
    return fresh
  }

  /// The peer's, genuine and in time. The same bytes need no second look at the signature.
  mutating func verified(
    _ bytes: [UInt8], from peer: IdentityRecord, to us: NodeID, at now: UInt64
  ) throws(SessionError) -> Bundle {
    if let theirs = theirs?.bundle, theirs.bytes == bytes {
      try theirs.checkTimes(at: now)
      return theirs
    }
    let bundle = try Bundle(parsing: bytes.span)
    guard bundle.nonce == Bundle.pushedNonce else { throw SessionError(.malformed) }
    try bundle.verify(owner: peer, addressee: us, at: now)
    theirs = KeptBundle(bundle)
    return bundle
  }
}
