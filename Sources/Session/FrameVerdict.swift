/// What a frame from the peer turned out to be, for a node that has to decide how long it listens.
public enum FrameVerdict: Hashable, Sendable {
  /// It says nothing about its sender: acknowledgements, counters, resets, requests, and what came before.
  case neutral
  /// It brought an envelope that opened for the first time.
  case opened
  /// The frame is not allowed here, or its envelope failed to open in a usable session.
  case refused
  /// It names a session that is unknown here, retired or quarantined. An honest peer sends such envelopes again until our RESET
  /// has reached it.
  case stale
}

extension SessionEvent {
  /// Whether it says that a frame was refused.
  var isRefusal: Bool {
    switch self {
    case .refusedEnvelope, .refusedInitiation, .refusedBundle, .unexpectedFrame: true
    default: false
    }
  }
}
