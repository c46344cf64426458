internal import Primitives

/// What each primitive costs alone, in seconds of CPU time, on inputs as long as the session layer's.
struct PrimitiveCosts {
  /// A letter of 1 KiB is padded to 2,048 bytes.
  private static let letterBytes = 2_048
  /// dh‖PN‖N‖KB of a chain that answers.
  private static let headerBytes = 40 + 1 + MLKEM768.publicKeyBytes + MLKEM768.ciphertextBytes
  /// 01‖45‖salt, |EH|, EH, commitment: what C's encryption covers besides AD.
  private static let coveredBytes = 18 + 2 + headerBytes + 16 + 32
  /// The same in a chain that the receiver has acknowledged: 04‖N, and what C's encryption covers then.
  private static let shortHeaderBytes = 5
  private static let shortCoveredBytes = 18 + 2 + shortHeaderBytes + 16 + 32
  private static let associatedBytes = 10 + 32 + 32 + 32 + 16

  private var seconds: [Primitive: Double] = [:]

  /// Seconds for one.
  subscript(_ primitive: Primitive) -> Double { seconds[primitive] ?? 0 }

  /// Times each of them for so many seconds.
  init(_ duration: Double) throws {
    func time(_ primitive: Primitive, _ step: () throws -> Void) rethrows {
      seconds[primitive] = 1 / (try Rate.perCPUSecond(duration, step))
    }
    let randomness = Randomness.system
    time(.random) { _ = randomness.bytes(16) }

    let ours = X25519.PrivateKey.generate(randomness)
    let theirs = X25519.PrivateKey.generate(randomness).publicKey
    time(.x25519Key) { _ = X25519.PrivateKey.generate(randomness).publicKey }
    try time(.x25519) { _ = try X25519.agree(ours, theirs) }

    let kem768 = MLKEM768.PrivateKey.generate(randomness)
    let ciphertext768 = kem768.publicKey.encapsulate().ciphertext
    time(.kem768Key) { _ = MLKEM768.PrivateKey.generate(randomness).publicKey }
    time(.kem768Encapsulation) { _ = kem768.publicKey.encapsulate().ciphertext }
    try time(.kem768Decapsulation) { _ = try kem768.decapsulate(ciphertext768) }
    let kem1024 = MLKEM1024.PrivateKey.generate(randomness)
    let ciphertext1024 = kem1024.publicKey.encapsulate().ciphertext
    time(.kem1024Key) { _ = MLKEM1024.PrivateKey.generate(randomness).publicKey }
    time(.kem1024Encapsulation) { _ = kem1024.publicKey.encapsulate().ciphertext }
    try time(.kem1024Decapsulation) { _ = try kem1024.decapsulate(ciphertext1024) }

    let message = randomness.bytes(1_900)
    let dsa = MLDSA65.PrivateKey.generate(randomness)
    let dsaSignature = dsa.sign(message)
    time(.dsaSignature) { _ = dsa.sign(message) }
    time(.dsaVerification) { _ = MLDSA65.verify(signature: dsaSignature, message: message, key: dsa.publicKey) }
    let ed25519 = Ed25519.PrivateKey.generate(randomness)
    let edSignature = ed25519.sign(message)
    time(.ed25519) {
      _ = ed25519.sign(message)
      _ = Ed25519.verify(signature: edSignature, message: message, key: ed25519.publicKey)
    }

    let key = randomness.secret(32)
    let info = randomness.bytes(30)
    time(.messageKeys) {
      _ = HMACSHA256.authenticate(key: key, messages: (1, 2))
      _ = HMACSHA256.authenticate(key: key, messages: (1, 2))
      _ = HKDF.extract(salt: key, ikm: key)
      _ = HKDF.expand(prk: key, info: info, count: 44)
      _ = HKDF.expand(prk: key, info: info, count: 76)
    }
    time(.rootKeys) {
      _ = HKDF.derive(salt: key, ikm: key, info: info, count: 96)
      _ = HKDF.derive(salt: key, ikm: key, info: info, count: 64)
    }

    let nonce = randomness.bytes(12)
    let (header, letter) = (randomness.bytes(Self.headerBytes), randomness.bytes(Self.letterBytes))
    let (open, associated) = (randomness.bytes(18), randomness.bytes(Self.associatedBytes + Self.coveredBytes))
    let sealedHeader = ChaChaPoly.seal(header, key: key, nonce: nonce, ad: open)
    let sealedLetter = ChaChaPoly.seal(letter, key: key, nonce: nonce, ad: associated)
    time(.sealing) {
      _ = ChaChaPoly.seal(header, key: key, nonce: nonce, ad: open)
      _ = ChaChaPoly.seal(letter, key: key, nonce: nonce, ad: associated)
    }
    try time(.opening) {
      _ = try ChaChaPoly.open(sealedHeader, key: key, nonce: nonce, ad: open)
      _ = try ChaChaPoly.open(sealedLetter, key: key, nonce: nonce, ad: associated)
    }
    let shortHeader = randomness.bytes(Self.shortHeaderBytes)
    let lessAssociated = randomness.bytes(Self.associatedBytes + Self.shortCoveredBytes)
    let sealedShortHeader = ChaChaPoly.seal(shortHeader, key: key, nonce: nonce, ad: open)
    let sealedShortly = ChaChaPoly.seal(letter, key: key, nonce: nonce, ad: lessAssociated)
    time(.shortSealing) {
      _ = ChaChaPoly.seal(shortHeader, key: key, nonce: nonce, ad: open)
      _ = ChaChaPoly.seal(letter, key: key, nonce: nonce, ad: lessAssociated)
    }
    try time(.shortOpening) {
      _ = try ChaChaPoly.open(sealedShortHeader, key: key, nonce: nonce, ad: open)
      _ = try ChaChaPoly.open(sealedShortly, key: key, nonce: nonce, ad: lessAssociated)
    }
    time(.digest) { _ = SHA256Hash.hash(header) }
  }
}
