import Primitives
import Testing
import Wire

@testable import Session

/// A conversation in one session, and an eavesdropper who has every frame of it in the clear (no link protects it) and, as a present, every
/// header key. What the eavesdropper reads with some loot, it reads by really opening envelopes.
struct Wiretap {
  let oracle = Oracle()
  private(set) var simulator: Simulator
  private let bundle: Bundle
  private var headerKeys: [SecretBox] = []
  private(set) var texts: [[String]] = [[], []]

  /// End 0 starts, with a bundle of so many one-time pairs, and both sides are confirmed.
  init(seed: UInt64, pairs: Int = 1) throws {
    let one = try Party(oracle.crypto(seed: seed * 2 + 1))
    let other = try Party(oracle.crypto(seed: seed * 2 + 2))
    simulator = one.id < other.id ? Simulator(one, other) : Simulator(other, one)
    if pairs == 0 {
      bundle = try simulator.ends[1].party.bundle(for: simulator.ends[0].party.id, pairs: 0).bundle
    } else {
      let (issued, commit) = try simulator.ends[1].machine.pairingBundle(at: simulator.now)
      simulator.ends[1].store.apply(commit)
      bundle = issued
    }
    let start = bundle
    try simulator.step(0) { try $0.start(with: start, at: $1) }
    listen()
    try simulator.connect(inviter: 1)
    try settle()
    simulator.expectHealthy()
  }

  /// Says something and lets everything arrive.
  mutating func say(_ text: String, from end: Int) throws {
    try simulator.send(text, from: end)
    texts[end].append(text)
    listen()
    try settle()
  }

  /// Says something that the network keeps back.
  mutating func sayLate(_ text: String, from end: Int) throws -> [UInt8] {
    try simulator.send(text, from: end)
    texts[end].append(text)
    listen()
    return simulator.wire[1 - end].removeLast()
  }

  /// Lets go of what was kept back.
  mutating func deliver(_ frame: [UInt8], to end: Int) throws {
    simulator.wire[end].append(frame)
    try settle()
  }

  /// Two messages each way, which turns the keys of both.
  mutating func round(_ name: String) throws {
    for end in 0...1 {
      for part in 0...1 { try say("\(name).\(end).\(part)", from: end) }
    }
  }

  /// Asks the other side to turn, as the server of much does.
  mutating func turn(from end: Int) throws {
    try simulator.step(end) { try $0.noteTraffic(bytes: PeerMachine.turnBytes, at: $1) }
    listen()
    try settle()
  }

  /// What a thief finds at these ends now.
  func steal(_ ends: [Int]) throws -> Loot {
    let generations = try simulator.ends.map { try $0.party.prekeys.current().id }
    var loot = Loot()
    for end in ends { loot.steal(simulator.ends[end].machine, generations: generations) }
    return loot
  }

  private mutating func settle() throws {
    while true {
      let first = try simulator.deliver(to: 0)
      listen()
      let second = try simulator.deliver(to: 1)
      listen()
      guard first || second else { return }
    }
  }

  private mutating func listen() {
    for session in simulator.ends.flatMap(\.machine.sessions) {
      guard case .chain(let chain) = session.ratchet.sending else { continue }
      if !headerKeys.contains(where: { $0 === chain.headerKey }) { headerKeys.append(chain.headerKey) }
    }
  }
}

// MARK: The eavesdropper

extension Wiretap {
  /// One chain as it went over the wire.
  private struct Chain {
    let header: RatchetHeader
    let sender: Int
    var messages: [(number: UInt32, envelope: Envelope)]
  }

  /// INIT0.
  private func head() throws -> Initiation.Head {
    let frame = try #require(simulator.tape.first { $0.bytes[0] == 2 })
    guard case .initiation(let initiation) = try LinkFrame(reading: frame.bytes) else { throw SessionError(.malformed) }
    return initiation.head
  }

