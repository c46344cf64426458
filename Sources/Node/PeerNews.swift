internal import Logging
internal import Session
internal import Store

/// Something that went wrong between this node and a peer, for people and scripts. It is told of for seven days after it has
/// healed.
public struct TroubleReport: Hashable, Sendable {
  /// `rollback`, `peer_rollback`, `lost`, `reset`, `fallback`.
  public let kind: String
  /// Unix seconds.
  public let at: UInt64
  /// Unix seconds; nil: not yet.
  public let healedAt: UInt64?

  init(_ trouble: PeerTrouble) {
    kind =
      switch trouble.kind {
      case .rollback: "rollback"
      case .peerRollback: "peer_rollback"
      case .lost: "lost"
      case .reset: "reset"
      case .fallback: "fallback"
      }
    at = trouble.at
    healedAt = trouble.healed == 0 ? nil : trouble.healed
  }
}

/// Messages that were committed and that nobody will receive.
public struct UndeliveredReport: Hashable, Sendable {
  /// How many.
  public let count: Int
  /// When the last of them was lost, Unix seconds.
  public let at: UInt64

  init(_ lost: LostPayloads) {
    count = lost.count
    at = lost.at
  }
}

extension Peer {
  /// Takes note of what the session says of itself.
  func note(_ event: SessionEvent) {
    func say(_ level: Logger.Level, _ message: String) { context.peerLog.note(level, message, peer: row.alias) }
    switch event {
    case .started, .acknowledged: break
    case .confirmed: say(.info, "session confirmed")
    case .batchHandedOver, .batchHeld:
      context.peerLog.note(.debug, "one-time prekeys", peer: row.alias, metadata: ["event": "\(event)"])
    case .refusedBatch(.outdated): say(.info, "an older batch of one-time prekeys came late")
    case .rollback:
      say(
        .warning,
        "this node's state is older than what the peer has seen: a copied or restored state folder? A fresh session follows")
    case .peerRollback:
      say(
        .warning,
        "the peer's state is older than what was seen of it: a copied or restored state folder? A fresh session follows")
    case .resetSent: say(.warning, "a session cannot be continued here; the peer is asked for a fresh one")
    case .resetReceived: say(.warning, "the peer cannot continue a session and asks for a fresh one")
    case .startedWithoutPair: say(.warning, "a session was started without a one-time prekey: the batch is used up")
    case .undeliverable(_, let count):
      context.peerLog.note(
        .warning, "messages could not be delivered", peer: row.alias, metadata: ["count": "\(count)"])
    case .refusedEnvelope: warn(of: event, "an envelope does not open")
    case .refusedInitiation: warn(of: event, "the start of a session was refused")
    case .refusedBundle: warn(of: event, "a bundle was refused")
    case .refusedBatch: warn(of: event, "a batch of one-time prekeys was refused")
    case .malformedPayload: warn(of: event, "a message is malformed")
    case .prematurePayload: warn(of: event, "a message came before the session was confirmed")
    case .unexpectedFrame: warn(of: event, "a frame has no place here")
    }
  }

  private func warn(of event: SessionEvent, _ message: String) {
    context.peerLog.note(.warning, message, peer: row.alias, metadata: ["event": "\(event)"])
  }

  /// What a user should know beside the troubles: a question about the identity, and a peer that acknowledges nothing any more.
  func warnings() -> [String] {
    if claim != nil { return ["\(row.alias): identity key changed - blocked until you decide: pawl verify \(row.alias)"] }
    guard !machine.hasRoom else { return [] }
    return ["\(row.alias) does not acknowledge what it is sent: \(machine.unacknowledged) messages wait, and no more fit"]
  }
}
