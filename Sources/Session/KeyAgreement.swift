internal import Primitives
internal import Wire

/// What a key agreement gives to the ratchet.
struct SessionSecrets: Sendable {
  /// RKe and RKp
  let roots: RootKeys
  /// HK_A
  let initiatorHeaderKey: SecretBox
  /// NHK_B
  let responderNextHeaderKey: SecretBox
  /// sid
  let id: SessionID
  /// AD = `"pawl/1 env"‖idA‖idB‖TH‖sid`, under every envelope of the session.
  let associatedData: [UInt8]
}

/// PQXDH (revision 3 of the published document), with identity keys that only agree and never sign.
enum KeyAgreement {
  /// Starts a session against a verified bundle, with its first pair if it has any.
  ///
  /// - Returns: INIT0 and the secrets. EK_A is wiped.
  static func initiate(
    identity: Identity, peer: IdentityRecord, bundle: Bundle, own: Bundle, crypto: SessionCrypto
  ) throws(CryptoError) -> (head: Initiation.Head, secrets: SessionSecrets) {
    try initiate(identity: identity, peer: peer, bundle: bundle, pair: bundle.pairs.first, own: own, crypto: crypto)
  }

  /// The same with one pair of the bundle's, or none.
  static func initiate(
    identity: Identity, peer: IdentityRecord, bundle: Bundle, pair: Bundle.Pair?, own: Bundle, crypto: SessionCrypto
  ) throws(CryptoError) -> (head: Initiation.Head, secrets: SessionSecrets) {
    let ephemeral = X25519.PrivateKey.generate(crypto.randomness)
    let kem = pair?.kem ?? bundle.pqspk
    let encapsulation = crypto.encapsulate1024(kem)
    var extractor = startExtractor()
    extractor.update(try X25519.agree(identity.agreement.agree, bundle.spk))
    extractor.update(try X25519.agree(ephemeral, peer.agreeKey))
    extractor.update(try X25519.agree(ephemeral, bundle.spk))
    if let pair { extractor.update(try X25519.agree(ephemeral, pair.ec)) }
    extractor.update(encapsulation.sharedSecret)
    let head = Initiation.Head(
      initiator: identity.id, responder: peer.id, ephemeral: ephemeral.publicKey, spkID: bundle.spkID,
      pqspkID: bundle.pqspkID, pairID: pair?.id ?? 0, ciphertext: encapsulation.ciphertext, bundle: own.bytes)
    let transcript = transcriptHash(head, spk: bundle.spk, opk: pair?.ec, kem: kem)
    return (head, secrets(prk: extractor.finalize(), transcript: transcript, head: head))
  }

  /// The same at the responder. The keys that INIT0 names have been found; nothing in it is genuine yet.
  static func respond(
    identity: Identity, peer: IdentityRecord, head: Initiation.Head, prekeys: SignedPrekeys, pair: OneTimePair?
  ) throws(CryptoError) -> SessionSecrets {
    var extractor = startExtractor()
    extractor.update(try X25519.agree(prekeys.ec, peer.agreeKey))
    extractor.update(try X25519.agree(identity.agreement.agree, head.ephemeral))
    extractor.update(try X25519.agree(prekeys.ec, head.ephemeral))
    let kem: MLKEM1024.PublicKey
    if let pair {
      extractor.update(try X25519.agree(pair.ec, head.ephemeral))
      extractor.update(try pair.kem.decapsulate(head.ciphertext))
      kem = pair.kem.publicKey
    } else {
      extractor.update(try prekeys.kem.decapsulate(head.ciphertext))
      kem = prekeys.kem.publicKey
    }
    let transcript = transcriptHash(head, spk: prekeys.ec.publicKey, opk: pair?.ec.publicKey, kem: kem)
    return secrets(prk: extractor.finalize(), transcript: transcript, head: head)
  }

  /// HKDF's salt of 32 zeros and PQXDH's prefix F = FF^32.
  private static func startExtractor() -> HKDF.Extractor {
    var extractor = HKDF.Extractor(salt: [UInt8](repeating: 0, count: 32))
    extractor.update([UInt8](repeating: 0xFF, count: 32))
    return extractor
  }

  /// TH = `H("pawl/1 init"‖H(INIT0)‖EC(SPK_B)‖[EC(OPK_B)]‖KEM1024(key encapsulated to))`: binds the session to every key
  /// that made it, so that no ciphertext can be carried over to another key.
  private static func transcriptHash(
    _ head: Initiation.Head, spk: X25519.PublicKey, opk: X25519.PublicKey?, kem: MLKEM1024.PublicKey
  ) -> Digest {
    var writer = ByteWriter(capacity: 2_048)
    writer.text("pawl/1 init")
    writer.append(SHA256Hash.hash(head.bytes).bytes)
    writer.append(TypedKey.encode(spk))
    if let opk { writer.append(TypedKey.encode(opk)) }
    writer.append(TypedKey.encode(kem))
    return SHA256Hash.hash(writer.bytes)
  }

  /// `SK = Expand(prk, "PawlSession1_CURVE25519_SHA-256_ML-KEM-1024", 32)`, then
  /// `HKDF(TH, SK, "pawl/1 session roots", 160) = RKe‖RKp‖HK_A‖NHK_B‖X`, `sid = X[0:16]`.
  private static func secrets(prk: consuming SecretBytes, transcript: Digest, head: Initiation.Head) -> SessionSecrets {
    var sessionKey = HKDF.expand(prk: prk, info: Array("PawlSession1_CURVE25519_SHA-256_ML-KEM-1024".utf8), count: 32)
    var material = HKDF.derive(
      salt: transcript.bytes, ikm: sessionKey.take(32), info: Array("pawl/1 session roots".utf8), count: 160)
    let ec = SecretBox(material.take(32))
    let pq = SecretBox(material.take(32))
    let initiatorHeader = SecretBox(material.take(32))
    let responderHeader = SecretBox(material.take(32))
    let id = SessionID(material.takeBytes(SessionID.byteCount)) ?? .none
    return SessionSecrets(
      roots: RootKeys(ec: ec, pq: pq), initiatorHeaderKey: initiatorHeader, responderNextHeaderKey: responderHeader, id: id,
      associatedData: Array("pawl/1 env".utf8) + head.initiator.bytes + head.responder.bytes + transcript.bytes + id.bytes)
  }
}
