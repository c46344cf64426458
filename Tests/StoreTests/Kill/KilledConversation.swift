import Glibc
import Primitives
import Wire

@testable import Session
@testable import Store

/// Two nodes that talk, each over a database of its own, until the process kills itself: at one commit, before it or right after it, or at
/// the end. The next process goes on from the databases. What there is to say next follows from the log.
struct KilledConversation {
  private static let epoch: UInt64 = 1_800_000_000
  private static let hello = Array(#"{"name":"x","type":"hello"}"#.utf8)
  /// Who says text number n: turns, and several texts in a row.
  private static let speakers = [0, 1, 1, 0, 0, 1, 0, 1]
  /// Before this text the session is spoiled and has to be repaired.
  private static let repairAt = 4

  private struct End {
    let database: Database
    var machine: PeerMachine
    /// Changes whose loss costs a resend, until a commit comes along.
    var deferred: DeferredCommit
  }

  private let log: ConversationLog
  private let history: ConversationHistory
  private let orders: Orders
  private var ends: [End] = []
  private var wire: [[[UInt8]]] = [[], []]
  private var now: UInt64
  private var commits = 0
  private var sent: Int
  private var isLossy = true

  /// The two identities, the lower one first: always the same keys.
  static func identities() throws -> [Identity] {
    try [901, 902].map { try Identity.generate(SessionCrypto(randomness: .seeded($0))) }.sorted { $0.id < $1.id }
  }

  /// Two nodes that have just become peers.
  static func prepare(_ folder: String) async throws {
    let identities = try identities()
    for end in 0...1 {
      let database = try Database(path: "\(folder)/\(end).db", key: testKey)
      let peer = identities[1 - end].record
      _ = try await database.addPeer(
        NewPeer(id: peer.id, record: peer.bytes, name: "peer", addresses: ["10.0.0.1:7411"], added: epoch),
        alias: .wanted("peer"))
      await database.close()
    }
  }

  /// Talks until it dies.
  static func play(_ folder: String) async throws {
    var conversation = try KilledConversation(folder)
    try await conversation.open(folder)
    try await conversation.talk()
    try await conversation.flush()
    conversation.log.append("end")
    kill(getpid(), SIGKILL)
  }

  private init(_ folder: String) throws {
    log = try ConversationLog("\(folder)/log")
    log.append("process")
    history = try ConversationHistory("\(folder)/log")
    orders = try Orders(reading: "\(folder)/orders")
    now = Self.epoch + UInt64(history.processes) * 100
    sent = history.sentCount
  }

  private mutating func open(_ folder: String) async throws {
    let identities = try Self.identities()
    let crypto = self.crypto()
    for end in 0...1 {
      let database = try Database(path: "\(folder)/\(end).db", key: testKey)
      var ring = try PrekeyRing(stored: try await database.loadPrekeys(), key: testKey)
      let refreshed = ring.refresh(at: now, crypto: crypto)
      let peer = identities[1 - end].id
      guard let snapshot = try await database.loadPeer(peer) else { throw StoreError.unknownPeer(peer.hex) }
      let machine = try PeerMachine(
        identity: identities[end], snapshot: snapshot, prekeys: ring, hello: Self.hello, crypto: crypto, key: testKey)
      ends.append(End(database: database, machine: machine, deferred: DeferredCommit(peer: peer)))
      if !refreshed.isEmpty { try await commit(end, SessionCommit(peer: peer), prekeys: refreshed) }
    }
  }

  /// The system's randomness, unless ordered otherwise, and a seal that notes what it is given.
  private func crypto() -> SessionCrypto {
    let hasFixedSalts = orders.hasFixedSalts
    let log = log
    let library = SessionCrypto.system
    return SessionCrypto(
      randomness: hasFixedSalts
        ? Randomness { $0 == 16 ? [UInt8](repeating: 7, count: 16) : Randomness.system.bytes($0) } : .system,
      encapsulate768: library.encapsulate768, encapsulate1024: library.encapsulate1024, sign: library.sign,
      seal: { plaintext, key, nonce, ad in
        let used = key.copyBytes() + [UInt8](copying: nonce)
        log.append("seal \(Hex.encode(Array(SHA256Hash.hash(used).bytes.prefix(16))))")
        return library.seal(plaintext, key, nonce, ad)
      })
  }
}

// MARK: Steps, commits, frames

extension KilledConversation {
  /// One durable write, and what it stands for. The process may die of it.
  private mutating func commit(
    _ end: Int, _ changes: SessionCommit, prekeys: PrekeyCommit? = nil, meaning: [String] = []
  ) async throws {
    commits += 1
    if commits == orders.commit, orders.isBefore { die("before") }
    try await ends[end].database.apply([changes], prekeys: prekeys)
    log.append(["commit"] + meaning)
    if commits == orders.commit { die("after") }
  }

  private func die(_ moment: String) {
    log.append("death \(moment)")
    kill(getpid(), SIGKILL)
  }

  /// The order that a node keeps: decide on a copy, commit, and only then send.
  private mutating func step(
    _ end: Int, meaning: [String] = [], _ body: (inout PeerMachine, UInt64) throws -> Outcome
  ) async throws {
    var next = ends[end].machine
    let outcome = try body(&next, now)
    let news =
      outcome.delivered.compactMap { Self.text($0.payload) }.map { "delivered \(end) \($0)" }
      + outcome.events.map { event in "event \("\(event)".prefix { $0.isLetter })" }
    var deferred = ends[end].deferred
    if let changes = deferred.add(outcome.commit) {
      try await commit(end, changes, meaning: meaning + news)
    } else {
      log.append(news)
    }
    (ends[end].machine, ends[end].deferred) = (next, deferred)
    for frame in outcome.frames { post(frame, from: end) }
  }

