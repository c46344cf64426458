import Primitives
import Testing

@testable import Session

/// A hostile peer says that many messages were lost. Each claim costs it one envelope and us the keys of all of them.
extension KnownAttacks {
  @Test func skippedKeyExhaustionInTimeIsBoundedByTheKeysDerived() throws {
    let places = try RatchetPair.beginnings(seed: 840)
    let (pair, honest, _) = places[2]
    // PN and N together: 1,000 are derived, one more is refused.
    for (previous, number, isTaken) in [
      (0, 1_000, true), (0, 1_001, false), (400, 600, true), (400, 601, false), (1_001, 0, false),
    ]
      as [(UInt32, UInt32, Bool)]
    {
      var crafted = honest
      crafted.previousCount += previous
      crafted.number = number
      #expect((try pair.outcome(of: crafted, isAlices: true) == "crafted") == isTaken, "PN + \(previous), N \(number)")
    }
    // A refusal comes before the first key: whatever number is named, none is derived.
    guard let bob = pair.bob, case .chain(let chain) = bob.receiving else { throw SessionError(.internalFailure) }
    for gap in [1_001, 100_000, .max - chain.number] as [UInt32] {
      var trial = chain
      #expect(throws: SessionError(.refused)) {
        try trial.skip(to: chain.number + gap, allowance: SkippedKeys.maximumGap, at: epoch)
      }
      #expect(trial.number == chain.number && trial.skipped.isEmpty && trial.chain.ec === chain.chain.ec)
    }
    // What was derived for an envelope that then does not open is derived again for the next: not a key is kept.
    var crafted = honest
    crafted.number = 1_000
    var envelope = try crafted.envelope(associatedData: pair.ad, crypto: pair.a.crypto)
    envelope[envelope.count - 1] ^= 1
    var trial = pair
    for _ in 0..<20 { #expect(throws: SessionError(.refused)) { try trial.toBob(envelope) } }
    #expect(trial.bob?.storedBytes == pair.bob?.storedBytes)
  }

  @Test(.timeLimit(.minutes(5))) func skippedKeyExhaustionInMemoryIsBoundedWhateverComes() throws {
    var pair = try RatchetPair.beginnings(seed: 841)[3].pair
    var bytes: [Int] = []
    // Chain after chain, each with as many gaps as one envelope may tear, and then single ones.
    for gap in [990, 990, 990] + [Int](repeating: 3, count: 70) {
      try pair.toAlice(try pair.fromBob("turn"))
      for _ in 0..<gap { _ = try pair.fromAlice("lost") }
      try pair.toBob(try pair.fromAlice("seen"))
      guard let bob = pair.bob, case .chain(let chain) = bob.receiving else { throw SessionError(.internalFailure) }
      #expect(bob.skipped.count + chain.skipped.count <= SkippedKeys.maximumKeys)
      #expect(bob.skipped.chains.count <= SkippedKeys.maximumChains)
      bytes.append(bob.storedBytes.count)
    }
    // 44 bytes a key, 66 a chain, and the rest of a ratchet.
    let most = SkippedKeys.maximumKeys * 44 + SkippedKeys.maximumChains * 66 + 8_192
    #expect(bytes.allSatisfy { $0 <= most } && (bytes.max() ?? 0) > SkippedKeys.maximumKeys * 44)
    // A week later the next message finds none of it.
    try pair.toAlice(try pair.fromBob("turn"), at: epoch + 7 * day)
    try pair.toBob(try pair.fromAlice("seen"), at: epoch + 7 * day)
    #expect(pair.bob?.skipped.count == 0)
  }
}
