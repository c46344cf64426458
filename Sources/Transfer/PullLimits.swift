/// How a pull paces itself, each with its reason.
public enum PullLimits {
  /// A transfer without any progress for this long ends as unreachable, and can be resumed.
  public static let stall = Duration.seconds(30)
  /// How long a request may stay unanswered on a link before its connection is given up: a server that was started anew knows
  /// nothing of it.
  public static let wantPatience = Duration.seconds(10)
  /// How long a connection may take to open once its first grant is there.
  public static let openPatience = Duration.seconds(15)
  /// How long an open connection with grants may be silent: another source or connection may do better before the stall ends
  /// the transfer.
  public static let framePatience = Duration.seconds(20)
  /// How long a frame may wait for the grant that it has overtaken.
  public static let grantPatience = Duration.seconds(10)
  /// The first pause when a source says that it is busy; doubled each time until it brings something.
  public static let busyPause = Duration.seconds(2)
  /// The longest such pause: the stall leaves room for eight tries.
  public static let longestBusyPause = Duration.seconds(4)
  /// The first pause after a connection that brought nothing; doubled each time.
  public static let firstBackoff = Duration.milliseconds(250)
  /// The longest such pause: the stall leaves room for several tries.
  public static let longestBackoff = Duration.seconds(8)
  /// The next grant is asked for while more than one and a half are still to come: the stream never waits for an envelope.
  public static let lowWaterBytes = TransferLimits.grantBytes * 3 / 2
  /// Requests and grants under way at one source. More than two only where they are small.
  public static let outstanding = 4
  /// While leaf lists are being checked, requests below this wait for them and become one.
  public static let smallAskBytes = 8 << 20
  /// Leaf lists held or under way at once: two of the longest, or those of thousands of small files.
  public static let leafWindowBytes = 4 << 20
  /// Files looked at in one step of planning: a step stays short however many files there are.
  public static let planningStep = 8_192
  /// A crash repeats at most this much.
  public static let persistBytes = 16 << 20
  /// Progress is saved at least this often, if there is any.
  public static let persistInterval = Duration.seconds(1)
}
