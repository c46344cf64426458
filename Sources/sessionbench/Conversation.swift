internal import Primitives
internal import Session

/// Something did not go as a conversation goes: nothing that was measured would mean anything.
struct WrongTurn: Error {
  let what: String
}

/// One end of a conversation: a machine, treated as its documentation asks, short of the disk.
struct End {
  let identity: Identity
  private(set) var machine: PeerMachine
  /// What was delivered, in payloads.
  private(set) var delivered = 0

  init(identity: Identity, machine: PeerMachine) {
    self.identity = identity
    self.machine = machine
  }

  /// A step of a copy, which is kept once its commit is there.
  mutating func step(_ body: (inout PeerMachine) throws -> Outcome) throws -> Outcome {
    var next = machine
    let outcome = try body(&next)
    machine = next
    delivered += outcome.delivered.count
    return outcome
  }
}

/// Two nodes that talk to each other, in memory.
struct Conversation {
  /// Any time will do.
  static let epoch: UInt64 = 1_800_000_000

  /// The one that starts the session.
  var one: End
  var other: End
  /// Who answers gets the next second: nothing here depends on the clock.
  var now = epoch

  /// Two new nodes without a session, the starting one with the lower node id, as it is where nobody has paired just now.
  init(crypto: SessionCrypto = .system) throws {
    let identities = try [Identity.generate(crypto), Identity.generate(crypto)].sorted { $0.id < $1.id }
    func end(_ mine: Int) -> End {
      var ring = PrekeyRing()
      _ = ring.refresh(at: Self.epoch, crypto: crypto)
      return End(
        identity: identities[mine],
        machine: PeerMachine(
          identity: identities[mine], peer: identities[1 - mine].record, prekeys: ring,
          hello: Array(#"{"name":"bench","type":"hello"}"#.utf8), crypto: crypto))
    }
    one = end(0)
    other = end(1)
  }

  /// A signed bundle with a one-time pair, from the other side.
  mutating func bundle() throws -> Bundle {
    var bundle: Bundle?
    let now = now
    _ = try other.step { machine in
      bundle = try machine.pairingBundle(at: now).bundle
      return Outcome(peer: machine.peer.id)
    }
    guard let bundle else { throw WrongTurn(what: "no bundle") }
    return bundle
  }

  /// Links both ends and lets them talk until both sides are confirmed.
  mutating func establish() throws {
    let bundle = try bundle()
    let now = now
    var there = try one.step { machine in try machine.linkUp(at: now) }.frames
    var back = try other.step { machine in try machine.linkUp(at: now) }.frames
    there = try one.step { machine in try machine.start(with: bundle, at: now) }.frames
    back = []
    while !there.isEmpty || !back.isEmpty {
      let (toOther, toOne) = (there, back)
      (there, back) = ([], [])
      for frame in toOther { back += try other.step { machine in try machine.receive(frame, at: now) }.frames }
      for frame in toOne { there += try one.step { machine in try machine.receive(frame, at: now) }.frames }
    }
    guard one.machine.isConfirmed, other.machine.isConfirmed else { throw WrongTurn(what: "no session") }
  }

  /// Starts another session: INIT, opened with its envelope, which the other side answers at once.
  mutating func start(with bundle: Bundle) throws {
    let now = now
    let sent = try one.step { machine in try machine.start(with: bundle, at: now) }
    guard let frame = sent.frames.last ?? one.machine.undelivered.last else { throw WrongTurn(what: "no INIT") }
    let answer = try other.step { machine in try machine.receive(frame, at: now) }
    let isTaken = answer.events.contains { if case .started(_, byUs: false) = $0 { true } else { false } }
    guard isTaken else { throw WrongTurn(what: "the first envelope did not open") }
  }

  /// One envelope from the first to the other, and its acknowledgement.
  mutating func there(_ payload: [UInt8]) throws { try Self.carry(payload, from: &one, to: &other, at: now) }

  /// One envelope from the other to the first, and its acknowledgement.
  mutating func back(_ payload: [UInt8]) throws { try Self.carry(payload, from: &other, to: &one, at: now) }

  private static func carry(_ payload: [UInt8], from: inout End, to: inout End, at now: UInt64) throws {
    let before = to.delivered
    for frame in try from.step({ machine in try machine.send(payload, at: now) }).frames {
      for answer in try to.step({ machine in try machine.receive(frame, at: now) }).frames {
        _ = try from.step { machine in try machine.receive(answer, at: now) }
      }
    }
    guard to.delivered == before + 1, from.machine.unacknowledged == 0 else { throw WrongTurn(what: "an envelope was lost") }
  }
}
