public import Primitives

/// One side of a handshake of the Noise Protocol Framework, revision 34: 25519, ChaChaPoly, SHA256 (§12).
///
/// Messages alternate, the initiator first; three finish it. Any failure ends it: the value refuses everything
/// afterwards, and the connection is to be closed without a word. Messages carry no length of their own.
public struct NoiseHandshake: ~Copyable, Sendable {
  /// The longest Noise message, handshake or transport (§3): 16 bits of length on the wire.
  public static let maximumMessageBytes = 65_535

  /// The two patterns in use. In both the initiator knows the responder's static key beforehand and sends its own
  /// under keys that are already forward secret.
  public enum Pattern: Sendable {
    /// Links between paired nodes.
    case xk
    /// Pairing: a pre-shared key is mixed in at the end of the third message.
    case xkpsk3

    var protocolName: String {
      switch self {
      case .xk: "Noise_XK_25519_ChaChaPoly_SHA256"
      case .xkpsk3: "Noise_XKpsk3_25519_ChaChaPoly_SHA256"
      }
    }

    func tokens(of message: Message) -> [Token] {
      switch (message, self) {
      case (.first, _): [.e, .es]
      case (.second, _): [.e, .ee]
      case (.third, .xk): [.s, .se]
      case (.third, .xkpsk3): [.s, .se, .psk]
      }
    }
  }

  /// Which side we are.
  public enum Role: Sendable {
    /// We dialled, and expect exactly this static key on the other side.
    case initiator(remoteStatic: X25519.PublicKey)
    /// We were dialled.
    case responder
  }

  enum Token { case e, s, ee, es, se, psk }

  enum Message {
    case first, second, third

    var isFromInitiator: Bool { self != .second }
    var next: Phase {
      switch self {
      case .first: .awaiting(.second)
      case .second: .awaiting(.third)
      case .third: .finished
      }
    }
  }

  enum Phase {
    case awaiting(Message)
    case finished
    case dead
  }

  private let pattern: Pattern
  private let isInitiator: Bool
  private let staticKey: X25519.PrivateKey
  private let randomness: Randomness
  private var ephemeral: X25519.PrivateKey?
  private var remoteEphemeral: X25519.PublicKey?
  private var psk: SecretBox?
  private var phase: Phase = .awaiting(.first)
  private var symmetric: SymmetricState

  /// The other side's static key: from the start for the initiator, after the third message for the responder.
  public private(set) var remoteStatic: X25519.PublicKey?

  /// A handshake before its first message.
  ///
  /// - Parameters:
  ///   - prologue: what both sides must agree on without sending it.
  ///   - staticKey: our link key; pass a clone.
  ///   - psk: 32 bytes; a responder may give it later, see ``setPSK(_:)``.
  ///   - randomness: gives the ephemeral key, 32 bytes.
  public init(
    _ pattern: Pattern, role: Role, prologue: [UInt8], staticKey: consuming X25519.PrivateKey, psk: SecretBox? = nil,
    randomness: Randomness
  ) {
    self.pattern = pattern
    self.randomness = randomness
    self.psk = psk
    symmetric = SymmetricState(protocolName: pattern.protocolName)
    symmetric.mixHash(prologue.span)
    // The pre-message "<- s".
    switch role {
    case .initiator(let key):
      isInitiator = true
      remoteStatic = key
      symmetric.mixHash(key.span)
    case .responder:
      isInitiator = false
      symmetric.mixHash(staticKey.publicKey.span)
    }
    self.staticKey = staticKey
  }

  /// Whether all three messages went through.
  public var isFinished: Bool { if case .finished = phase { true } else { false } }

  /// Whether the next message is ours to write.
  public var isMyTurn: Bool {
    if case .awaiting(let message) = phase { message.isFromInitiator == isInitiator } else { false }
  }

  /// The pre-shared key, 32 bytes: for a responder who learns from the first message's payload which one it is. It is
  /// needed when the third message is written or read.
  public mutating func setPSK(_ psk: SecretBox) { self.psk = psk }

  /// WriteMessage (§5.3): our next message, with `payload` encrypted in it.
  ///
  /// Throws `outOfTurn`, `tooLong` or `missingPSK` and stays as it was; throws `failed` and is dead.
  public mutating func writeMessage(payload: [UInt8]) throws(NoiseError) -> [UInt8] {
    let message = try current(isOurs: true)
    guard Self.overhead(of: message) + payload.count <= Self.maximumMessageBytes else { throw NoiseError(.tooLong) }
    phase = .dead
    var bytes: [UInt8] = []
    for token in pattern.tokens(of: message) { try write(token, to: &bytes) }
    bytes += try symmetric.encryptAndHash(payload.span)
    phase = message.next
    return bytes
  }

