import Primitives
import Testing

@testable import Noise

/// Known attacks: a point of low order at every agreement of a link and of a pairing. Whoever sends one reckons with zero itself, so that
/// the handshake would go through if it were taken.
@Suite struct LowOrderTests {
  /// Every u-coordinate of low order in every spelling of 32 bytes.
  private static let points: [[UInt8]] = {
    let zero = [UInt8](repeating: 0, count: 32)
    func field(_ low: UInt8) -> [UInt8] { [low] + [UInt8](repeating: 0xff, count: 30) + [0x7f] }
    let orderEight: [UInt8] = [
      0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
      0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ]
    let otherOrderEight: [UInt8] = [
      0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
      0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ]
    let points = [zero, [1] + zero.dropFirst(), orderEight, otherOrderEight, field(0xec), field(0xed), field(0xee)]
    return points + points.map { $0.dropLast() + [$0[31] | 0x80] }
  }()

  /// Where a hostile side may put a point: its ephemeral or its static key.
  enum Place: CaseIterable { case initiatorsEphemeral, respondersEphemeral, initiatorsStatic }

  @Test(arguments: HandshakeTests.patterns, Place.allCases)
  func lowOrderPointsInAHandshakeAreRefused(_ pattern: NoiseHandshake.Pattern, _ place: Place) throws {
    #expect(try Self.isFinished(pattern, place, point: nil), "the hostile side is a whole one")
    for point in Self.points {
      #expect(try !Self.isFinished(pattern, place, point: try X25519.PublicKey(point)), "\(point)")
    }
  }

  /// The static key of a responder, from a ticket or a record: nothing is said to it.
  @Test(arguments: HandshakeTests.patterns)
  func lowOrderPointsAsTheKeyOfAResponderAreRefused(_ pattern: NoiseHandshake.Pattern) throws {
    for point in Self.points {
      var pair = Pair(pattern, expecting: try X25519.PublicKey(point))
      #expect(refusal { () throws(NoiseError) in _ = try pair.write(0) } == .failed)
      #expect(refusal { () throws(NoiseError) in _ = try pair.write(0) } == .outOfTurn)
    }
  }

  /// Whether our side finishes a handshake with a hostile one that has put a point in that place.
  private static func isFinished(
    _ pattern: NoiseHandshake.Pattern, _ place: Place, point: X25519.PublicKey?
  ) throws -> Bool {
    let random = Randomness.seeded(5)
    let key = X25519.PrivateKey.generate(random)
    let hostileKey = X25519.PrivateKey.generate(random)
    var hostile = HostileSide(pattern, place, point, randomness: random)
    if place == .respondersEphemeral {
      hostile.symmetric.mixHash(hostileKey.publicKey.span)
      var ours = NoiseHandshake(
        pattern, role: .initiator(remoteStatic: hostileKey.publicKey), prologue: [], staticKey: key, psk: Pair.psk,
        randomness: random)
      let answer = try hostile.answer(to: try ours.writeMessage(payload: []), staticKey: hostileKey)
      guard takes(answer, &ours) else { return false }
      _ = try ours.writeMessage(payload: [])
      return ours.isFinished
    }
    hostile.symmetric.mixHash(key.publicKey.span)
    let publicKey = key.publicKey
    var ours = NoiseHandshake(pattern, role: .responder, prologue: [], staticKey: key, psk: Pair.psk, randomness: random)
    let first = try hostile.first(to: publicKey)
    guard takes(first, &ours) else { return false }
    let third = try hostile.third(after: try ours.writeMessage(payload: []), staticKey: hostileKey)
    return takes(third, &ours) && ours.isFinished
  }

  private static func takes(_ message: [UInt8], _ ours: inout NoiseHandshake) -> Bool {
    do {
      _ = try ours.readMessage(message)
      return true
    } catch {
      return false
    }
  }
}

/// A handshake written out, which sends the point in its place and takes the agreements with it for zero.
private struct HostileSide: ~Copyable {
  var symmetric: SymmetricState
  private let isPairing: Bool
  private let place: LowOrderTests.Place
  private let point: X25519.PublicKey?
  private let ephemeral: [UInt8]
  private let ephemeralKey: X25519.PublicKey

  init(
    _ pattern: NoiseHandshake.Pattern, _ place: LowOrderTests.Place, _ point: X25519.PublicKey?, randomness: Randomness
  ) {
    symmetric = SymmetricState(protocolName: pattern.protocolName)
    isPairing = pattern == .xkpsk3
    self.place = place
    self.point = point
    let key = X25519.PrivateKey.generate(randomness)
    ephemeral = key.secret.copyBytes()
    ephemeralKey = key.publicKey
    symmetric.mixHash([UInt8]().span)
  }

  /// -> e, es
  mutating func first(to responder: X25519.PublicKey) throws -> [UInt8] {
    let key = sent(ephemeralKey, .initiatorsEphemeral)
    mixEphemeral(key)
    try mix(ephemeral, responder, .initiatorsEphemeral)
    return key.bytes + (try seal([]))
  }

  /// <- e, ee
  mutating func answer(to message: [UInt8], staticKey: borrowing X25519.PrivateKey) throws -> [UInt8] {
    let theirs = try X25519.PublicKey(Array(message[..<32]))
    mixEphemeral(theirs)
    try mix(staticKey.secret.copyBytes(), theirs, nil)
    try open(Array(message[32...]))
    let key = sent(ephemeralKey, .respondersEphemeral)
    mixEphemeral(key)
    try mix(ephemeral, theirs, .respondersEphemeral)
    return key.bytes + (try seal([]))
  }

  /// -> s, se [, psk]
  mutating func third(after message: [UInt8], staticKey: borrowing X25519.PrivateKey) throws -> [UInt8] {
    let theirs = try X25519.PublicKey(Array(message[..<32]))
    mixEphemeral(theirs)
    try mix(ephemeral, theirs, .initiatorsEphemeral)
    try open(Array(message[32...]))
    let identity = try seal(sent(staticKey.publicKey, .initiatorsStatic).bytes)
    try mix(staticKey.secret.copyBytes(), theirs, .initiatorsStatic)
    if isPairing { symmetric.mixKeyAndHash(Pair.psk.bytes) }
    return identity + (try seal([]))
  }

  private func sent(_ key: X25519.PublicKey, _ at: LowOrderTests.Place) -> X25519.PublicKey {
    place == at ? point ?? key : key
  }

  private mutating func mixEphemeral(_ key: X25519.PublicKey) {
    symmetric.mixHash(key.span)
    if isPairing { symmetric.mixKey(key.span) }
  }

  /// Mixes an agreement, or zero where the point stands in for the key of that place.
  private mutating func mix(
    _ secret: [UInt8], _ other: X25519.PublicKey, _ at: LowOrderTests.Place?
  ) throws {
    let key = try X25519.PrivateKey(SecretBytes(copying: secret))
    let bytes = at == place && point != nil ? [UInt8](repeating: 0, count: 32) : try X25519.agree(key, other).copyBytes()
    symmetric.mixKey(bytes.span)
  }

  private mutating func seal(_ bytes: [UInt8]) throws -> [UInt8] { try symmetric.encryptAndHash(bytes.span) }
  private mutating func open(_ bytes: [UInt8]) throws { _ = try symmetric.decryptAndHash(bytes.span) }
}
