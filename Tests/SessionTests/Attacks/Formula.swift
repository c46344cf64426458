import Primitives
import Wire

@testable import Session

/// PQXDH as `docs/PROTOCOL.md` §7 writes it, for an attacker who has come by the agreements one by one.
enum Formula {
  /// The results of DH1, DH2, DH3 and DH4, as far as there are any, and SS.
  struct Agreements {
    var dh: [[UInt8]]
    var shared: [UInt8]
  }

  /// SK.
  static func sessionKey(_ agreements: Agreements) -> SecretBytes {
    var extractor = HKDF.Extractor(salt: [UInt8](repeating: 0, count: 32))
    extractor.update([UInt8](repeating: 0xFF, count: 32) + agreements.dh.joined() + agreements.shared)
    var material = HKDF.expand(
      prk: extractor.finalize(), info: Array("PawlSession1_CURVE25519_SHA-256_ML-KEM-1024".utf8), count: 32)
    return material.take(32)
  }

  /// TH of an INIT0 and the responder's keys that it was made with.
  static func transcript(
    _ head: Initiation.Head, spk: X25519.PublicKey, opk: X25519.PublicKey?, kem: MLKEM1024.PublicKey
  ) -> [UInt8] {
    var text = Array("pawl/1 init".utf8) + SHA256Hash.hash(head.bytes).bytes + [0x05] + spk.bytes
    if let opk { text += [0x05] + opk.bytes }
    return SHA256Hash.hash(text + [0x0A] + kem.bytes).bytes
  }

  /// RKe, RKp, HK_A, NHK_B, sid and AD.
  static func secrets(_ agreements: Agreements, _ head: Initiation.Head, transcript: [UInt8]) throws -> SessionSecrets {
    var material = HKDF.derive(
      salt: transcript, ikm: sessionKey(agreements), info: Array("pawl/1 session roots".utf8), count: 160)
    let ec = SecretBox(material.take(32))
    let pq = SecretBox(material.take(32))
    let initiatorHeader = SecretBox(material.take(32))
    let responderHeader = SecretBox(material.take(32))
    guard let id = SessionID(material.takeBytes(16)) else { throw SessionError(.internalFailure) }
    return SessionSecrets(
      roots: RootKeys(ec: ec, pq: pq), initiatorHeaderKey: initiatorHeader, responderNextHeaderKey: responderHeader, id: id,
      associatedData: Array("pawl/1 env".utf8) + head.initiator.bytes + head.responder.bytes + transcript + id.bytes)
  }
}

extension SecretBox {
  convenience init(_ bytes: [UInt8]) { self.init(SecretBytes(copying: bytes)) }
}

extension X25519.PrivateKey {
  /// The agreement with another key as plain bytes.
  borrowing func agreed(with key: X25519.PublicKey) throws -> [UInt8] { try X25519.agree(self, key).copyBytes() }
}

extension LinkFrame {
  init(reading bytes: [UInt8]) throws { try self.init(parsing: bytes.span) }
}

extension Envelope {
  init(reading bytes: [UInt8]) throws { try self.init(parsing: bytes.span) }
}

extension Bundle {
  init(reading bytes: [UInt8]) throws { try self.init(parsing: bytes.span) }
}
