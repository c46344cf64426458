internal import Glibc
internal import Primitives
internal import Session
internal import Store

/// What the session layer does when every commit is on the disk before anything is acted upon, as in a node.
struct DurableRates {
  /// Envelopes that share a commit when they are ready together: a node's own bound.
  static let burst = 64

  private var one: DurableEnd
  private var other: DurableEnd
  private let now = Conversation.epoch

  /// Two nodes that have a session, with a database each, in folders beneath one that exists.
  init(beneath path: String) async throws {
    var conversation = try Conversation()
    try conversation.establish()
    one = try await DurableEnd(conversation.one, "\(path)/one", now: now)
    other = try await DurableEnd(conversation.other, "\(path)/other", now: now)
  }

  /// Closes both databases.
  func close() async {
    await one.database.close()
    await other.database.close()
  }

  /// Envelopes a second in one direction, `together` at a time: sealed and committed, opened and committed, acknowledged and committed.
  mutating func oneWay(_ seconds: Double, together: Int) async throws -> Double {
    let start = Rate.now(CLOCK_MONOTONIC)
    var count = 0
    while true {
      try await carry(together)
      count += together
      let spent = Rate.now(CLOCK_MONOTONIC) - start
      if spent >= seconds { return Double(count) / spent }
    }
  }

  private mutating func carry(_ count: Int) async throws {
    let now = now
    let sent = try await one.step(count) { machine, _ in try machine.send(MemoryRates.payload, at: now) }
    let received = try await other.step(sent.frames.count) { machine, index in
      try machine.receive(sent.frames[index], at: now)
    }
    _ = try await one.step(received.frames.count) { machine, index in
      try machine.receive(received.frames[index], at: now)
    }
    guard received.delivered.count == count, one.unacknowledged == 0 else { throw WrongTurn(what: "an envelope was lost") }
  }

  /// How often the same disk makes a page durable in a second: the bound on everything above.
  static func syncs(_ seconds: Double, in folder: String) throws -> Double {
    let path = "\(folder)/sync"
    let file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
    guard file >= 0 else { throw WrongTurn(what: "\(path) cannot be written") }
    defer {
      Glibc.close(file)
      unlink(path)
    }
    let page = Randomness.system.bytes(4_096)
    let start = Rate.now(CLOCK_MONOTONIC)
    var count = 0
    while true {
      guard page.withUnsafeBytes({ pwrite(file, $0.baseAddress, $0.count, off_t(count % 256) * 4_096) }) == page.count,
        fdatasync(file) == 0
      else { throw WrongTurn(what: "\(path) cannot be written") }
      count += 1
      let spent = Rate.now(CLOCK_MONOTONIC) - start
      if spent >= seconds { return Double(count) / spent }
    }
  }
}

/// One end with its database.
private struct DurableEnd {
  let database: Database
  private let folder: StateFolder
  private var machine: PeerMachine
  private var deferred: DeferredCommit

  var unacknowledged: Int { machine.unacknowledged }

  init(_ end: End, _ path: String, now: UInt64) async throws {
    machine = end.machine
    deferred = DeferredCommit(peer: machine.peer.id)
    folder = try StateFolder.open(Locations(home: path))
    database = try Database(folder: folder, keys: try folder.unlock())
    let peer = machine.peer
    _ = try await database.addPeer(
      NewPeer(id: peer.id, record: peer.bytes, name: "bench", addresses: [], added: now), alias: .given("bench"))
  }

  /// Steps of a copy, which is kept once their one commit is on the disk, or waits for the next one as it does in a node.
  mutating func step(_ count: Int, _ body: (inout PeerMachine, Int) throws -> Outcome) async throws -> Outcome {
    var next = machine
    var whole = Outcome(peer: next.peer.id)
    for index in 0..<count { whole.absorb(try body(&next, index)) }
    var waiting = deferred
    if let due = waiting.add(whole.commit) { try await database.apply([due]) }
    (machine, deferred) = (next, waiting)
    return whole
  }
}