  /// ReadMessage (§5.3): the payload of the other side's next message.
  ///
  /// Throws `outOfTurn` or `missingPSK` and stays as it was; throws `failed` or `tooLong` and is dead. What a payload of
  /// the first two messages says is not yet proved to come from the initiator.
  public mutating func readMessage(_ message: [UInt8]) throws(NoiseError) -> [UInt8] {
    let expected = try current(isOurs: false)
    phase = .dead
    guard message.count <= Self.maximumMessageBytes else { throw NoiseError(.tooLong) }
    guard message.count >= Self.overhead(of: expected) else { throw NoiseError(.failed) }
    var position = 0
    for token in pattern.tokens(of: expected) { try read(token, from: message.span, at: &position) }
    let payload = try symmetric.decryptAndHash(message.span.extracting(position..<message.count))
    phase = expected.next
    return payload
  }

  /// Split (§5.2): the ciphers for everything after the handshake. Throws `outOfTurn` before it is finished.
  public consuming func split() throws(NoiseError) -> NoiseTransport {
    guard isFinished, let remoteStatic else { throw NoiseError(.outOfTurn) }
    let isInitiator = isInitiator
    let hash = symmetric.hash
    let ciphers = symmetric.split()
    return NoiseTransport(ciphers, isInitiator: isInitiator, remoteStatic: remoteStatic, handshakeHash: hash)
  }

  /// The message whose turn it is, if it is ours or theirs as asked and all it needs is there.
  private func current(isOurs: Bool) throws(NoiseError) -> Message {
    guard case .awaiting(let message) = phase, message.isFromInitiator == (isInitiator == isOurs) else {
      throw NoiseError(.outOfTurn)
    }
    if case .third = message, case .xkpsk3 = pattern, psk?.bytes.count != 32 { throw NoiseError(.missingPSK) }
    return message
  }

  /// What a message is longer than its payload: keys, their tags, and the payload's tag.
  private static func overhead(of message: Message) -> Int {
    let key = X25519.byteCount
    let tag = ChaChaPoly.tagBytes
    return message == .third ? key + tag + tag : key + tag
  }
}

// MARK: - Tokens (§5.3)

extension NoiseHandshake {
  private mutating func write(_ token: Token, to bytes: inout [UInt8]) throws(NoiseError) {
    switch token {
    case .e:
      let key = X25519.PrivateKey.generate(randomness)
      let publicKey = key.publicKey
      ephemeral = consume key
      bytes += publicKey.bytes
      mixEphemeral(publicKey)
    case .s:
      bytes += try symmetric.encryptAndHash(staticKey.publicKey.span)
    default:
      try mix(token)
    }
  }

  private mutating func read(_ token: Token, from message: Span<UInt8>, at position: inout Int) throws(NoiseError) {
    switch token {
    case .e:
      let end = position + X25519.byteCount
      let publicKey = try Self.key(message.extracting(position..<end))
      remoteEphemeral = publicKey
      position = end
      mixEphemeral(publicKey)
    case .s:
      let end = position + X25519.byteCount + ChaChaPoly.tagBytes
      let bytes = try symmetric.decryptAndHash(message.extracting(position..<end))
      remoteStatic = try Self.key(bytes.span)
      position = end
    default:
      try mix(token)
    }
  }

  /// An `e` is hashed, and in handshakes with a pre-shared key mixed into the key as well (§9.2).
  private mutating func mixEphemeral(_ key: X25519.PublicKey) {
    symmetric.mixHash(key.span)
    if case .xkpsk3 = pattern { symmetric.mixKey(key.span) }
  }

  /// DH tokens name the initiator's key first. Reading and writing do the same.
  private mutating func mix(_ token: Token) throws(NoiseError) {
    let usesOurStatic: Bool
    let remote: X25519.PublicKey?
    switch (token, isInitiator) {
    case (.ee, _): (usesOurStatic, remote) = (false, remoteEphemeral)
    case (.es, true): (usesOurStatic, remote) = (false, remoteStatic)
    case (.es, false): (usesOurStatic, remote) = (true, remoteEphemeral)
    case (.se, true): (usesOurStatic, remote) = (true, remoteEphemeral)
    case (.se, false): (usesOurStatic, remote) = (false, remoteStatic)
    case (.psk, _):
      guard let psk else { throw NoiseError(.missingPSK) }
      symmetric.mixKeyAndHash(psk.bytes)
      return
    case (.e, _), (.s, _): return
    }
    guard let remote else { throw NoiseError(.outOfTurn) }
    let shared = try usesOurStatic ? Self.agree(staticKey, remote) : agreeEphemeral(remote)
    symmetric.mixKey(shared.span)
  }

  private func agreeEphemeral(_ remote: X25519.PublicKey) throws(NoiseError) -> SecretBytes {
    switch ephemeral {
    case .some(let key): return try Self.agree(key, remote)
    case .none: throw NoiseError(.outOfTurn)
    }
  }

  private static func agree(
    _ key: borrowing X25519.PrivateKey, _ remote: X25519.PublicKey
  ) throws(NoiseError) -> SecretBytes {
    do { return try X25519.agree(key, remote) } catch { throw NoiseError(.failed) }
  }

  private static func key(_ bytes: Span<UInt8>) throws(NoiseError) -> X25519.PublicKey {
    do { return try X25519.PublicKey(bytes) } catch { throw NoiseError(.failed) }
  }
}
