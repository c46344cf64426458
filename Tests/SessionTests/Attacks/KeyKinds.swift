import Primitives
import Testing

@testable import Session

/// An X25519 key where an ML-KEM key belongs, and the reverse: a signature over bare bytes would cover both readings. Here the owner of the
/// keys itself is hostile, so every signature is right.
extension KnownAttacks {
  /// Where typed keys stand in a bundle with one pair: SPK, PQSPK, OPK and its KEM key.
  private static let typed: [(offset: Int, type: UInt8)] = [(100, 0x05), (137, 0x0A), (1_712, 0x05), (1_745, 0x0A)]

  @Test func anECKeyAsAKEMKeyAndTheReverseAreRefusedInEveryPlaceOfABundle() throws {
    let (a, b) = try Party.pair(seed: 720)
    let honest = try b.bundle(for: a.id).bundle
    func signed(_ body: [UInt8]) throws -> [UInt8] {
      body + (try b.identity.sign(kind: .bundle, body: body, crypto: b.crypto))
    }
    let body = Array(honest.bytes.dropLast(SignatureKind.signatureBytes))
    #expect((try? Bundle(reading: signed(body)).verify(owner: b.record, addressee: a.id, at: epoch)) != nil)
    for (offset, type) in Self.typed {
      #expect(body[offset] == type)
      // The right bytes under the other type, under the type of another KEM, and under none.
      for wrong: UInt8 in [0x05, 0x0A, 0x07, 0x08, 0x00] where wrong != type {
        var bad = body
        bad[offset] = wrong
        #expect(throws: SessionError(.malformed)) { try Bundle(reading: signed(bad)) }
      }
      // The other key as a whole in its place, with its own type.
      let key = type == 0x05 ? Array(body[137..<1_706]) : Array(body[100..<133])
      let length = type == 0x05 ? 33 : 1_569
      let exact = Array(body[..<offset]) + key + body[(offset + length)...]
      #expect(throws: SessionError(.malformed)) { try Bundle(reading: signed(exact)) }
      let padded = Array((key + [UInt8](repeating: 0, count: 1_569)).prefix(length))
      #expect(throws: SessionError(.malformed)) {
        try Bundle(reading: signed(Array(body[..<offset]) + padded + body[(offset + length)...]))
      }
    }
    // Signed keys moved from one place to another of their kind are another bundle: the old signature is none for it.
    for (one, other, length) in [(100, 1_712, 33), (137, 1_745, 1_569)] {
      var moved = body
      moved.replaceSubrange(one..<one + length, with: body[other..<other + length])
      moved.replaceSubrange(other..<other + length, with: body[one..<one + length])
      let bytes = moved + honest.bytes.suffix(SignatureKind.signatureBytes)
      #expect(throws: SessionError(.badSignature)) {
        try Bundle(reading: bytes).verify(owner: b.record, addressee: a.id, at: epoch)
      }
    }
  }

  @Test func aKEMKeyAsTheEphemeralKeyOfAnINITIsRefused() throws {
    let (a, b) = try Party.pair(seed: 721)
    var machine = a.machine(for: b.record)
    _ = try machine.start(with: try b.bundle(for: a.id).bundle, at: epoch)
    let frame = try #require(try machine.linkUp(at: epoch).frames.last).encoded
    #expect((try? LinkFrame(reading: frame)) != nil && frame[68] == 0x05)
    for type in UInt8.min...UInt8.max where type != 0x05 {
      var bad = frame
      bad[68] = type
      #expect((try? LinkFrame(reading: bad)) == nil)
    }
    let kem = try #require(try b.bundle(for: a.id).bundle.pairs.first).kem
    let exchanged = Array(frame[..<68]) + TypedKey.encode(kem) + frame[101...]
    #expect((try? LinkFrame(reading: exchanged)) == nil)
  }

  /// A signature over one thing is offered for another: over a bundle for a record, over keys for a bundle.
  @Test func aSignatureOverKeysOfOneKindIsNoneOverAnother() throws {
    let (a, b) = try Party.pair(seed: 722)
    let bundle = try b.bundle(for: a.id).bundle
    let body = Array(bundle.bytes.dropLast(SignatureKind.signatureBytes))
    let signature = Array(bundle.bytes.suffix(SignatureKind.signatureBytes))
    #expect(b.record.verify(kind: .bundle, body: body, signature: signature))
    for kind in [SignatureKind.identity, .manifest, .reshare] {
      #expect(!b.record.verify(kind: kind, body: body, signature: signature))
    }
    // The KEM key's bytes alone, the X25519 key's bytes alone: what a protocol that signs bare keys would have signed.
    for part in [body[137..<1_706], body[138..<1_706], body[100..<133], body[101..<133]] {
      #expect(!b.record.verify(kind: .bundle, body: Array(part), signature: signature))
    }
  }
}
