internal import EventLoop
internal import Session

/// What a peer's session has to do, and how its machine does it.
extension Peer {
  /// One item of work.
  enum Work {
    case linkUp(Link)
    case linkChanged
    /// With the link that it came on.
    case frame(LinkFrame, Link)
    case payload(Posted)
    case start(Bundle)
    case traffic(Int)
    case tick
    case prekeys(PrekeyRing)
    case hello([UInt8])
    case flush
  }

  /// Lets the machine take one step. nil: it only takes note.
  static func apply(_ item: Work, to machine: inout PeerMachine, at now: UInt64) throws -> Outcome? {
    switch item {
    case .linkUp(let link):
      return try machine.linkUp(link.number, at: now, began: link.opened, peerStarts: link.peerStarts)
    case .linkChanged: return try machine.linkChanged(at: now)
    case .frame(let frame, let link):
      return try machine.receive(frame, on: link.number, at: now, uptime: MonotonicClock.seconds)
    case .payload(let posted): return try machine.send(posted.payload, at: now)
    case .start(let bundle): return try machine.start(with: bundle, at: now)
    case .traffic(let bytes): return try machine.noteTraffic(bytes: bytes, at: now)
    case .tick: return try machine.tick(at: now)
    case .prekeys(let ring):
      machine.prekeys = ring
      return nil
    case .hello(let hello):
      machine.hello = hello
      return nil
    case .flush: return Outcome(peer: machine.peer.id)
    }
  }
}
