internal import EventLoop
internal import Session

/// One authenticated connection to a peer. Cheap to lose: what matters lives in the session and in the store.
struct Link: Sendable {
  /// Distinguishes links within this process.
  let number: UInt64
  let connection: any Connection
  /// Where we dialled to; nil if the peer dialled us. The side that dialled the link dials its data connections too.
  let dialled: PeerAddress?
  /// The link on which this node has just answered a joiner: the joiner starts the session.
  let peerStarts: Bool
  /// The other side has shown that it takes us for a peer. One that we dialled has done so only with its first frame: a node
  /// that has revoked us completes the handshake, learns who we are, and closes without a word.
  var isAccepted: Bool
  /// Something other than COUNTERS and CLOSE came on it.
  var isUseful = false
  /// Seconds of the monotonic clock from before its handshake: what the peer had acknowledged until then, it knew when the link came
  /// up. Zero: not known, and the link proves nothing about that.
  let opened: UInt64
  /// Its COUNTERS are on their way: other frames may follow.
  var isOpen = false
  /// Its place among the descriptors.
  var permit: DescriptorPermit?
  /// When the handshake was done, on the monotonic clock.
  let began: Duration

  init(
    number: UInt64, connection: any Connection, dialled: PeerAddress?, opened: UInt64 = 0, peerStarts: Bool = false,
    isAccepted: Bool = true, began: Duration = MonotonicClock.now
  ) {
    self.began = began
    self.opened = opened
    self.isAccepted = isAccepted
    self.number = number
    self.connection = connection
    self.dialled = dialled
    self.peerStarts = peerStarts
  }

  /// Whether it was worth dialing, if it ends now.
  func wasUseful(at now: Duration) -> Bool { isUseful || now - began >= Backoff.usefulAge }
}

/// Limits and times of links.
enum LinkPolicy {
  /// Links one peer may hold: both sides may dial at once, and a cut link is noticed late.
  static let maximumPerPeer = 16
  /// An empty COUNTERS frame goes out on a link this often, so that both sides notice a cut.
  static let heartbeat = Duration.seconds(20)
  /// A link on which nothing came for this long is dead: three heartbeats.
  static let silence = Duration.seconds(60)
  /// Between two looks at what time alone makes due.
  static let tick = Duration.seconds(10)
}
