import EventLoop
import MemoryScan
import Store
import Synchronization
import Testing

@testable import Node
@testable import Primitives
@testable import Session

/// What two whole nodes keep and leave in memory: loops, threads, handshakes, the database and all. In a process of its own
/// that never reuses what was released.
@Suite(.enabled(if: ProcessMemory.canKeepWhatIsReleased)) struct MemoryTests {
  // Closures stay out of the body below: the compiler mixes up those of an exit test with those of the macros in it.
  @Test(.timeLimit(.minutes(5))) func keysOfRunningNodesLieInLockedPagesAlone() async {
    await #expect(processExitsWith: .success) { try await MemoryTests.search() }
  }

  /// Keys that swift-crypto is given, or gives, for the time of a call, and does not wipe; what a ticket says to its reader;
  /// and what control messages carry for a transfer, for those are texts.
  private static let lent: Set<String> = [
    "ML-DSA seed", "ML-KEM seed", "ML-KEM shared secret", "ticket's secret", "drawn in a transfer",
  ]

  /// What the next 32 random bytes are.
  private static let name = Mutex("key")

  private static func search() async throws {
    ProcessMemory.keepWhatIsReleased()
    let ledger = KeyLedger()
    try await withHouse { house in
      let crypto = watched(ledger)
      let (studio, laptop) = (try await house.start("studio", crypto: crypto), try await house.start("laptop", crypto: crypto))
      for node in [studio, laptop] { ledger.note("state key", node.node.context.key) }
      let invitation = try await studio.node.invite(alias: "laptop", lifeSeconds: 60, addresses: [])
      ledger.note("ticket's secret", try Ticket(invitation.text).secret, isBetter: true)
      _ = try await laptop.node.join(invitation.text, alias: "studio")
      for (node, peer) in [(studio, "laptop"), (laptop, "studio")] { try await node.ready(for: peer) }
      _ = try await studio.share(try house.file("out/a.bin", pattern(1_000)), to: ["laptop"])
      name.withLock { $0 = "drawn in a transfer" }
      _ = try await laptop.pull("studio/a.bin", into: "\(house.path)/copy")
      name.withLock { $0 = "key" }
      // Once more with what the state folder holds.
      await laptop.stop()
      let again = try await house.start("laptop", crypto: crypto)
      try await again.ready(for: "studio")
      name.withLock { $0 = "drawn in a transfer" }
      _ = try await again.pull("studio/a.bin", into: "\(house.path)/second")
      let found = try ProcessMemory.search(for: ledger, allowed: SecretArena.ranges)
      for kind in ["key", "state key", "ML-KEM seed"] {
        #expect(found.contains { $0.kind == kind && $0.isAllowed }, "no \(kind) was found in the locked pages")
      }
      expectNone(found.filter { !$0.isAllowed && !lent.contains($0.kind) }, "while the nodes run")
    }
    #expect(ledger.count("key") > 20 && ledger.count("AEAD key") > 10)
    let found = try ProcessMemory.search(for: ledger, allowed: SecretArena.ranges)
    expectNone(found.filter { !lent.contains($0.kind) && !$0.isAllowed }, "after they have stopped")
  }

  /// The system's randomness and the library's operations; every key they give or get is noted.
  private static func watched(_ ledger: KeyLedger) -> SessionCrypto {
    SessionCrypto(
      randomness: Randomness { count in
        let bytes = Randomness.system.bytes(count)
        // X25519 keys, of links too; seeds of Ed25519 and ML-DSA keys; tickets' secrets.
        if count == 32 { ledger.note(name.withLock { $0 }, bytes.span) }
        if count == MLKEM.seedBytes { ledger.note("ML-KEM seed", bytes.span) }
        return bytes
      },
      encapsulate768: { watch($0.encapsulate(), ledger) },
      encapsulate1024: { watch($0.encapsulate(), ledger) },
      sign: { (key, message) throws(CryptoError) in
        ledger.note("ML-DSA seed", key.seed.span, isBetter: true)
        return key.sign(message)
      },
      seal: { plaintext, key, nonce, ad in
        ledger.note("AEAD key", key.span)
        return ChaChaPoly.seal(plaintext, key: key, nonce: nonce, ad: ad)
      })
  }

  private static func watch(_ encapsulation: consuming MLKEMEncapsulation, _ ledger: KeyLedger) -> MLKEMEncapsulation {
    ledger.note("ML-KEM shared secret", encapsulation.sharedSecret.span)
    return encapsulation
  }

  /// One line for each kind of key and each mapping.
  private static func expectNone(_ found: [KeyFinding], _ when: String) {
    var seen: Set<String> = []
    for finding in found where seen.insert(finding.kind + finding.mapping).inserted { Issue.record("\(when): \(finding)") }
  }
}

extension KeyLedger {
  fileprivate func note(_ kind: String, _ secret: SecretBox, isBetter: Bool) { note(kind, secret.bytes, isBetter: isBetter) }
  fileprivate func note(_ kind: String, _ key: StateKey) { note(kind, key.secret, isBetter: true) }
  private func note(_ kind: String, _ secret: borrowing SecretBytes, isBetter: Bool) {
    note(kind, secret.span, isBetter: isBetter)
  }
}
