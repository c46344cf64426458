import Primitives
import Testing
import Wire

@testable import Session

@Suite struct BundleTests {
  private func failure(_ body: () throws -> Void) -> SessionError.Code? {
    do {
      try body()
      return nil
    } catch {
      return (error as? SessionError)?.code
    }
  }

  @Test func aBundleIsReadBackAndVerifies() throws {
    let (a, b) = try Party.pair(seed: 6)
    for pairs in [0, 1, 16] {
      let (bundle, _) = try b.bundle(for: a.id, pairs: pairs)
      let read = try Bundle(parsing: bundle.bytes.span)
      #expect(read == bundle)
      #expect(read.pairs.count == pairs)
      try read.verify(owner: b.record, addressee: a.id, at: epoch)
    }
  }

  @Test func aBundleIsForItsAddresseeAndOfItsOwnerAlone() throws {
    let (a, b) = try Party.pair(seed: 6)
    let stranger = try Party(seed: 77)
    let (bundle, _) = try b.bundle(for: a.id)
    #expect(failure { try bundle.verify(owner: b.record, addressee: stranger.id, at: epoch) } == .wrongAddressee)
    #expect(failure { try bundle.verify(owner: stranger.record, addressee: a.id, at: epoch) } == .wrongOwner)
  }

  @Test func aBundleCountsInItsTimeAndAnHourAround() throws {
    let (a, b) = try Party.pair(seed: 6)
    let (bundle, _) = try b.bundle(for: a.id)
    func code(at now: UInt64) -> SessionError.Code? {
      failure { try bundle.verify(owner: b.record, addressee: a.id, at: now) }
    }
    #expect(code(at: epoch - 3_600) == nil)
    #expect(code(at: epoch - 3_601) == .notYetValid)
    #expect(code(at: epoch + 30 * day + 3_599) == nil)
    #expect(code(at: epoch + 30 * day + 3_600) == .expired)
  }

  @Test func everyChangedPartOfABundleIsRefused() throws {
    let (a, b) = try Party.pair(seed: 6)
    let (bundle, _) = try b.bundle(for: a.id)
    // Owner, addressee, nonce, issued, expires, ids, type bytes, keys, count, pair, signatures.
    for index in [0, 40, 70, 87, 95, 99, 100, 110, 136, 137, 200, 1_706, 1_709, 1_711, 1_720, 1_745, 3_313, 3_400, 6_686] {
      var bad = bundle.bytes
      bad[index] ^= 1
      let code = failure {
        try Bundle(parsing: bad.span).verify(owner: b.record, addressee: a.id, at: epoch)
      }
      #expect(code != nil, "byte \(index)")
    }
    let long = bundle.bytes + [0]
    #expect(failure { _ = try Bundle(parsing: long.span) } == .malformed)
  }

  @Test func aKeyOfOneKindIsNeverReadAsAnother() throws {
    let (a, b) = try Party.pair(seed: 6)
    var bytes = try b.bundle(for: a.id).bundle.bytes
    #expect(bytes[100] == 0x05)
    #expect(bytes[137] == 0x0A)
    bytes[137] = 0x09
    #expect(failure { _ = try Bundle(parsing: bytes.span) } == .malformed)
  }

  @Test func prekeysRotateWeeklyAndLiveAsLongAsABundleMayNameThem() throws {
    let party = try Party(seed: 8)
    var ring = PrekeyRing()
    let first = ring.refresh(at: epoch, crypto: party.crypto)
    #expect(first.put.count == 1)
    #expect(ring.refresh(at: epoch + 7 * day - 1, crypto: party.crypto).isEmpty)
    let second = ring.refresh(at: epoch + 7 * day, crypto: party.crypto)
    #expect(second.put.count == 1 && second.delete.isEmpty)
    let (old, new) = (try #require(first.put.keys.first), try #require(second.put.keys.first))
    #expect(ring.find(old) != nil)
    #expect(try ring.current().id == new)
    let rows = (Array(second.put) + Array(first.put)).map { StoredBlob(id: $0.key, bytes: $0.value.sealed(with: stateKey)) }
    let read = try PrekeyRing(stored: rows, key: stateKey)
    #expect(try read.current().id == new)
    #expect(read.find(old)?.ec.secret.copyBytes() == ring.find(old)?.ec.secret.copyBytes())
    let late = ring.refresh(at: epoch + 37 * day + 7_200, crypto: party.crypto)
    #expect(late.delete == [old])
    #expect(ring.find(old) == nil)
    #expect(throws: SessionError(.unknownPrekey)) { try PrekeyRing().current() }
  }

  @Test func anIntroductionIsVerifiedAsAWhole() throws {
    let (a, b) = try Party.pair(seed: 9)
    let stranger = try Party(seed: 78)
    let card = try Card(name: "b", addresses: [])
    let bundle = try b.bundle(for: a.id).bundle.bytes
    let good = Introduction(record: b.record.bytes, bundle: bundle, card: card)
    let encoded = good.encoded
    let read = try Introduction(parsing: encoded.span)
    #expect(read == good)
    let verified = try read.verify(by: a.id, expecting: b.id, linkKey: b.record.linkKey, at: epoch)
    #expect(verified.record == b.record)
    #expect(verified.bundle.bytes == bundle)
    func code(_ introduction: Introduction, by us: NodeID, expecting: NodeID?, link: X25519.PublicKey) -> SessionError.Code? {
      failure { _ = try introduction.verify(by: us, expecting: expecting, linkKey: link, at: epoch) }
    }
    #expect(code(good, by: a.id, expecting: nil, link: b.record.linkKey) == nil)
    #expect(code(good, by: a.id, expecting: stranger.id, link: b.record.linkKey) == .wrongOwner)
    #expect(code(good, by: a.id, expecting: b.id, link: stranger.record.linkKey) == .wrongOwner)
    #expect(code(good, by: stranger.id, expecting: nil, link: b.record.linkKey) == .wrongAddressee)
    #expect(code(good, by: b.id, expecting: nil, link: b.record.linkKey) == .wrongOwner)
    let relabelled = Introduction(record: stranger.record.bytes, bundle: bundle, card: card)
    #expect(code(relabelled, by: a.id, expecting: nil, link: stranger.record.linkKey) == .wrongOwner)
  }
}
