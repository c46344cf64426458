internal import Primitives

/// One session's ratchet: Double Ratchet with header encryption (§4 of the published document), with a KEM ratchet beside
/// it that turns at the same instant.
///
/// A value over immutable secrets: working on a copy costs a few references, and a secret is wiped when the last copy
/// that holds it goes. A receiving step that fails leaves nothing behind.
struct Ratchet: Sendable {
  /// RKe and RKp
  var roots: RootKeys
  /// What we do when we send next.
  var sending: Sending
  /// The newest chain of the other side.
  var receiving: Receiving
  /// NHKr: the header key of the chain the other side will begin next.
  var nextReceivingHeaderKey: SecretBox
  /// Older chains of the other side that miss messages.
  var skipped = SkippedKeys()

  /// Whose turn it is.
  enum Sending: Sendable {
    /// The other side has begun a chain since we last sent: our next message begins one too.
    case turn(DueTurn)
    /// We are in a chain.
    case chain(SendingChain)
  }

  /// What the other side has sent.
  enum Receiving: Sendable {
    /// Nothing yet: we started the session, and only the answer to our first chain is welcome.
    case answerAwaited
    /// Its newest chain.
    case chain(ReceivingChain)
  }

  /// What we need to begin a chain.
  struct DueTurn: Sendable {
    /// NHKs, which becomes HKs.
    let headerKey: SecretBox
    /// What we agree with and encapsulate to.
    let remote: RemoteRatchetKeys
    /// PN: messages in our chain before.
    let previousCount: UInt32
    /// At the responder's first chain: the signed prekey of the initiator's bundle.
    let confirmationKey: MLKEM1024.PublicKey?
  }

  /// A chain of ours.
  struct SendingChain: Sendable {
    /// What does not change.
    private let head: SendingChainHead
    /// CKs
    var chain: ChainKeys
    /// Ns
    var number: UInt32
    /// Whether the other side has said on this link that it has the chain: a header need not say again what is the same in all
    /// of them. Not stored.
    var isKnown = false

    init(
      headerKey: SecretBox, nextHeaderKey: SecretBox, keys: LocalRatchetKeys, kemBlock: [UInt8], previousCount: UInt32,
      confirmationPrekey: UInt32, chain: ChainKeys, number: UInt32
    ) {
      head = SendingChainHead(
        headerKey: headerKey, nextHeaderKey: nextHeaderKey, keys: keys, kemBlock: kemBlock, previousCount: previousCount,
        confirmationPrekey: confirmationPrekey)
      (self.chain, self.number) = (chain, number)
    }

    /// HKs
    var headerKey: SecretBox { head.headerKey }
    /// NHKs
    var nextHeaderKey: SecretBox { head.nextHeaderKey }
    /// DHs and the KEM key the other side answers to.
    var keys: LocalRatchetKeys { head.keys }
    /// KB, the same in every header of the chain.
    var kemBlock: [UInt8] { head.kemBlock }
    /// PN
    var previousCount: UInt32 { head.previousCount }
    /// Which of our signed prekeys the answer to this chain encapsulates to; zero unless it is the initiator's first.
    var confirmationPrekey: UInt32 { head.confirmationPrekey }
  }

  /// A chain of the other side.
  struct ReceivingChain: Sendable {
    /// HKr
    let headerKey: SecretBox
    /// What every header of the chain must match.
    let fingerprint: Digest
    /// CKr
    var chain: ChainKeys
    /// Nr
    var number: UInt32
    /// Messages before Nr that have not come.
    var skipped: [SkippedKey]
    /// One of its headers. Not stored: the next one brings it back.
    var known: KnownHeader? = nil
  }
}

extension Ratchet.SendingChain {
  /// The header of its next message.
  var nextHeader: [UInt8] {
    if isKnown { return ShortHeader(number: number).encoded }
    return RatchetHeader.encode(
      dh: keys.dh.publicKey, previousCount: previousCount, number: number, kemBlock: kemBlock)
  }
}

extension Ratchet {
  /// The initiator's ratchet (RatchetInitAliceHE): begins the first chain against SPK_B at once.
  ///
  /// - Parameter confirmationPrekey: the generation named by the bundle in our INIT.
  init(
    initiating secrets: SessionSecrets, spk: X25519.PublicKey, confirmationPrekey: UInt32, crypto: SessionCrypto
  ) throws(CryptoError) {
    let keys = LocalRatchetKeys(crypto.randomness)
    let step = secrets.roots.advanced(dh: try X25519.agree(keys.dh, spk), shared: .none)
    roots = step.roots
    sending = .chain(
      SendingChain(
        headerKey: secrets.initiatorHeaderKey, nextHeaderKey: step.nextHeaderKey, keys: keys,
        kemBlock: RatchetHeader.kemBlock(keys.kem.publicKey, .none), previousCount: 0,
        confirmationPrekey: confirmationPrekey, chain: step.chain, number: 0))
    receiving = .answerAwaited
    nextReceivingHeaderKey = secrets.responderNextHeaderKey
  }

  /// Seals the next message. Begins a new chain first if the other side has.
  mutating func seal(_ letter: Letter, associatedData: [UInt8], crypto: SessionCrypto) throws(CryptoError) -> [UInt8] {
    var current = try chainToSend(crypto)
    guard current.number < .max else { throw CryptoError(.badLength) }
    let (messageKey, next) = current.chain.stepped()
    let envelope = Envelope.seal(
      header: current.nextHeader, headerKey: current.headerKey, letter: letter, messageKey: messageKey,
      associatedData: associatedData, crypto: crypto)
    current.chain = next
    current.number += 1
    sending = .chain(current)
    return envelope
  }

  /// Whether the other side has answered since we began our newest chain: our keys have turned.
  var isTurnDue: Bool {
    if case .turn = sending { true } else { false }
  }

  private mutating func chainToSend(_ crypto: SessionCrypto) throws(CryptoError) -> SendingChain {
    switch sending {
    case .chain(let chain): return chain
    case .turn(let turn):
      let keys = LocalRatchetKeys(crypto.randomness)
      let dh = try X25519.agree(keys.dh, turn.remote.dh)
      let first = crypto.encapsulate768(turn.remote.kem)
      let step: RootKeys.Step
      let encapsulation: RatchetHeader.Encapsulation
      if let key = turn.confirmationKey {
        let second = crypto.encapsulate1024(key)
        encapsulation = .confirm(first.ciphertext, second.ciphertext)
        step = roots.advanced(
          dh: dh, shared: .two(SecretBox(first.sharedSecret.clone()), SecretBox(second.sharedSecret.clone())))
      } else {
        encapsulation = .answer(first.ciphertext)
        step = roots.advanced(dh: dh, shared: .one(SecretBox(first.sharedSecret.clone())))
      }
      roots = step.roots
      return SendingChain(
        headerKey: turn.headerKey, nextHeaderKey: step.nextHeaderKey, keys: keys,
        kemBlock: RatchetHeader.kemBlock(keys.kem.publicKey, encapsulation), previousCount: turn.previousCount,
        confirmationPrekey: 0, chain: step.chain, number: 0)
    }
  }
}
