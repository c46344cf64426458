import Noise
import Primitives

/// Two sides with keys from a seed, and what goes between them.
struct Pair: ~Copyable {
  var initiator: NoiseHandshake
  var responder: NoiseHandshake
  let initiatorStatic: X25519.PublicKey
  let responderStatic: X25519.PublicKey

  static let psk = SecretBox(SecretBytes(copying: [UInt8](repeating: 7, count: 32)))

  init(
    _ pattern: NoiseHandshake.Pattern = .xk, seed: UInt64 = 1, prologues: ([UInt8], [UInt8]) = ([], []),
    psks: (SecretBox?, SecretBox?) = (Pair.psk, Pair.psk), expecting: X25519.PublicKey? = nil
  ) {
    let random = Randomness.seeded(seed)
    let ours = X25519.PrivateKey.generate(random)
    let theirs = X25519.PrivateKey.generate(random)
    initiatorStatic = ours.publicKey
    responderStatic = theirs.publicKey
    initiator = NoiseHandshake(
      pattern, role: .initiator(remoteStatic: expecting ?? theirs.publicKey), prologue: prologues.0, staticKey: ours,
      psk: psks.0, randomness: random)
    responder = NoiseHandshake(
      pattern, role: .responder, prologue: prologues.1, staticKey: theirs, psk: psks.1, randomness: random)
  }

  /// Message `index` (0 to 2) from whoever writes it.
  mutating func write(_ index: Int, _ payload: [UInt8] = []) throws(NoiseError) -> [UInt8] {
    index == 1 ? try responder.writeMessage(payload: payload) : try initiator.writeMessage(payload: payload)
  }

  /// Message `index` at whoever reads it.
  mutating func read(_ index: Int, _ message: [UInt8]) throws(NoiseError) -> [UInt8] {
    index == 1 ? try initiator.readMessage(message) : try responder.readMessage(message)
  }

  /// The messages before `index`, delivered.
  mutating func run(upTo index: Int) throws(NoiseError) {
    for step in 0..<index { _ = try read(step, try write(step)) }
  }

  /// Delivers what is left and splits.
  consuming func finish() throws(NoiseError) -> Transports {
    if !initiator.isFinished { try run(upTo: 3) }
    return Transports(left: try initiator.split(), right: try responder.split())
  }

  struct Transports: ~Copyable {
    var left: NoiseTransport
    var right: NoiseTransport
  }
}

/// What splitting refuses.
func splitRefusal(_ handshake: consuming NoiseHandshake) -> NoiseError.Code? {
  do {
    _ = try handshake.split()
    return nil
  } catch {
    return error.code
  }
}

/// The code of what `body` throws; nothing where it does not throw.
func refusal(_ body: () throws(NoiseError) -> Void) -> NoiseError.Code? {
  do {
    try body()
    return nil
  } catch {
    return error.code
  }
}
