import Foundation
import Noise
import Primitives
import Testing
import Wire

/// The published handshakes come out byte for byte, in both roles.
@Suite struct VectorTests {
  struct Case: Decodable, CustomTestStringConvertible, Sendable {
    struct Message: Decodable, Sendable {
      let payload: String
      let ciphertext: String
    }

    let handshake: String
    let init_static: String
    let resp_static: String
    let gen_init_ephemeral: String
    let gen_resp_ephemeral: String
    let prologue: String?
    let preshared_key: String?
    let messages: [Message]

    var testDescription: String {
      "\(handshake), \(prologue == nil ? "no prologue" : "prologue"), \(messages[0].payload.isEmpty ? "empty" : "with") payloads"
    }
  }

  struct File: Decodable { let vectors: [Case] }

  static func cases() throws -> [Case] {
    let url = try #require(Bundle.module.url(forResource: "flynn-noise", withExtension: "json", subdirectory: "Vectors"))
    return try JSONDecoder().decode(File.self, from: Data(contentsOf: url)).vectors
  }

  @Test func theFileHoldsFourCasesOfEachHandshake() throws {
    let cases = try Self.cases()
    #expect(cases.filter { $0.handshake == "Noise_XK_25519_ChaChaPoly_SHA256" }.count == 4)
    #expect(cases.filter { $0.handshake == "Noise_XKpsk3_25519_ChaChaPoly_SHA256" }.count == 4)
  }

  @Test(arguments: try VectorTests.cases())
  func aPublishedHandshakeComesOutByteForByte(_ vector: Case) throws {
    let pattern: NoiseHandshake.Pattern = vector.preshared_key == nil ? .xk : .xkpsk3
    let prologue = try bytes(vector.prologue ?? "")
    let psk = try vector.preshared_key.map { SecretBox(SecretBytes(copying: try bytes($0))) }
    let initiatorKey = try X25519.PrivateKey(SecretBytes(copying: bytes(vector.init_static)))
    let responderKey = try X25519.PrivateKey(SecretBytes(copying: bytes(vector.resp_static)))
    let initiatorPublic = initiatorKey.publicKey
    let responderPublic = responderKey.publicKey
    let initiatorEphemeral = try bytes(vector.gen_init_ephemeral)
    let responderEphemeral = try bytes(vector.gen_resp_ephemeral)
    var initiator = NoiseHandshake(
      pattern, role: .initiator(remoteStatic: responderPublic), prologue: prologue, staticKey: initiatorKey, psk: psk,
      randomness: Randomness { _ in initiatorEphemeral })
    var responder = NoiseHandshake(
      pattern, role: .responder, prologue: prologue, staticKey: responderKey,
      randomness: Randomness { _ in responderEphemeral })
    if let psk { responder.setPSK(psk) }

    for (index, message) in vector.messages.prefix(3).enumerated() {
      let payload = try bytes(message.payload)
      let sent: [UInt8]
      let received: [UInt8]
      if index.isMultiple(of: 2) {
        sent = try initiator.writeMessage(payload: payload)
        received = try responder.readMessage(sent)
      } else {
        sent = try responder.writeMessage(payload: payload)
        received = try initiator.readMessage(sent)
      }
      #expect(Hex.encode(sent) == message.ciphertext)
      #expect(received == payload)
    }

    #expect(responder.remoteStatic == initiatorPublic)
    var left = try initiator.split()
    var right = try responder.split()
    #expect(left.handshakeHash == right.handshakeHash)
    // The first message after the handshake is the initiator's, then they alternate.
    for (index, message) in vector.messages.dropFirst(3).enumerated() {
      let payload = try bytes(message.payload)
      let sent: [UInt8]
      let received: [UInt8]
      if index.isMultiple(of: 2) {
        sent = try left.encrypt(payload)
        received = try right.decrypt(sent)
      } else {
        sent = try right.encrypt(payload)
        received = try left.decrypt(sent)
      }
      #expect(Hex.encode(sent) == message.ciphertext)
      #expect(received == payload)
    }
  }

  private func bytes(_ hex: String) throws -> [UInt8] { try #require(Hex.decode(hex)) }
}
