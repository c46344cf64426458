import MemoryScan
import Synchronization
import Testing

@testable import Noise
@testable import Primitives

/// What handshakes and their ciphers leave in this process's memory, looked for in a process of its own.
@Suite(.enabled(if: ProcessMemory.canKeepWhatIsReleased)) struct MemoryTests {
  // Closures stay out of the body below: the compiler mixes up those of an exit test with those of the macros in it.
  @Test(.timeLimit(.minutes(5)), arguments: [0, 1])
  func keysOfALinkLieInLockedPagesAloneAndNowhereAfterwards(_ pattern: Int) async {
    switch pattern {
    case 0: await #expect(processExitsWith: .success) { try MemoryTests.search(.xk) }
    default: await #expect(processExitsWith: .success) { try MemoryTests.search(.xkpsk3) }
    }
  }

  private static func search(_ pattern: NoiseHandshake.Pattern) throws {
    ProcessMemory.keepWhatIsReleased()
    let ledger = KeyLedger()
    let live = try talk(pattern, ledger)
    for kind in ["X25519 key", "cipher key"] {
      #expect(live.contains { $0.kind == kind && $0.isAllowed }, "no \(kind) was found in the locked pages")
    }
    for finding in live where !finding.isAllowed { Issue.record("while the link lives: \(finding)") }
    for finding in try ProcessMemory.search(for: ledger, allowed: SecretArena.ranges) {
      Issue.record("after it is gone: \(finding)")
    }
  }

  /// A handshake and two messages each way; what is found while both ends live.
  @inline(never)
  private static func talk(_ pattern: NoiseHandshake.Pattern, _ ledger: KeyLedger) throws -> [KeyFinding] {
    let random = Randomness { count in
      let bytes = Randomness.system.bytes(count)
      ledger.note("X25519 key", bytes.span)
      return bytes
    }
    let psk = SecretBox(Randomness.system.secret(32))
    ledger.note("PSK", psk)
    let ours = X25519.PrivateKey.generate(random)
    let theirs = X25519.PrivateKey.generate(random)
    var initiator = NoiseHandshake(
      pattern, role: .initiator(remoteStatic: theirs.publicKey), prologue: [1], staticKey: ours.clone(), psk: psk,
      randomness: random)
    var responder = NoiseHandshake(
      pattern, role: .responder, prologue: [1], staticKey: theirs.clone(), psk: psk, randomness: random)
    _ = try responder.readMessage(try initiator.writeMessage(payload: [1]))
    _ = try initiator.readMessage(try responder.writeMessage(payload: [2]))
    _ = try responder.readMessage(try initiator.writeMessage(payload: [3]))
    let (left, right) = (try TransportBox(initiator.split()), try TransportBox(responder.split()))
    for byte in 0..<2 as Range<UInt8> {
      #expect(try right.transport.decrypt(left.transport.encrypt([byte])) == [byte])
      #expect(try left.transport.decrypt(right.transport.encrypt([byte])) == [byte])
    }
    try noteDerived(pattern, ledger)
    let found = try ProcessMemory.search(for: ledger, allowed: SecretArena.ranges)
    // Both ends live until here.
    #expect(try right.transport.decrypt(left.transport.encrypt([9])) == [9])
    return found
  }

  /// Transports cannot be copied, nor lie in a tuple.
  private final class TransportBox {
    var transport: NoiseTransport
    init(_ transport: consuming NoiseTransport) { self.transport = transport }
  }

  /// Every chaining and cipher key there was, from the four private keys in the order in which they were drawn.
  private static func noteDerived(_ pattern: NoiseHandshake.Pattern, _ ledger: KeyLedger) throws {
    let keys = try ledger.entries.filter { $0.kind == "X25519 key" }.map { try KeyBox($0) }
    #expect(keys.count == 4)
    let (ours, theirs, ephemeral, answer) = (keys[0], keys[1], keys[2], keys[3])
    var chaining = SecretBytes(copying: startingKey(pattern))
    func mix(_ ikm: borrowing SecretBytes, _ kind: String = "cipher key", count: Int = 64) {
      let none: [UInt8] = []
      var output = HKDF.derive(salt: chaining.span, ikm: ikm.span, info: none.span, count: count)
      chaining = output.take(32)
      while output.remaining > 0 { ledger.note(kind, output.take(32)) }
      ledger.note("chaining key", chaining)
    }
    func mixPublic(_ key: X25519.PublicKey) {
      // In handshakes with a pre-shared key the ephemeral keys are mixed in as well: public, so what follows is none.
      guard case .xkpsk3 = pattern else { return }
      mix(SecretBytes(copying: key.span))
    }
    mixPublic(ephemeral.key.publicKey)
    for (one, other) in [(ephemeral, theirs), (ephemeral, answer), (ours, answer)] {
      if one === ephemeral, other === answer { mixPublic(answer.key.publicKey) }
      let shared = try X25519.agree(one.key, other.key.publicKey)
      ledger.note("X25519 shared secret", shared)
      mix(shared)
    }
    if case .xkpsk3 = pattern {
      mix(ledger.restored("PSK"), count: 96)
    }
    // Split.
    let none: [UInt8] = []
    var output = HKDF.derive(salt: chaining.span, ikm: none.span, info: none.span, count: 64)
    ledger.note("cipher key", output.take(32))
    ledger.note("cipher key", output.take(32))
  }

  private static func startingKey(_ pattern: NoiseHandshake.Pattern) -> [UInt8] {
    let name = Array(pattern.protocolName.utf8)
    return name.count > 32 ? SHA256Hash.hash(name).bytes : name + [UInt8](repeating: 0, count: 32 - name.count)
  }

  private final class KeyBox {
    let key: X25519.PrivateKey
    init(_ entry: KeyLedger.Entry) throws { key = try X25519.PrivateKey(entry.restored()) }
  }
}

extension KeyLedger {
  fileprivate func note(_ kind: String, _ key: borrowing SecretBytes) { note(kind, key.span) }
  fileprivate func note(_ kind: String, _ key: SecretBox) { note(kind, key.bytes) }

  fileprivate func restored(_ kind: String) -> SecretBytes {
    entries.first { $0.kind == kind }?.restored() ?? SecretBytes(zeroes: 32)
  }
}

extension KeyLedger.Entry {
  fileprivate func restored() -> SecretBytes {
    var secret = SecretBytes(zeroes: masked.count)
    var span = secret.mutableSpan
    restore(into: &span)
    return secret
  }
}
