import Primitives
import Testing

@testable import Session

/// Bundles that INITs carry are signed once a day and verified once: what is remembered must not make an old or a forged one pass.
@Suite struct CarriedBundleTests {
  private func own(_ bundles: inout CarriedBundles, of party: Party, to peer: NodeID, at now: UInt64) throws -> Bundle {
    try bundles.own(from: party.identity, to: peer, prekeys: party.prekeys, at: now, crypto: party.crypto)
  }

  @Test func ourBundleIsSignedAgainAfterADayWithOtherPrekeysAndWhenTheClockGoesBack() throws {
    let (fixed, other) = try Party.pair(seed: 900)
    var one = fixed
    var bundles = CarriedBundles()
    let first = try own(&bundles, of: one, to: other.id, at: epoch)
    #expect(try own(&bundles, of: one, to: other.id, at: epoch + day - 1) == first)
    let second = try own(&bundles, of: one, to: other.id, at: epoch + day)
    #expect(second.issued == epoch + day)
    let third = try own(&bundles, of: one, to: other.id, at: epoch + 10)
    #expect(third.issued == epoch + 10)
    one.prekeys = PrekeyRing()
    _ = one.prekeys.refresh(at: epoch + 10, crypto: one.crypto)
    let fourth = try own(&bundles, of: one, to: other.id, at: epoch + 10)
    #expect(fourth.spkID != third.spkID)
    for bundle in [first, second, third, fourth] {
      try bundle.verify(owner: one.record, addressee: other.id, at: bundle.issued)
    }
  }

  @Test func aRememberedBundleStillExpires() throws {
    let (one, other) = try Party.pair(seed: 901)
    let bundle = try one.prekeys.bundle(from: one.identity, to: other.id, at: epoch, crypto: one.crypto)
    var bundles = CarriedBundles()
    func verified(at now: UInt64) throws(SessionError) -> Bundle {
      try bundles.verified(bundle.bytes, from: one.record, to: other.id, at: now)
    }
    #expect(try verified(at: epoch) == bundle)
    #expect(try verified(at: bundle.expires) == bundle)
    #expect(throws: SessionError(.expired)) { _ = try verified(at: bundle.expires + SessionTimes.clockSkew) }
    #expect(throws: SessionError(.notYetValid)) { _ = try verified(at: epoch - SessionTimes.clockSkew - 1) }
    #expect(try verified(at: epoch) == bundle)
  }

  @Test func everyChangedByteOfARememberedBundleIsRefused() throws {
    let (one, other) = try Party.pair(seed: 902)
    let bundle = try one.prekeys.bundle(from: one.identity, to: other.id, at: epoch, crypto: one.crypto)
    var bundles = CarriedBundles()
    _ = try bundles.verified(bundle.bytes, from: one.record, to: other.id, at: epoch)
    for index in stride(from: 0, to: bundle.bytes.count, by: 97) {
      var forged = bundle.bytes
      forged[index] ^= 1
      #expect(throws: SessionError.self, "\(index)") {
        _ = try bundles.verified(forged, from: one.record, to: other.id, at: epoch)
      }
    }
    #expect(try bundles.verified(bundle.bytes, from: one.record, to: other.id, at: epoch) == bundle)
  }
}