  /// All chains in the order in which they began. Each answers the one before it.
  private func chains() throws -> [Chain] {
    var chains: [Chain] = []
    var known: Set<[UInt8]> = []
    for (sender, bytes) in simulator.tape {
      let envelope: [UInt8]
      switch try LinkFrame(reading: bytes) {
      case .envelope(_, let bytes): envelope = bytes
      case .initiation(let initiation): envelope = initiation.envelope
      default: continue
      }
      guard known.insert(envelope).inserted else { continue }
      let parsed = try Envelope(reading: envelope)
      if parsed.hasShortHeader {
        // It names no chain but by the key that it opens under, which is that of an earlier, full header.
        let key = try #require(headerKeys.first { parsed.shortHeader(under: $0) != nil }, "every header is known")
        let index = try #require(chains.firstIndex { $0.messages.contains { $0.envelope.header(under: key) != nil } })
        let header = try #require(parsed.shortHeader(under: key))
        chains[index].messages.append((header.number, parsed))
        continue
      }
      let header = try #require(headerKeys.lazy.compactMap { parsed.header(under: $0) }.first, "every header is known")
      if let index = chains.firstIndex(where: { $0.header.chainFingerprint == header.chainFingerprint }) {
        chains[index].messages.append((header.number, parsed))
      } else {
        chains.append(Chain(header: header, sender: sender, messages: [(header.number, parsed)]))
      }
    }
    for (index, chain) in chains.enumerated() { #expect(chain.sender == index % 2, "chains alternate") }
    return chains
  }

  /// Every text that opens with this loot: all ways to every root, chain and message key are tried.
  func read(with loot: Loot) throws -> Set<String> {
    let head = try head()
    let chains = try chains()
    let ad = try #require(simulator.ends[0].machine.sessions.first).associatedData
    var found: Set<String> = []
    var roots = try self.roots(head, loot)
    for (index, chain) in chains.enumerated() {
      let before = index == 0 ? bundle.spk : chains[index - 1].header.keys.dh
      let target = index == 0 ? nil : chains[index - 1].header.keys.kem
      var keys = loot.chains
      var next: [RootKeys] = []
      if let dh = try loot.agreed(chain.header.keys.dh, before),
        let shared = try secret(chain.header.encapsulation, for: target, head, loot)
      {
        for root in roots + loot.roots {
          let step = root.advanced(dh: SecretBytes(copying: dh), shared: shared)
          keys.append((step.chain, 0))
          next.append(step.roots)
        }
      }
      roots = next
      for (number, envelope) in chain.messages {
        for key in keys.compactMap({ Self.messageKey(number, of: $0) }) + loot.messageKeys {
          guard let letter = try? envelope.letter(under: key, associatedData: ad) else { continue }
          if let label = Self.label(letter, chain.sender) { found.insert(label) }
        }
      }
    }
    return found
  }

  /// The first roots, if all that went into them is known.
  private func roots(_ head: Initiation.Head, _ loot: Loot) throws -> [RootKeys] {
    let starter = simulator.ends[0].party.record.agreeKey
    let responder = simulator.ends[1].party.record.agreeKey
    let pair = bundle.pairs.first
    let kem = pair?.kem ?? bundle.pqspk
    var needed = [(starter, bundle.spk), (head.ephemeral, responder), (head.ephemeral, bundle.spk)]
    if let pair { needed.append((head.ephemeral, pair.ec)) }
    let dh = try needed.compactMap { try loot.agreed($0, $1) }
    guard dh.count == needed.count, let shared = try loot.opened1024(head.ciphertext, for: kem) else { return [] }
    return [
      try Formula.secrets(
        Formula.Agreements(dh: dh, shared: shared.bytes.copyBytes()), head,
        transcript: Formula.transcript(head, spk: bundle.spk, opk: pair?.ec, kem: kem)
      ).roots
    ]
  }

  /// ss of a chain, if it is known.
  private func secret(
    _ encapsulation: RatchetHeader.Encapsulation, for key: MLKEM768.PublicKey?, _ head: Initiation.Head, _ loot: Loot
  ) throws -> KEMSecret? {
    switch (encapsulation, key) {
    case (.none, _): return KEMSecret.none
    case (.answer(let ciphertext), let key?): return try loot.opened768(ciphertext, for: key).map { .one($0) }
    case (.confirm(let first, let second), let key?):
      let prekey = try Bundle(reading: head.bundle).pqspk
      guard let one = try loot.opened768(first, for: key), let other = try loot.opened1024(second, for: prekey) else {
        return nil
      }
      return .two(one, other)
    default: return nil
    }
  }

  private static func messageKey(_ number: UInt32, of chain: (keys: ChainKeys, number: UInt32)) -> SecretBox? {
    guard number >= chain.number else { return nil }
    var keys = chain.keys
    for _ in chain.number..<number { keys = keys.stepped().next }
    return keys.stepped().messageKey
  }

  /// The text of a message. Of the session's own messages `hello`, with its sender; the rest come and go by themselves.
  private static func label(_ letter: Letter, _ sender: Int) -> String? {
    guard let value = try? JSONValue.parse(letter.payload.span) else { return nil }
    if case .string(let text)? = value["text"] { return text }
    return value["type"] == .string("hello") ? "hello.\(sender)" : nil
  }
}
