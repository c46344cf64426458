import Wire

@testable import Primitives
@testable import Session

extension RatchetScripts {
  /// What nobody honest sends. The other side's ratchet is made to seal it, so that nothing but the rule forbids it.
  static var bad: [Script] {
    [
      Script("the same envelope again", "Its key is gone.") { talk in
        let first = try talk.seal(.a)
        try talk.open(first)
        try talk.refuse(first)
      },
      Script("a skipped message again", "Its key is gone, too.") { talk in
        let sealed = try [talk.seal(.a), talk.seal(.a)]
        try talk.open(sealed[1])
        try talk.open(sealed[0])
        try talk.refuse(sealed[0])
      },
      Script("a message of an older chain again", "As above, after a turn.") { talk in
        try confirm(&talk)
        let sealed = try [talk.seal(.b), talk.seal(.b)]
        try talk.open(sealed[1])
        try talk.open(talk.seal(.a))
        try talk.open(talk.seal(.b))
        try talk.open(sealed[0])
        try talk.refuse(sealed[0])
      },
      Script("a thousand and one lost", "Too far skipped.") { talk in
        try talk.open(talk.seal(.a))
        try talk.lose(.a, 1_001)
        try talk.refuse(talk.seal(.a))
      },
      Script("a thousand and one lost in two chains", "601 at the old one's end, 400 at the new one's beginning.") { talk in
        try confirm(&talk)
        try talk.open(talk.seal(.b))
        try talk.lose(.b, 601)
        try talk.open(talk.seal(.a))
        try talk.seal(.b)
        try talk.lose(.b, 399)
        try talk.refuse(talk.seal(.b))
      },
      Script("an INIT too far on", "B's first would be A's 1,002nd.") { talk in
        try talk.seal(.a)
        try talk.lose(.a, 1_000)
        try talk.refuse(talk.seal(.a))
      },
      Script("a skipped message too late", "Its key is seven days and a second old.") { talk in
        let sealed = try [talk.seal(.a), talk.seal(.a)]
        try talk.open(sealed[1])
        talk.now += 7 * 86_400 + 1
        try talk.refuse(sealed[0])
      },
      Script("a flipped bit", "In the last byte.") { talk in
        let first = try talk.seal(.a)
        try talk.refuse(by: .b, flipped(talk.envelopes[first], at: -1))
      },
      Script("an envelope of the other direction", "A gets its own.") { talk in
        try talk.open(talk.seal(.a))
        try talk.refuse(by: .a, talk.envelopes[0])
      },
      Script("a chain that begins with a short header", "Under NHKr there is none, though the next message opens.") { talk in
        try confirm(&talk)
        let first = try talk.seal(.b)
        let second = try talk.seal(.b, isKnown: true)
        try talk.refuse(second)
        try talk.open(first)
        try talk.open(second)
        try talk.open(talk.seal(.a))
        try talk.seal(.b)
        try talk.refuse(talk.seal(.b, isKnown: true))
      },
      Script("a short header in the first INIT", "B knows nothing yet.") { talk in
        try talk.seal(.a)
        try talk.refuse(talk.seal(.a, isKnown: true))
      },
      Script("a short header in a later INIT", "Its session is known, and so is its chain.") { talk in
        try talk.open(talk.seal(.a))
        try talk.refuse(talk.seal(.a, isKnown: true), byWayOf: "INIT")
      },
      Script("a short header by another way than a link", "Handed in by a carrier.") { talk in
        try confirm(&talk)
        try talk.open(talk.seal(.b))
        try talk.refuse(talk.seal(.b, isKnown: true), byWayOf: "carrier")
      },
      Script("a short header again", "Its key is gone.") { talk in
        try confirm(&talk)
        try talk.open(talk.seal(.b))
        let short = try talk.seal(.b, isKnown: true)
        try talk.open(short)
        try talk.refuse(short)
      },
      Script("a short header too far on", "1,001 messages after the last.") { talk in
        try confirm(&talk)
        try talk.open(talk.seal(.b))
        try talk.lose(.b, 1_001)
        try talk.refuse(talk.seal(.b, isKnown: true))
      },
      Script("another KB in a chain", "One bit of ek768.") { talk in
        try talk.open(talk.seal(.a))
        try talk.refuse(by: .b, forged(talk, .a) { $0[50] ^= 1 })
      },
      Script("another dh in a chain", "One bit.") { talk in
        try talk.open(talk.seal(.a))
        try talk.refuse(by: .b, forged(talk, .a) { $0[3] ^= 1 })
      },
      Script("another PN in a chain", "1 instead of 0.") { talk in
        try talk.open(talk.seal(.a))
        try talk.refuse(by: .b, forged(talk, .a) { $0[35] = 1 })
      },
      Script("the last number there is", "N = 2^32 − 1.") { talk in
        try talk.open(talk.seal(.a))
        try talk.refuse(by: .b, forged(talk, .a) { $0.replaceSubrange(36..<40, with: [255, 255, 255, 255]) })
      },
      Script("another KB in a chain that was left behind", "One bit of ek768.") { talk in
        try confirm(&talk)
        try talk.open(talk.seal(.b))
        let late = try forged(talk, .b) { $0[50] ^= 1 }
        try talk.seal(.b)
        try talk.open(talk.seal(.b))
        try talk.open(talk.seal(.a))
        try talk.open(talk.seal(.b))
        try talk.refuse(by: .a, late)
      },
      Script("PN too low", "Less than was received of the old chain.") { talk in
        try confirm(&talk)
        for _ in 0..<2 { try talk.open(talk.seal(.b)) }
        try talk.open(talk.seal(.a))
        try turn(&talk, .b) { $0.with(previousCount: $0.previousCount - 1) }
        try talk.refuse(by: .a, talk.forge(.b))
      },
      Script("a chain that answers nothing", "B begins a second one, though A has not sent since the first.") { talk in
        try talk.open(talk.seal(.a))
        try talk.open(talk.seal(.b))
        try again(&talk, .b)
        try talk.refuse(by: .a, talk.forge(.b))
      },
      Script("the starter's second chain without an answer", "A begins another, though B has not sent.") { talk in
        try talk.open(talk.seal(.a))
        talk.alice.sending = try chainAfter(talk.alice.sending, remote: bobFirst(talk))
        try talk.refuse(by: .b, talk.forge(.a))
      },
      Script("CONFIRM with PN 1", "B had no chain before.") { talk in
        try talk.open(talk.seal(.a))
        try turn(&talk, .b) { $0.with(previousCount: 1) }
        try talk.refuse(by: .a, talk.forge(.b))
      },
      Script("no CONFIRM", "B's first chain has flag 02.") { talk in
        try talk.open(talk.seal(.a))
        try turn(&talk, .b) { $0.with(confirmationKey: nil) }
        try talk.refuse(by: .a, talk.forge(.b))
      },
      Script("a second CONFIRM", "Flag 03 where 02 must stand.") { talk in
        let key = try talk.confirmationKey()
        try confirm(&talk)
        try turn(&talk, .b) { $0.with(confirmationKey: key) }
        try talk.refuse(by: .a, talk.forge(.b))
      },
      Script("CONFIRM from the starter", "A's second chain has flag 03.") { talk in
        let key = try talk.confirmationKey()
        try talk.open(talk.seal(.a))
        try talk.open(talk.seal(.b))
        try turn(&talk, .a) { $0.with(confirmationKey: key) }
        try talk.refuse(by: .b, talk.forge(.a))
      },
      Script("a first chain with PN 1", "A had no chain before.") { talk in
        try talk.refuse(by: .b, forged(talk, .a) { $0[35] = 1 })
      },
      Script("a first chain with flag 02", "A had nothing to answer.") { talk in
        try talk.refuse(
          by: .b,
          forged(talk, .a) { header in
            header[40] = 2
            header += [UInt8](repeating: 7, count: 1_088)
          })
      },
      Script("a dh of low order", "Zero, in A's first header.") { talk in
        try talk.refuse(
          by: .b, forged(talk, .a) { $0.replaceSubrange(0..<32, with: [UInt8](repeating: 0, count: 32)) })
      },
    ]
  }

