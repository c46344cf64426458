import MemoryScan
import Testing

@testable import Primitives

/// What single operations leave in this process's memory, looked for in a process of its own that never reuses memory.
@Suite(.enabled(if: ProcessMemory.canKeepWhatIsReleased)) struct MemoryTests {
  // Closures stay out of the bodies below: the compiler mixes up those of an exit test with those of the macros in it.

  @Test(.timeLimit(.minutes(5))) func operationsOfLibsodiumLeaveNoKeyBehind() async {
    await #expect(processExitsWith: .success) { try MemoryTests.searchAfterLibsodium() }
  }

  @Test(.timeLimit(.minutes(5))) func whatSwiftCryptoLeavesIsWhatTheDocumentSays() async {
    await #expect(processExitsWith: .success) { try MemoryTests.searchAfterSwiftCrypto() }
  }

  private static func searchAfterLibsodium() throws {
    ProcessMemory.keepWhatIsReleased()
    let ledger = KeyLedger()
    try runLibsodium(ledger)
    #expect(ledger.entries.count == 16)
    for finding in try ProcessMemory.search(for: ledger, allowed: []) { Issue.record("\(finding)") }
  }

  @inline(never)
  private static func runLibsodium(_ ledger: KeyLedger) throws {
    func fresh(_ kind: String, _ count: Int = 32) -> SecretBytes {
      let secret = Randomness.system.secret(count)
      Self.note(kind, secret, in: ledger)
      return secret
    }
    func note(_ kind: String, _ secret: borrowing SecretBytes) { Self.note(kind, secret, in: ledger) }
    let text = [UInt8](repeating: 7, count: 300)
    let nonce = [UInt8](repeating: 1, count: 12)

    let signing = try Ed25519.PrivateKey(seed: fresh("Ed25519 seed"))
    #expect(Ed25519.verify(signature: signing.sign(text), message: text, key: signing.publicKey))
    note("Ed25519 seed again", signing.cloneSeed())

    let agreeing = try X25519.PrivateKey(fresh("X25519 key"))
    note("X25519 shared secret", try X25519.agree(agreeing, X25519.PrivateKey.generate(.system).publicKey))

    let message = fresh("message key")
    let sealed = ChaChaPoly.seal(text, key: message, nonce: nonce, ad: text)
    #expect(try ChaChaPoly.open(sealed, key: message, nonce: nonce, ad: text) == text)
    #expect(SHA256Hash.hash(secret: message.span) == SHA256Hash.hash(secret: message.span))
    note("HMAC", HMACSHA256.authenticate(key: message, message: text))
    var material = HKDF.expand(prk: fresh("PRK"), info: text, count: 160)
    note("HKDF output", material.take(64))
    note("HKDF output", material.take(32))
    var extractor = HKDF.Extractor(salt: fresh("salt").span)
    extractor.update(fresh("keying material", 64))
    note("extracted key", extractor.finalize())

    let bulk = BulkCipher(algorithm: .chachaPoly, key: fresh("bulk key"))
    #expect(try bulk.open(bulk.seal(text, nonce: nonce, ad: []), nonce: nonce, ad: []) == text)

    let state = StateKey(fresh("state key"))
    var secret = SecretBuffer()
    secret.append(fresh("sealed key"))
    let row = state.seal(secret.span, context: [1])
    let opened = try state.open(row, context: [1])
    #expect(opened.isEqual(to: secret.span) == true)

    let password = fresh("passphrase")
    note(
      "key from a passphrase",
      try PasswordHash.argon2id(
        password: password.span, salt: [UInt8](nonce + [1, 2, 3, 4]), operations: 1, memoryBytes: 1 << 20))
  }

  private static func searchAfterSwiftCrypto() throws {
    ProcessMemory.keepWhatIsReleased()
    let ledger = KeyLedger()
    try runSwiftCrypto(ledger)
    let left = Set(try ProcessMemory.search(for: ledger, allowed: []).map(\.kind))
    // THREATS.md, “Copies of secrets in memory that are not ours”, says this: mend it with this list.
    #expect(
      left == [
        "seed of an ML-KEM key that was read", "seed of an ML-KEM key that was used", "encapsulated secret",
        "decapsulated secret", "seed of an ML-DSA key that was read", "seed of an ML-DSA key that signed", "AES key",
      ], "\(left.sorted())")
  }

  @inline(never)
  private static func runSwiftCrypto(_ ledger: KeyLedger) throws {
    func fresh(_ kind: String, _ count: Int) -> SecretBytes {
      let secret = Randomness.system.secret(count)
      Self.note(kind, secret, in: ledger)
      return secret
    }
    _ = try MLKEM768.PrivateKey(seed: fresh("seed of an ML-KEM key that was read", 64)).publicKey
    let owner = try MLKEM768.PrivateKey(seed: fresh("seed of an ML-KEM key that was used", 64))
    let sent = owner.publicKey.encapsulate()
    ledger.note("encapsulated secret", sent.sharedSecret.span)
    // An altered ciphertext gives another secret: one that only decapsulation has had.
    var altered = sent.ciphertext
    altered[0] ^= 1
    let rejected = try owner.decapsulate(altered)
    ledger.note("decapsulated secret", rejected.span)
    _ = try MLDSA65.PrivateKey(seed: fresh("seed of an ML-DSA key that was read", 32)).publicKey
    let signing = try MLDSA65.PrivateKey(seed: fresh("seed of an ML-DSA key that signed", 32))
    #expect(signing.sign([1]).count == MLDSA65.signatureBytes)
    let nonce = [UInt8](repeating: 1, count: 12)
    let bulk = BulkCipher(algorithm: .aes256gcm, key: fresh("AES key", 32))
    #expect(try bulk.open(bulk.seal([1, 2], nonce: nonce, ad: []), nonce: nonce, ad: []) == [1, 2])
  }

  private static func note(_ kind: String, _ secret: borrowing SecretBytes, in ledger: KeyLedger) {
    ledger.note(kind, secret.span)
  }
}
