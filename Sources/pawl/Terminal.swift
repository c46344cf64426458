internal import Glibc

/// The three standard streams.
enum Terminal {
  /// Where nothing says how wide it is.
  private static let usualColumns = 80

  /// Writes a text and a newline to standard output.
  static func out(_ text: String) {
    guard !text.isEmpty else { return }
    write(Array(text.utf8) + [UInt8(ascii: "\n")], to: STDOUT_FILENO)
  }

  /// What is gathered of many lines before it is written.
  private static let writtenBytes = 64 * 1024

  /// Writes lines to standard output, a newline after each.
  static func out(_ lines: [String]) {
    var text: [UInt8] = []
    for line in lines {
      text += line.utf8
      text.append(UInt8(ascii: "\n"))
      guard text.count >= writtenBytes else { continue }
      write(text, to: STDOUT_FILENO)
      text.removeAll(keepingCapacity: true)
    }
    write(text, to: STDOUT_FILENO)
  }

  /// Writes a line that has no newline, and the newline, to standard output.
  static func out(line: [UInt8]) {
    let newline = [UInt8(ascii: "\n")]
    // A short one in one write; of a long one no copy is made.
    if line.count < writtenBytes { return write(line + newline, to: STDOUT_FILENO) }
    write(line, to: STDOUT_FILENO)
    write(newline, to: STDOUT_FILENO)
  }

  /// Writes bytes as they are to standard output.
  static func out(_ line: [UInt8]) { write(line, to: STDOUT_FILENO) }

  /// Writes a text and a newline to standard error.
  static func error(_ text: String) {
    guard !text.isEmpty else { return }
    write(Array(text.utf8) + [UInt8(ascii: "\n")], to: STDERR_FILENO)
  }

  /// Writes a text as it is to standard error, where it is a terminal.
  static func draw(_ text: String) { write(Array(text.utf8), to: STDERR_FILENO) }

  /// Whether a progress line can be redrawn on standard error.
  static var canDraw: Bool { isatty(STDERR_FILENO) == 1 && Environment.value("TERM") != "dumb" }

  /// Whether someone types standard input.
  static var isTyped: Bool { isatty(STDIN_FILENO) == 1 }

  /// How wide standard error is now.
  static var columns: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return usualColumns }
    return Int(size.ws_col)
  }

  /// The first line of standard input that has something on it, without its surrounding space.
  ///
  /// Reads at most `limit` bytes and stops at the line's end, so that whoever wrote it may keep the pipe open. Nil if there
  /// is no such line.
  static func firstLine(limit: Int) -> String? {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    for _ in 0..<limit {
      var count = read(STDIN_FILENO, &byte, 1)
      while count < 0, errno == EINTR { count = read(STDIN_FILENO, &byte, 1) }
      guard count == 1 else { break }
      let isSpace = byte == 0x20 || (0x09...0x0D).contains(byte)
      if line.isEmpty, isSpace { continue }
      if byte == UInt8(ascii: "\n") { break }
      line.append(byte)
    }
    while let last = line.last, last == 0x20 || (0x09...0x0D).contains(last) { line.removeLast() }
    return line.isEmpty ? nil : String(validating: line, as: UTF8.self)
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32) {
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }  // nobody reads any longer
      written += count
    }
  }
}

/// The process's environment.
enum Environment {
  /// One variable; empty counts as unset.
  static func value(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
  }

  /// Whether a variable is set to something that means yes.
  static func isOn(_ name: String) -> Bool { ["1", "true", "yes", "on"].contains(value(name)?.lowercased()) }

  /// What the places of a node depend on.
  static var places: [String: String] {
    var places: [String: String] = [:]
    for name in ["PAWL_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "HOME"] { places[name] = value(name) }
    return places
  }
}

/// The wall clock.
enum Clock {
  /// Now, in Unix seconds.
  static var now: UInt64 { UInt64(max(0, time(nil))) }
}
