internal import Logging
internal import Session
internal import Store

/// A payload on its way into the session, and whom to tell if it does not get there.
struct Posted: Sendable {
  let payload: [UInt8]
  let refused: @Sendable (NodeError) -> Void
}

extension Peer {
  /// A payload was not queued: whoever posted it is told.
  func refuse(_ posted: Posted, because error: any Error) {
    let failure = unsent(because: error)
    context.peerLog.note(.warning, "a message is not sent", peer: row.alias, metadata: ["error": "\(failure.message)"])
    posted.refused(failure)
  }

  private func unsent(because error: any Error) -> NodeError {
    switch (error as? SessionError)?.code {
    case .outboxFull:
      NodeError(
        .noSpace, "\(row.alias) does not acknowledge what it is sent: \(machine.unacknowledged) messages wait, and no more fit",
        hint: "try again when its node answers")
    case .queueFull:
      NodeError(
        .noSpace, "\(machine.waitingCount) messages to \(row.alias) wait for a session, and no more fit",
        hint: "try again when its node answers")
    case .tooLarge: NodeError(.failed, "a message to \(row.alias) is too long to be sent")
    default: NodeError(.failed, "a message to \(row.alias) cannot be sealed: \(error)")
    }
  }
}
