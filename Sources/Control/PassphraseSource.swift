internal import API
internal import Glibc
internal import Primitives
internal import Store

/// Where a passphrase is to be had without anybody typing it.
struct PassphraseSource: Hashable, Sendable {
  enum Kind: Hashable, Sendable {
    /// A file that holds it and nothing else but perhaps a line end behind it.
    case file(String)
    /// A command for `/bin/sh -c` that prints it as its first line.
    case command(String)
  }

  let kind: Kind
  /// Where that was said: an option, a variable, or a line of the configuration.
  let place: String

  init(_ kind: Kind, place: String) {
    self.kind = kind
    self.place = place
  }

  /// Reads it. Throws a ``Failure`` that says what is wrong with it, and nothing of what is in it.
  func read(_ warn: (String) -> Void) throws(Failure) -> Passphrase {
    let bytes =
      switch kind {
      case .file(let path): try Self.file(path, place, warn)
      case .command(let command): try Self.command(command, place)
      }
    let count = bytes.count
    if let passphrase = Passphrase(bytes) { return passphrase }
    throw Failure(.failed, "the passphrase that \(place) gives \(Self.fault(count))")
  }

  /// What is wrong with bytes that are no passphrase.
  static func fault(_ count: Int) -> String {
    switch count {
    case 0: "is empty"
    case ...Passphrase.maximumBytes: "has more than one line, or a NUL in it"
    default: "is longer than \(Passphrase.maximumBytes) bytes"
    }
  }

  private static func file(_ path: String, _ place: String, _ warn: (String) -> Void) throws(Failure) -> SecretBuffer {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw Failure(
        .failed, "\(place) names \(path), which cannot be read",
        hint: errno == ENOENT ? "there is no such file" : "it must be readable by the user that runs pawl")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else {
      throw Failure(.failed, "\(place) names \(path), which is a folder")
    }
    // Not refused: secrets that are mounted into a container are readable by all of it, and there is nobody else in there.
    if status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o077 != 0 {
      warn("\(path) holds the passphrase and is open to other users; close it with: chmod 600")
    }
    let input = LineInput(descriptor)
    let bytes = try input.everything(place)
    // One line end behind it is not part of it.
    let end = bytes.count > 0 && bytes.span[bytes.count - 1] == 0x0A ? bytes.count - 1 : bytes.count
    return SecretBuffer(copying: bytes.span.extracting(first: end))
  }

  private static func command(_ command: String, _ place: String) throws(Failure) -> SecretBuffer {
    guard let shell = ShellCommand(command) else { throw Failure(.failed, "/bin/sh cannot be started for \(place)") }
    let line: Result<SecretBuffer?, Failure>
    do throws(Failure) { line = .success(try shell.output.line(place)) } catch { line = .failure(error) }
    if let end = shell.end() {
      throw Failure(.failed, "the command of \(place) \(end)", hint: "run it by itself to see why")
    }
    return try line.get() ?? SecretBuffer()
  }
}

/// Reads secret lines off a descriptor, byte by byte, so that nothing behind them is taken away and no copy stays behind.
struct LineInput {
  private let descriptor: Int32

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// The next line without its end; nil where there is nothing left. Throws for one that is longer than a passphrase.
  func line(_ place: String) throws(Failure) -> SecretBuffer? { try read(to: 0x0A, place) }

  /// All there is, at most a passphrase and a line end.
  func everything(_ place: String) throws(Failure) -> SecretBuffer { try read(to: nil, place) ?? SecretBuffer() }

  private func read(to end: UInt8?, _ place: String) throws(Failure) -> SecretBuffer? {
    var bytes = SecretBuffer(capacity: Passphrase.maximumBytes + 1)
    var hasEnd = false
    while !hasEnd {
      guard let byte = next() else {
        if end != nil, bytes.isEmpty { return nil }
        break
      }
      hasEnd = byte == end
      if !hasEnd { bytes.u8(byte) }
      guard bytes.count <= Passphrase.maximumBytes + 1 else {
        throw Failure(.failed, "the passphrase that \(place) gives \(PassphraseSource.fault(bytes.count))")
      }
    }
    return bytes
  }

  private func next() -> UInt8? {
    var byte: UInt8 = 0
    while true {
      let count = Glibc.read(descriptor, &byte, 1)
      if count == 1 { return byte }
      guard count < 0, errno == EINTR else { return nil }
    }
  }

  /// Reads what is there and forgets it; false at the end.
  func skip() -> Bool {
    var piece = SecretBytes(zeroes: SecretBytes.maximumBytes)
    var room = piece.mutableSpan
    return room.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) } > 0
  }
}
