import Primitives
import Testing
import Wire

@testable import Session

/// Batches of one-time pairs as they are handed over, held and refilled.
@Suite(.timeLimit(.minutes(5))) struct BatchTests {
  @Test(arguments: [0, 1])
  func aConfirmedSessionBringsEachSideABatchOfTheOther(_ joiner: Int) throws {
    var simulator = try Simulator(seed: 600)
    try simulator.pair(joiner: joiner)
    for end in 0...1 {
      let held = try #require(simulator.ends[end].machine.held)
      try held.bundle.verify(
        owner: simulator.ends[1 - end].party.record, addressee: simulator.ends[end].party.id, at: simulator.now)
      #expect(held.bundle.nonce == Bundle.pushedNonce)
      #expect(held.bundle.pairs.count == 16 && held.used.isEmpty)
      #expect(held.bundle.pairs.map(\.id) == simulator.ends[1 - end].machine.book.batch?.pairs)
      #expect(Set(simulator.ends[1 - end].store.snapshot.pairs.map(\.id)) == Set(held.bundle.pairs.map(\.id)))
    }
    simulator.expectHealthy()
    // Both are what they were after a restart, and nothing is handed over a second time.
    let before = simulator.ends.map { $0.machine.held?.bundle }
    try simulator.restart(0)
    try simulator.restart(1)
    #expect(simulator.ends.map { $0.machine.held?.bundle } == before)
    try simulator.connect()
    try simulator.wait(3_600)
    #expect(simulator.ends.map { $0.machine.held?.bundle } == before)
    simulator.expectHealthy()
  }

  @Test func aBatchBeforeTheConfirmationIsDropped() throws {
    // A hostile starter puts a batch into its first envelope.
    var simulator = try Simulator(seed: 601)
    let (a, b) = (simulator.ends[0].party, simulator.ends[1].party)
    simulator.ends[0].machine.hello = PrekeysMessage.payload(try a.bundle(for: b.id, pairs: 16).bundle)
    let (bundle, commit) = try simulator.ends[1].machine.pairingBundle(at: simulator.now)
    simulator.ends[1].store.apply(commit)
    try simulator.step(0) { try $0.start(with: bundle, at: $1) }
    try simulator.connect(inviter: 1)
    try simulator.deliver(to: 1)
    try simulator.deliver(to: 1)
    #expect(simulator.ends[1].machine.sessions.count == 1)
    #expect(simulator.ends[1].events.contains { if case .prematurePayload = $0 { true } else { false } })
    #expect(simulator.ends[1].machine.held == nil)
    #expect(simulator.ends[1].store.snapshot.held == nil)
    try simulator.settle()
    simulator.expectHealthy()
  }

  @Test func everyBatchThatIsNotAsItMustBeIsRefusedAndChangesNothing() throws {
    var simulator = try Simulator(seed: 602)
    try simulator.pair(joiner: 0)
    let (a, b) = (simulator.ends[0].party, simulator.ends[1].party)
    let stranger = try Party(seed: 82)
    simulator.now += 1_000
    let now = simulator.now
    let good = try b.bundle(for: a.id, pairs: 16, at: now).bundle
    func message(_ text: String) -> [UInt8] { Array(#"{"type":"prekeys","bundle":"\#(text)"}"#.utf8) }
    let encoded = Base64.encode(try b.bundle(for: a.id, pairs: 2, at: now).bundle.bytes)
    #expect(encoded.hasSuffix("=="))
    let one = try b.bundle(for: a.id, pairs: 1, at: now).bundle
    let seventeen = try forge(good, by: b) { body in
      body[Self.countOffset + 1] = 17
      body += Array(one.bytes[(Self.countOffset + 2)..<(Self.countOffset + 2 + Self.pairBytes)])
    }
    let twice = try forge(good, by: b) { body in
      let first = Self.countOffset + 2
      body.replaceSubrange(first + Self.pairBytes..<first + Self.pairBytes + 4, with: body[first..<first + 4])
    }
    let idZero = try forge(good, by: b) { body in
      body.replaceSubrange(Self.countOffset + 2..<Self.countOffset + 6, with: [0, 0, 0, 0])
    }
    let longLived = try forge(good, by: b) { body in body[Self.expiresOffset + 4] ^= 0x7F }
    var tampered = good.bytes
    tampered[2_000] ^= 1
    let cases: [([UInt8], SessionError.Code)] = [
      (message(Base64.encode(seventeen)), .malformed), (message(Base64.encode(twice)), .malformed),
      (message(Base64.encode(idZero)), .malformed), (message(Base64.encode(longLived)), .malformed),
      (PrekeysMessage.payload(try b.bundle(for: a.id, pairs: 0, at: now).bundle), .malformed),
      (
        PrekeysMessage.payload(try b.bundle(for: a.id, nonce: [UInt8](repeating: 1, count: 16), pairs: 2, at: now).bundle),
        .malformed
      ),
      (PrekeysMessage.payload(try b.bundle(for: stranger.id, pairs: 2, at: now).bundle), .wrongAddressee),
      (PrekeysMessage.payload(try stranger.bundle(for: a.id, pairs: 2, at: now).bundle), .wrongOwner),
      (PrekeysMessage.payload(try b.bundle(for: a.id, pairs: 2, at: now + 3_601 + 60 * 20).bundle), .notYetValid),
      (PrekeysMessage.payload(try b.bundle(for: a.id, pairs: 2, at: now - 100_000).bundle), .outdated),
      (message(Base64.encode(tampered)), .badSignature),
      (message(String(encoded.dropLast(4))), .malformed), (message(encoded + "AAAA"), .malformed),
      (message(encoded.replacing("=", with: "")), .malformed), (message(" " + encoded), .malformed),
      (message(encoded.replacing("+", with: "-").replacing("/", with: "_")), .malformed), (message(""), .malformed),
      (Array(#"{"type":"prekeys"}"#.utf8), .malformed), (Array(#"{"type":"prekeys","bundle":7}"#.utf8), .malformed),
      (Array(#"{"type":"prekeys","bundle":null}"#.utf8), .malformed),
    ]
    let before = simulator.ends[0].store.snapshot.held
    for (payload, code) in cases {
      simulator.now += 60
      try simulator.step(1) { try $0.send(payload, at: $1) }
      try simulator.settle()
      #expect(simulator.ends[0].events.last == .refusedBatch(code))
      let isAsBefore = simulator.ends[0].store.snapshot.held == before
      #expect(isAsBefore)
    }
    // One that has expired on every clock, where nothing is held.
    simulator.ends[0].store.damage { $0.held = nil }
    try simulator.restart(0)
    try simulator.connect()
    try simulator.settle()
    let expired = PrekeysMessage.payload(try b.bundle(for: a.id, pairs: 2, at: simulator.now - 30 * day - 3_600).bundle)
    try simulator.step(1) { try $0.send(expired, at: $1) }
    try simulator.settle()
    #expect(simulator.ends[0].events.last == .refusedBatch(.expired))
    #expect(simulator.ends[0].store.snapshot.held == nil)
    // The session lives, and a good one is taken.
    try simulator.send("still here", from: 1)
    try simulator.step(1) { try $0.send(PrekeysMessage.payload(good), at: $1) }
    try simulator.settle()
    #expect(simulator.ends[0].texts == ["still here"])
    #expect(simulator.ends[0].machine.held?.bundle == good)
    simulator.expectHealthy()
  }

  @Test func anOlderBatchNeverReplacesANewerOne() throws {
    var simulator = try Simulator(seed: 603)
    try simulator.pair(joiner: 0)
    let (a, b) = (simulator.ends[0].party, simulator.ends[1].party)
    let first = try b.bundle(for: a.id, pairs: 3, at: simulator.now + 5).bundle
    let same = try b.bundle(for: a.id, pairs: 4, at: simulator.now + 5).bundle
    let second = try b.bundle(for: a.id, pairs: 5, at: simulator.now + 6).bundle
    var held: [Int] = []
    for bundle in [first, same, second, first] {
      try simulator.step(1) { try $0.send(PrekeysMessage.payload(bundle), at: $1) }
      try simulator.settle()
      held.append(simulator.ends[0].machine.held?.bundle.pairs.count ?? 0)
    }
    #expect(held == [3, 3, 5, 5])
    #expect(simulator.ends[0].events.count { $0 == .refusedBatch(.outdated) } == 2)
  }

  @Test func batchesAreLookedAtOnceAMinuteAndNoMore() throws {
    var simulator = try Simulator(seed: 604)
    try simulator.pair(joiner: 0)
    for _ in 0..<200 {
      try simulator.step(1) { try $0.send(Array(#"{"type":"prekeys"}"#.utf8), at: $1) }
      try simulator.settle()
    }
    #expect(simulator.ends[0].events.count { $0 == .refusedBatch(.malformed) } == 7)
    #expect(simulator.ends[0].events.count { $0 == .refusedBatch(.refused) } == 193)
    simulator.expectHealthy()
  }

  @Test func aBatchIsRefilledWhenHalfOfItIsUsed() throws {
    var simulator = try Simulator(seed: 605)
    try simulator.pair(joiner: 0)
    let first = try #require(simulator.ends[0].machine.held?.bundle)
    simulator.ends[1].use(pairs: 7)
    try simulator.wait(10)
    #expect(simulator.ends[0].machine.held?.bundle == first)
    simulator.ends[1].use(pairs: 1)
    try simulator.wait(10)
    let second = try #require(simulator.ends[0].machine.held?.bundle)
    // What is left is listed again, first, and fresh ones make up sixteen.
    #expect(second.issued > first.issued)
    #expect(second.pairs.count == 16)
    #expect(second.pairs.prefix(8).map(\.id) == first.pairs.suffix(8).map(\.id))
    #expect(Set(second.pairs.map(\.id)).intersection(first.pairs.prefix(8).map(\.id)).isEmpty)
    #expect(simulator.ends[1].store.snapshot.pairs.count == 16)
    simulator.expectHealthy()
  }

  @Test func aPairThatWasUsedIsNotUsedAgainWhereItIsListedAgain() throws {
    var simulator = try Simulator(seed: 606)
    try simulator.pair(joiner: 0)
    let first = try #require(simulator.ends[0].machine.held)
    let pair = try #require(first.nextPair)
    var used = first
    used.use(pair)
    used.use(pair)
    let (a, b) = (simulator.ends[0].party, simulator.ends[1].party)
    let again = try Bundle.issue(
      by: b.identity, to: a.id, nonce: Bundle.pushedNonce, prekeys: try b.prekeys.current(),
      pairs: simulator.ends[1].machine.pairs, at: simulator.now + 9, crypto: b.crypto)
    let second = HeldBundle(again, replacing: used)
    #expect(second.used == [pair.id])
    #expect(second.nextPair?.id == again.pairs.first { $0.id != pair.id }?.id)
    let read = try HeldBundle(stored: second.stored)
    #expect(read.used == second.used && read.bundle == again)
    let fresh = try b.bundle(for: a.id, pairs: 2, at: simulator.now + 10).bundle
    #expect(HeldBundle(fresh, replacing: second).used.isEmpty)
    for cut in stride(from: 0, to: second.stored.count, by: 97) {
      #expect(throws: SessionError(.corruptState)) { try HeldBundle(stored: Array(second.stored[..<cut])) }
    }
  }

  @Test func aWholeNewBatchComesWithNewSignedPrekeysAndAfterSevenDays() throws {
    var simulator = try Simulator(seed: 607)
    try simulator.pair(joiner: 0)
    let first = try #require(simulator.ends[0].machine.held?.bundle)
    simulator.now += 7 * day
    let commit = simulator.ends[1].party.prekeys.refresh(at: simulator.now, crypto: simulator.ends[1].party.crypto)
    #expect(commit.put.count == 1)
    simulator.ends[1].machine.prekeys = simulator.ends[1].party.prekeys
    try simulator.wait(0)
    let second = try #require(simulator.ends[0].machine.held?.bundle)
    #expect(second.spkID == commit.put.keys.first)
    #expect(Set(second.pairs.map(\.id)).isDisjoint(with: first.pairs.map(\.id)))
    // The old ones still work: a start with them may be under way.
    #expect(simulator.ends[1].store.snapshot.pairs.count == 32)
    // Without new signed prekeys, too: a week is enough.
    let third = try #require(simulator.ends[1].machine.held?.bundle)
    try simulator.wait(7 * day)
    let fourth = try #require(simulator.ends[1].machine.held?.bundle)
    #expect(fourth.issued > third.issued)
    simulator.expectHealthy()
  }

  @Test func aBatchThatNobodyAcknowledgedIsSentAgainAndANewSessionBringsANewOne() throws {
    var simulator = try Simulator(seed: 608)
    try simulator.pair(joiner: 0)
    simulator.ends[1].use(pairs: 8)
    try simulator.step(1) { try $0.tick(at: $1) }
    let batch = try #require(simulator.ends[1].machine.book.batch)
    simulator.cut()
    // After a restart it is still under way, byte for byte, and no second one is made beside it.
    try simulator.restart(1)
    #expect(simulator.ends[1].machine.outbox.contains(batch.envelope, of: batch.session))
    simulator.now += 3_600
    try simulator.step(1) { try $0.tick(at: $1) }
    #expect(simulator.ends[1].machine.book.batch == batch)
    // The peer loses its state, the session goes, and the batch with it.
    simulator.ends[0].store = MemoryStore(peer: simulator.ends[1].party.record)
    try simulator.restart(0)
    try simulator.connect()
    try simulator.settle()
    try simulator.wait(61)
    try simulator.wait(61)
    simulator.expectHealthy()
    let next = try #require(simulator.ends[1].machine.book.batch)
    #expect(next.session == simulator.ends[1].machine.currentSession)
    #expect(next.issued > batch.issued)
    #expect(simulator.ends[0].machine.held?.bundle.pairs.map(\.id) == next.pairs)
  }

  /// A paired peer that does whatever makes us mint: new sessions on our pairs as fast as they are taken, and requests.
  @Test func tenThousandStartsAndRequestsMintAndKeepABoundedNumber() throws {
    var simulator = try Simulator(seed: 609)
    try simulator.pair(joiner: 0)
    var store = simulator.ends[1].store
    var machine = simulator.ends[1].machine
    let begin = simulator.now
    var minted = Set(store.snapshot.pairs.map(\.id))
    var signatures = 0
    for number in 0..<10_000 {
      let now = begin + UInt64(number / 10)
      // As if a session had been started with a pair of the batch and confirmed.
      if let pair = machine.pairs.first(where: \.isBatched), number % 3 == 0 { machine.pairs.removeAll { $0.id == pair.id } }
      let outcomes = [
        try machine.tick(at: now),
        try machine.receive(.bundleRequest([UInt8](repeating: UInt8(number % 255) + 1, count: 16)), at: now),
      ]
      for outcome in outcomes {
        store.apply(outcome.commit)
        signatures += outcome.events.count { if case .batchHandedOver = $0 { true } else { false } }
        // Acknowledged at once, so that nothing holds the next one back.
        for entry in outcome.commit.changes.compactMap({ if case .putOutbox(let entry) = $0 { entry } else { nil } }) {
          store.apply(try machine.receive(.ack(entry.session, entry.id), at: now).commit)
        }
        for case .putPair(let id, _) in outcome.commit.changes { minted.insert(id) }
      }
      #expect(machine.pairs.count { $0.isBatched } <= OneTimePair.maximumBatched)
      #expect(machine.pairs.count { !$0.isBatched } <= OneTimePair.maximumUnused)
    }
    // A thousand seconds: four batches at once and one more every ten minutes, one of which the pairing took.
    #expect(signatures <= 5)
    #expect(minted.count <= 16 + 5 * 16 + OneTimePair.maximumUnused)
  }

  @Test func aWeekOfWholeBatchesStaysBelowTheLimitAndAboveItTheOldestGo() throws {
    let (a, b) = try Party.pair(seed: 610)
    var machine = b.machine(for: a.record)
    for number in 0..<OneTimePair.maximumBatched {
      machine.pairs.append(
        OneTimePair(id: UInt32(number + 1), at: epoch, isBatched: true, randomness: b.crypto.randomness))
    }
    var simulator = try Simulator(seed: 610)
    simulator.ends[1].machine.pairs = machine.pairs
    try simulator.pair(joiner: 0)
    let ids = simulator.ends[1].machine.pairs.filter(\.isBatched).map(\.id)
    #expect(ids.count == OneTimePair.maximumBatched)
    #expect(ids.prefix(112) == Array(17...128)[...])
  }

  @Test func storedPairsOfTheFirstVersionAreReadAsThoseOnRequest() throws {
    let party = try Party(seed: 83)
    let peer = party.id
    let pair = OneTimePair(id: 7, at: epoch, isBatched: true, randomness: party.crypto.randomness)
    let place = SecretPlace.pair(7, of: peer)
    let sealed = pair.stored(of: peer).sealed(with: stateKey)
    let same = try OneTimePair(StoredBlob(id: 7, bytes: sealed), of: peer, key: stateKey)
    #expect(same.isBatched)
    let opened = try place.open(sealed, with: stateKey)
    let bytes = [UInt8](copying: opened.span)
    func reread(_ bytes: [UInt8]) throws -> OneTimePair {
      let row = StoredSecret(place) { $0.append(bytes) }.sealed(with: stateKey)
      return try OneTimePair(StoredBlob(id: 7, bytes: row), of: peer, key: stateKey)
    }
    let read = try reread([1] + bytes.dropFirst(2))
    #expect(!read.isBatched && read.issued == epoch)
    #expect(read.publicPair == pair.publicPair)
    #expect(throws: SessionError(.corruptState)) { try reread([2, 2] + bytes.dropFirst(2)) }
    #expect(throws: SessionError(.corruptState)) { try reread([3] + bytes.dropFirst(1)) }
  }
}

extension BatchTests {
  /// Where n stands in a bundle.
  static let countOffset = 32 + 32 + 16 + 8 + 8 + 4 + 33 + 4 + 1_569
  /// Where the expiry stands.
  static let expiresOffset = 32 + 32 + 16 + 8
  /// A pair in a bundle.
  static let pairBytes = 4 + 33 + 1_569

  /// A bundle that was changed by its owner, and signed by it.
  func forge(_ bundle: Bundle, by party: Party, _ change: (inout [UInt8]) -> Void) throws -> [UInt8] {
    var body = Array(bundle.bytes.dropLast(SignatureKind.signatureBytes))
    change(&body)
    return body + (try party.identity.sign(kind: .bundle, body: body, crypto: party.crypto))
  }
}

extension Simulator.End {
  /// As if sessions had been started with the first pairs of the newest batch.
  mutating func use(pairs count: Int) {
    let used = (machine.book.batch?.pairs ?? []).filter { id in machine.pairs.contains { $0.id == id } }.prefix(count)
    machine.pairs.removeAll { used.contains($0.id) }
    store.damage { snapshot in snapshot.pairs.removeAll { used.contains($0.id) } }
  }
}