  /// The next envelope of the side's running chain, its header changed and all the rest right for it.
  private static func forged(
    _ talk: Conversation, _ side: Conversation.Side, _ change: (inout [UInt8]) -> Void
  ) throws -> [UInt8] {
    guard case .chain(let chain)? = side == .a ? talk.alice.sending : talk.bob?.sending else {
      throw Mismatch(description: "no chain to forge in")
    }
    var header = RatchetHeader.encode(
      dh: chain.keys.dh.publicKey, previousCount: chain.previousCount, number: chain.number,
      kemBlock: chain.kemBlock)
    change(&header)
    let raw = RawEnvelope(
      salt: [UInt8](repeating: 0x5A, count: 16), header: header, headerKey: chain.headerKey.bytes.copyBytes(),
      messageKey: chain.chain.stepped().messageKey.bytes.copyBytes(), associatedData: talk.associatedData,
      plaintext: RawEnvelope.plaintext(sequence: 99, seen: 0, payload: Array("{}".utf8)))
    return raw.bytes()
  }

  /// Changes how the side's next chain will begin.
  private static func turn(
    _ talk: inout Conversation, _ side: Conversation.Side, _ change: (Ratchet.DueTurn) -> Ratchet.DueTurn
  ) throws {
    try talk.with(side) { ratchet in
      guard case .turn(let due) = ratchet.sending else { throw Mismatch(description: "no turn is due") }
      ratchet.sending = .turn(change(due))
    }
  }

