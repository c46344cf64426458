internal import Primitives
internal import Wire

/// INIT: what starts a session, together with one of its first envelopes.
///
/// `INIT0 = 01‖suite u16‖idA‖idB‖EC(EK_A)‖SPK id u32‖PQSPK id u32‖pair id u32‖ct 1568‖lp(A's bundle for B)`;
/// `INIT = INIT0‖lp(envelope)`.
public struct Initiation: Hashable, Sendable {
  private static let version: UInt8 = 1
  /// The one suite: X25519, SHA-256, ML-KEM-1024, ML-KEM-768, ChaCha20-Poly1305, Ed25519, ML-DSA-65.
  private static let suite: UInt16 = 1
  /// Bytes of INIT0.
  static let headBytes = 3 + 32 + 32 + TypedKey.ecBytes + 12 + MLKEM1024.ciphertextBytes + 4 + Bundle.bareBytes

  /// The part that is the same every time it is repeated.
  struct Head: Hashable, Sendable {
    let initiator: NodeID
    let responder: NodeID
    /// EK_A
    let ephemeral: X25519.PublicKey
    let spkID: UInt32
    let pqspkID: UInt32
    /// Zero: no one-time pair was used.
    let pairID: UInt32
    let ciphertext: [UInt8]
    /// A's signed prekeys for B, without one-time pairs.
    let bundle: [UInt8]
    /// INIT0
    let bytes: [UInt8]

    /// INIT0 of these parts.
    init(
      initiator: NodeID, responder: NodeID, ephemeral: X25519.PublicKey, spkID: UInt32, pqspkID: UInt32, pairID: UInt32,
      ciphertext: [UInt8], bundle: [UInt8]
    ) {
      (self.initiator, self.responder, self.ephemeral) = (initiator, responder, ephemeral)
      (self.spkID, self.pqspkID, self.pairID) = (spkID, pqspkID, pairID)
      (self.ciphertext, self.bundle) = (ciphertext, bundle)
      var writer = ByteWriter(capacity: headBytes)
      writer.u8(version)
      writer.u16(suite)
      writer.append(initiator.bytes)
      writer.append(responder.bytes)
      writer.append(TypedKey.encode(ephemeral))
      writer.u32(spkID)
      writer.u32(pqspkID)
      writer.u32(pairID)
      writer.append(ciphertext)
      writer.lengthPrefixed(bundle)
      bytes = writer.bytes
    }

    /// Reads INIT0 off the front of a message. An unknown version or suite is `WireError.invalid`, and so are two ids for
    /// the signed prekeys, which have one.
    @_lifetime(reader: copy reader)
    init(from reader: inout ByteReader) throws(WireError) {
      guard try reader.u8() == version, try reader.u16() == suite else { throw .invalid }
      let (initiator, responder) = (NodeID(try reader.bytes(32)), NodeID(try reader.bytes(32)))
      let ephemeral = try TypedKey.readEC(from: &reader)
      let ids = (try reader.u32(), try reader.u32(), try reader.u32())
      let ciphertext = try reader.bytes(MLKEM1024.ciphertextBytes)
      let bundle = try reader.lengthPrefixed(atMost: Bundle.bareBytes)
      guard let initiator, let responder, ids.0 == ids.1, bundle.count == Bundle.bareBytes else { throw .invalid }
      self.init(
        initiator: initiator, responder: responder, ephemeral: ephemeral, spkID: ids.0, pqspkID: ids.1, pairID: ids.2,
        ciphertext: ciphertext, bundle: bundle)
    }

    /// What the replay table keeps: H(EK_A‖ct).
    var replayHash: Digest { SHA256Hash.hash(ephemeral.bytes + ciphertext) }
  }

  let head: Head
  /// One envelope of the initiator's first chain.
  public let envelope: [UInt8]

  init(head: Head, envelope: [UInt8]) {
    self.head = head
    self.envelope = envelope
  }

  /// Reads INIT.
  init(parsing bytes: Span<UInt8>) throws(WireError) {
    var reader = ByteReader(bytes)
    head = try Head(from: &reader)
    envelope = try reader.lengthPrefixed(atMost: Envelope.maximumBytes)
    try reader.finish()
  }

  /// INIT
  var encoded: [UInt8] {
    var writer = ByteWriter(capacity: head.bytes.count + envelope.count + 4)
    writer.append(head.bytes)
    writer.lengthPrefixed(envelope)
    return writer.bytes
  }
}
