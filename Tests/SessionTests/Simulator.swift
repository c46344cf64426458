import Primitives
import Testing
import Wire

@testable import Session

/// Keeps what a machine commits, as the store does.
struct MemoryStore {
  private(set) var snapshot: PeerSnapshot

  init(peer: IdentityRecord) {
    snapshot = PeerSnapshot(peer: peer.bytes)
  }

  /// What a disk does to itself.
  mutating func damage(_ body: (inout PeerSnapshot) -> Void) { body(&snapshot) }

  mutating func apply(_ commit: SessionCommit) {
    for change in commit.changes { apply(change) }
  }

  private mutating func apply(_ change: SessionChange) {
    switch change {
    case .putSession(let id, let secret):
      snapshot.sessions.removeAll { $0.id == id }
      snapshot.sessions.append(StoredSession(id: id, bytes: secret.sealed(with: stateKey)))
    case .deleteSession(let id): snapshot.sessions.removeAll { $0.id == id }
    case .putOutbox(let entry): snapshot.outbox.append(entry)
    case .deleteOutbox(let id, let envelope): snapshot.outbox.removeAll { $0.session == id && $0.id == envelope }
    case .deleteOutboxes(let id): snapshot.outbox.removeAll { $0.session == id }
    case .putReceived(let id, let envelope, _): snapshot.received.append(StoredReceipt(session: id, envelope: envelope))
    case .trimReceived(let id, let keep):
      let kept = snapshot.received.filter { $0.session == id }.suffix(keep)
      snapshot.received.removeAll { $0.session == id }
      snapshot.received += kept
    case .putPair(let id, let secret):
      snapshot.pairs.removeAll { $0.id == id }
      snapshot.pairs.append(StoredBlob(id: id, bytes: secret.sealed(with: stateKey)))
    case .deletePair(let id): snapshot.pairs.removeAll { $0.id == id }
    case .putReplay(let entry): snapshot.replays.append(entry)
    case .deleteReplays(let now): snapshot.replays.removeAll { $0.expires <= now }
    case .putHeldBundle(let bytes): snapshot.held = bytes
    case .deleteHeldBundle: snapshot.held = nil
    case .putState(let bytes): snapshot.state = bytes
    }
  }
}

/// Two machines, their stores, and a link between them that delivers in order until it is cut.
struct Simulator {
  /// One end.
  struct End {
    var party: Party
    var machine: PeerMachine
    var store: MemoryStore
    /// What the machine has done and the store has not.
    var deferred: DeferredCommit
    var commits = 0
    var delivered: [Delivered] = []
    var events: [SessionEvent] = []
    /// Every envelope that ever left, by session and number: a number must never stand for two envelopes.
    var sent: [SessionID: [UInt64: EnvelopeID]] = [:]
    var frames = 0

    var texts: [String] {
      delivered.filter { $0.type == "text" }.map { delivered in
        guard let value = try? JSONValue.parse(delivered.payload.span), case .string(let text)? = value["text"] else {
          return ""
        }
        return text
      }
    }
  }

  /// Where a step may end.
  enum Crash { case never, beforeCommit, beforeSending }

  /// 0: the lower node; 1: the higher.
  var ends: [End]
  /// Frames on their way to each end.
  var wire: [[[UInt8]]] = [[], []]
  /// Every frame that ever left an end, as somebody writes it down who reads along.
  private(set) var tape: [(from: Int, bytes: [UInt8])] = []
  var now = epoch
  /// Set where a test puts an old state back: then a number is used again, under other keys.
  var isRolledBack = false
  private(set) var isUp = false
  /// The number of the link that is up.
  private(set) var link: UInt64 = 0
  /// What happens to the next steps.
  var plan: FaultPlan?

  init(seed: UInt64) throws {
    let (lower, higher) = try Party.pair(seed: seed)
    self.init(lower, higher)
  }

  init(_ lower: Party, _ higher: Party) {
    ends = [
      End(
        party: lower, machine: lower.machine(for: higher.record), store: MemoryStore(peer: higher.record),
        deferred: DeferredCommit(peer: higher.id)),
      End(
        party: higher, machine: higher.machine(for: lower.record), store: MemoryStore(peer: lower.record),
        deferred: DeferredCommit(peer: lower.id)),
    ]
  }

