internal import API
internal import Glibc
internal import Primitives
internal import Store
internal import Synchronization

/// Asks questions at the terminal that standard input is, without showing what is typed.
///
/// However it ends, the terminal shows again what is typed: also after Ctrl-C, after a signal that ends the process, and while the
/// process is stopped.
struct TerminalPrompt {
  /// Whether somebody can be asked.
  static var isThere: Bool { isatty(STDIN_FILENO) == 1 }

  /// Where a signal's number goes. Atomic: the handler may run between any two instructions.
  private static let signals = Atomic<Int32>(-1)
  private static let watched = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP]

  private let usual: termios
  private let pipe: Int32

  /// Runs `body` with a prompt. Throws ``Failure`` with code `interrupted` after Ctrl-C.
  static func use<R: ~Copyable>(_ body: (TerminalPrompt) throws(Failure) -> R) throws(Failure) -> R {
    var usual = termios()
    var ends: [Int32] = [0, 0]
    guard tcgetattr(STDIN_FILENO, &usual) == 0, Glibc.pipe(&ends) == 0 else {
      throw Failure(.failed, "the terminal cannot be asked for a passphrase")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    signals.store(ends[1], ordering: .relaxed)
    let old = watched.map { number in
      // Only a call that POSIX allows in a handler.
      signal(number) { number in
        var byte = UInt8(truncatingIfNeeded: number)
        _ = write(TerminalPrompt.signals.load(ordering: .relaxed), &byte, 1)
      }
    }
    let prompt = TerminalPrompt(usual: usual, pipe: ends[0])
    defer {
      prompt.show()
      for (number, handler) in zip(watched, old) { signal(number, handler) }
      signals.store(-1, ordering: .relaxed)
      close(ends[0])
      close(ends[1])
    }
    prompt.hide()
    return try body(prompt)
  }

  /// A line of input without its end; nil at the end of input (Ctrl-D). `isShown`: what is typed is no secret.
  func ask(_ question: String, isShown: Bool = false) throws(Failure) -> SecretBuffer? {
    say(question, end: "")
    if isShown { show() }
    defer { if isShown { hide() } else { say("") } }
    var line = SecretBuffer(capacity: Passphrase.maximumBytes + 1)
    while true {
      var ready = [
        pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0), pollfd(fd: pipe, events: Int16(POLLIN), revents: 0),
      ]
      if poll(&ready, 2, -1) < 0, errno == EINTR { continue }
      if ready[1].revents != 0 {
        try obey()
        // Stopped and taken up again: the question is out of sight.
        line = SecretBuffer(capacity: Passphrase.maximumBytes + 1)
        say(question, end: "")
        continue
      }
      var byte: UInt8 = 0
      let count = read(STDIN_FILENO, &byte, 1)
      if count < 0, errno == EINTR { continue }
      if count == 1 ? byte == 0x0A : !line.isEmpty { return line }
      guard count == 1 else { return nil }
      // One byte too many is kept, so that it is told from a passphrase.
      if line.count <= Passphrase.maximumBytes { line.u8(byte) }
    }
  }

  /// Says something to whoever types.
  func say(_ text: String, end: String = "\n") {
    let bytes = Array((text + end).utf8)
    _ = bytes.withUnsafeBytes { write(isatty(STDERR_FILENO) == 1 ? STDERR_FILENO : STDIN_FILENO, $0.baseAddress, $0.count) }
  }

  private func hide() {
    var hidden = usual
    hidden.c_lflag &= ~tcflag_t(ECHO)
    // What was typed before the question was shown on the screen, and is no answer to it.
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
  }

  private func show() {
    var usual = usual
    tcsetattr(STDIN_FILENO, TCSADRAIN, &usual)
  }

  /// Does what the signal that came would have done, with the terminal as it was before.
  private func obey() throws(Failure) {
    var byte: UInt8 = 0
    guard read(pipe, &byte, 1) == 1 else { return }
    let number = Int32(byte)
    if number == SIGINT { throw Failure(.interrupted, "interrupted") }
    show()
    let handler = signal(number, SIG_DFL)
    kill(getpid(), number)
    // Only after SIGTSTP, and once somebody said `fg`.
    signal(number, handler)
    hide()
  }
}