  /// Lets a side begin one more chain against the same keys as the last.
  private static func again(_ talk: inout Conversation, _ side: Conversation.Side) throws {
    let remote = RemoteRatchetKeys(dh: try talk.firstKeys().dh.publicKey, kem: try talk.firstKeys().kem.publicKey)
    try talk.with(side) { $0.sending = try chainAfter($0.sending, remote: remote) }
  }

  private static func chainAfter(_ sending: Ratchet.Sending, remote: RemoteRatchetKeys) throws -> Ratchet.Sending {
    guard case .chain(let chain) = sending else { throw Mismatch(description: "no chain") }
    return .turn(
      Ratchet.DueTurn(
        headerKey: chain.nextHeaderKey, remote: remote, previousCount: chain.number, confirmationKey: nil))
  }

  /// What A would have to answer before B has sent: SPK_B, and any ML-KEM-768 key.
  private static func bobFirst(_ talk: Conversation) throws -> RemoteRatchetKeys {
    RemoteRatchetKeys(dh: try talk.responderPrekey(), kem: try talk.firstKeys().kem.publicKey)
  }
}

extension Ratchet.DueTurn {
  fileprivate func with(previousCount: UInt32) -> Self {
    Self(headerKey: headerKey, remote: remote, previousCount: previousCount, confirmationKey: confirmationKey)
  }

  fileprivate func with(confirmationKey: MLKEM1024.PublicKey?) -> Self {
    Self(headerKey: headerKey, remote: remote, previousCount: previousCount, confirmationKey: confirmationKey)
  }
}

extension Conversation {
  /// PQSPK of A's INIT.
  fileprivate func confirmationKey() throws -> MLKEM1024.PublicKey { try prekeys(.a).current().kem.publicKey }

  /// SPK_B
  fileprivate func responderPrekey() throws -> X25519.PublicKey { try prekeys(.b).current().ec.publicKey }

  /// A's keys of its newest chain.
  fileprivate func firstKeys() throws -> LocalRatchetKeys {
    guard case .chain(let chain) = try startingRatchet().sending else { throw Mismatch(description: "no chain") }
    return chain.keys
  }
}