  /// Lets an end make a step, in the order the node keeps: step, commit, send.
  mutating func step(
    _ end: Int, crash: Crash = .never, _ body: (inout PeerMachine, UInt64) throws -> Outcome
  ) throws {
    let fault = plan?.next()
    let crash = fault?.crash ?? crash
    defer { if fault == .cut { cut() } }
    var next = ends[end].machine
    let outcome = try body(&next, now)
    if crash == .beforeCommit { return try restart(end) }
    if let due = ends[end].deferred.add(outcome.commit) {
      ends[end].store.apply(due)
      ends[end].commits += 1
    }
    ends[end].machine = next
    ends[end].events += outcome.events
    if crash == .beforeSending {
      // What the store has is delivered: the node would redo effects from its own committed intents.
      ends[end].delivered += outcome.delivered
      return try restart(end)
    }
    ends[end].delivered += outcome.delivered
    if isUp { for frame in outcome.frames { post(frame, from: end) } }
    if fault == .newestOfTwoDies { try loseNewestOfTwo() }
  }

  private mutating func post(_ frame: LinkFrame, from end: Int) {
    ends[end].frames += 1
    let envelope: (id: SessionID, bytes: [UInt8])? =
      switch frame {
      case .envelope(let id, let bytes): (id, bytes)
      default: nil
      }
    if let envelope, let name = try? Envelope(parsing: envelope.bytes).id {
      let known = ends[end].store.snapshot.outbox.first { $0.id == name }
      if let known {
        let before = ends[end].sent[envelope.id, default: [:]].updateValue(name, forKey: known.sequence)
        #expect(before == nil || before == name || isRolledBack, "a number stands for one envelope")
      }
    }
    wire[1 - end].append(frame.encoded)
    tape.append((end, frame.encoded))
  }

  /// What waits for the store has waited long enough.
  mutating func flush(_ end: Int) {
    if let due = ends[end].deferred.add(SessionCommit(peer: ends[end].machine.peer.id), isDue: true) {
      ends[end].store.apply(due)
    }
  }

  /// The process dies and comes back with what the store has.
  mutating func restart(_ end: Int) throws {
    cut()
    let party = ends[end].party
    // What waited for the store is lost.
    ends[end].deferred = DeferredCommit(peer: ends[end].machine.peer.id)
    ends[end].machine = try PeerMachine(
      identity: party.identity, snapshot: ends[end].store.snapshot, prekeys: party.prekeys, hello: ends[end].machine.hello,
      crypto: party.crypto, key: stateKey)
  }

  /// The link is lost with everything on it.
  mutating func cut() {
    isUp = false
    wire = [[], []]
    for end in 0...1 { ends[end].machine.linkDown() }
  }

  /// A new link.
  mutating func connect(inviter: Int? = nil) throws {
    cut()
    isUp = true
    link += 1
    let number = link
    for end in 0...1 where isUp {
      let isInviter = inviter == end
      try step(end) { try $0.linkUp(number, at: $1, peerStarts: isInviter) }
    }
  }

  /// There were two links; the newer one dies with everything on it, and the older one stays.
  mutating func loseNewestOfTwo() throws {
    wire = [[], []]
    for end in 0...1 where isUp { try step(end) { try $0.linkChanged(at: $1) } }
  }

  /// Delivers the next frame to an end. Returns false if there is none.
  @discardableResult
  mutating func deliver(to end: Int, crash: Crash = .never) throws -> Bool {
    guard isUp, !wire[end].isEmpty else { return false }
    let bytes = wire[end].removeFirst()
    let frame = try LinkFrame(parsing: bytes.span)
    let number = link
    try step(end, crash: crash) { try $0.receive(frame, on: number, at: $1) }
    return true
  }

  /// Delivers until nothing is under way.
  mutating func settle() throws {
    for _ in 0..<10_000 {
      let first = try deliver(to: 0)
      let second = try deliver(to: 1)
      guard first || second else { return }
    }
    Issue.record("the two never stop talking")
  }

  /// Time passes, with ticks at both ends.
  mutating func wait(_ seconds: UInt64) throws {
    now += seconds
    for end in 0...1 { flush(end) }
    for end in 0...1 { try step(end) { try $0.tick(at: $1) } }
    try settle()
  }

  /// As after a pairing: `joiner` has a bundle of the other's and starts.
  mutating func pair(joiner: Int) throws {
    let inviter = 1 - joiner
    let (bundle, commit) = try ends[inviter].machine.pairingBundle(at: now)
    ends[inviter].store.apply(commit)
    try step(joiner) { try $0.start(with: bundle, at: $1) }
    try connect(inviter: inviter)
    try settle()
  }

  mutating func send(_ text: String, from end: Int, crash: Crash = .never) throws {
    try step(end, crash: crash) { try $0.send(json("text", text), at: $1) }
  }

  /// The same session at both ends, confirmed, with nothing under way.
  func expectHealthy() {
    let sessions = ends.map { $0.machine.currentSession }
    #expect(sessions[0] != nil)
    #expect(sessions[0] == sessions[1])
    for end in ends {
      #expect(end.machine.health == .healthy)
      #expect(end.machine.unacknowledged == 0)
      #expect(end.machine.waitingCount == 0)
    }
  }
}
