import Primitives

@testable import Session

/// All that a machine is made of, except what exists to count frames that are refused: the budget of INITs and the failures in a row.
struct Fingerprint: Equatable {
  private let sessions: [String]
  private let secrets: [[UInt8]]
  private let outbox: [OutboxEntry]
  private let waiting: [[UInt8]]
  private let receipts: String
  private let pairs: [String]
  private let replays: [Digest: ReplayEntry]
  /// Without when a RESET was sent, and what the user is told of it, which a test may allow to change.
  private let book: PeerBook
  private let start: [String]

  init(_ machine: PeerMachine) {
    sessions = machine.sessions.map { session in
      "\(session.id) \(session.created) \(session.ordinal) \(session.isOurs) \(session.standing) \(session.committed)"
        + " \(session.seen) \(session.turned) \(session.replaced) \(session.turnAsked != nil) \(session.trafficBytes)"
        + " \(session.isConfirmed) \(session.isStarting) \(session.isAnswering) \(session.isWithoutPair)"
    }
    secrets = machine.sessions.flatMap { [$0.associatedData, $0.ratchet.storedBytes] } + [machine.held?.stored ?? []]
    outbox = machine.outbox.items.map(\.entry)
    waiting = machine.waiting.payloads
    receipts = "\(machine.receipts)"
    pairs = machine.pairs.map { "\($0.id) \($0.issued)" }
    replays = machine.replays
    var book = machine.book
    book.resetSent = 0
    book.troubles = PeerTroubles()
    self.book = book
    start = [
      "\(machine.request.map { "\($0.nonce) \($0.since)" } ?? "")", "\(String(describing: machine.startDue))",
      "\(machine.isLinked) \(machine.health) \(machine.currentSession.map { "\($0)" } ?? "")",
    ]
  }
}