  /// What was left for a later commit.
  private mutating func flush() async throws {
    for end in 0...1 {
      let nothing = SessionCommit(peer: ends[end].machine.peer.id)
      if let changes = ends[end].deferred.add(nothing, isDue: true) { try await commit(end, changes) }
    }
  }

  private mutating func post(_ frame: LinkFrame, from end: Int) {
    let envelope: [UInt8]
    switch frame {
    case .envelope(_, let bytes): envelope = bytes
    case .initiation(let initiation): envelope = initiation.envelope
    default: return wire[1 - end].append(frame.encoded)
    }
    let name = try? Envelope(parsing: envelope).id
    let entry = ends[end].machine.outbox.items.first { $0.entry.id == name }?.entry
    let place = entry.map { "\($0.session) \($0.sequence)" } ?? "none 0"
    log.append("sent \(end) \(place) \(Hex.encode(name?.bytes ?? [])) \(Hex.encode(Array(envelope[2..<18])))")
    sent += 1
    if isLossy, sent % 5 == 3 {
      log.append("lost")
    } else if isLossy, sent % 4 == 1, let last = wire[1 - end].lastIndex(where: { $0[0] == 1 }) {
      log.append("overtaken")
      wire[1 - end].insert(frame.encoded, at: last)
    } else {
      wire[1 - end].append(frame.encoded)
    }
  }

  private static func text(_ payload: [UInt8]) -> String? {
    guard case .string(let text)? = try? JSONValue.parse(payload.span)["text"] else { return nil }
    return text
  }

  private mutating func settle() async throws {
    while wire.contains(where: { !$0.isEmpty }) {
      for end in 0...1 where !wire[end].isEmpty {
        let bytes = wire[end].removeFirst()
        let frame = try LinkFrame(parsing: bytes.span)
        try await step(end) { try $0.receive(frame, at: $1) }
      }
    }
  }

  private mutating func connect() async throws {
    wire = [[], []]
    now += 100
    for end in 0...1 { ends[end].machine.linkDown() }
    for end in 0...1 { try await step(end) { try $0.linkUp(at: $1) } }
    try await settle()
    for end in 0...1 { try await step(end) { try $0.tick(at: $1) } }
    try await settle()
  }
}

// MARK: What is said

extension KilledConversation {
  private var isCalm: Bool {
    ends.allSatisfy { $0.machine.isConfirmed && $0.machine.unacknowledged == 0 && $0.machine.waitingCount == 0 }
      && ends[0].machine.currentSession == ends[1].machine.currentSession
  }

  /// Links come and go until everything has arrived; after a while the network loses nothing more.
  private mutating func calm() async throws {
    for attempt in 0..<12 where !isCalm {
      if attempt > 2 { isLossy = false }
      try await connect()
    }
    guard isCalm else { throw SessionError(.internalFailure) }
  }

  private mutating func talk() async throws {
    if ends.allSatisfy({ $0.machine.sessions.isEmpty }) { try await pair() }
    try await connect()
    var said = history.said.count
    var isRepaired = history.isRepaired
    while said < orders.texts {
      if said == Self.repairAt, !isRepaired {
        try await repair()
        isRepaired = true
      }
      let end = Self.speakers[said % Self.speakers.count]
      if !ends.allSatisfy(\.machine.isConfirmed) { try await calm() }
      let text = "t\(said)"
      let payload = JSONValue.object([.init("text", .string(text)), .init("type", .string("text"))]).serialized()
      try await step(end, meaning: ["said \(end) \(text)"]) { try $0.send(payload, at: $1) }
      said += 1
      try await settle()
    }
    isLossy = false
    try await calm()
  }

  /// What the two of a pairing do: the inviter's bundle, and the joiner's start.
  private mutating func pair() async throws {
    let offered: Bundle
    if let bytes = history.offered {
      offered = try Bundle(parsing: bytes.span)
    } else {
      var next = ends[1].machine
      let (bundle, changes) = try next.pairingBundle(at: now)
      try await commit(1, changes, meaning: ["offered \(Hex.encode(bundle.bytes))"])
      ends[1].machine = next
      offered = bundle
    }
    try await step(0) { try $0.start(with: offered, at: $1) }
  }

  /// Three envelopes that do not open: the session is replaced by a fresh one.
  private mutating func repair() async throws {
    isLossy = false
    try await calm()
    let spoiled = history.spoiled ?? ends[1].machine.currentSession.map(\.description)
    if history.spoiled == nil, let spoiled { log.append("spoiled \(spoiled)") }
    for _ in 0..<6 {
      guard let id = ends[1].machine.currentSession, id.description == spoiled else { break }
      now += 100
      for number in 0..<UInt8(3) {
        let garbage = [UInt8](repeating: number, count: 2_000)
        try await step(1) { try $0.receive(.envelope(id, garbage), at: $1) }
      }
      try await settle()
      try await calm()
    }
    guard ends[1].machine.currentSession.map(\.description) != spoiled else { throw SessionError(.internalFailure) }
    log.append("repaired")
    isLossy = true
  }
}
