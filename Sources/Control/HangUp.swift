internal import Glibc

/// What a SIGHUP says: that the terminal is gone at which the node was started, or that the configuration is to be read again.
struct HangUp {
  /// How long after the signal the terminal is looked for once more: the shell that ends tells its commands first.
  static let settleTime = Duration.milliseconds(300)

  private let hadTerminal: Bool

  /// To be made when the node starts. Nil: whoever started it (`nohup`) wants the signal ignored.
  init?() {
    var action = sigaction()
    guard sigaction(SIGHUP, nil, &action) == 0 else { return nil }
    let isIgnored = withUnsafeBytes(of: &action.__sigaction_handler) { $0.load(as: Int.self) } == 1
    if isIgnored { return nil }
    hadTerminal = Self.hasTerminal
  }

  /// Whether there was a controlling terminal and is none any more.
  var isTerminalGone: Bool { hadTerminal && !Self.hasTerminal }

  private static var hasTerminal: Bool {
    let terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
    guard terminal >= 0 else { return errno == EMFILE || errno == ENFILE }
    close(terminal)
    return true
  }
}
