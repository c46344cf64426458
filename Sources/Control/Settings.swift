internal import API
internal import Configuration
internal import Glibc
internal import Logging
internal import SystemPackage

/// What `pawl up` was told on its command line. Nil: nothing, so the environment or the file decides.
public struct DaemonOptions: Hashable, Sendable {
  /// `HOST:PORT`
  public var listen: String?
  /// The name that peers see.
  public var name: String?
  /// `error`, `warning`, `info`, `debug`
  public var log: String?
  /// A file that holds the passphrase.
  public var passphraseFile: String?
  /// A shell command that prints the passphrase.
  public var passphraseCommand: String?
  /// Begin anew in the place of a database that is missing or damaged. On the command line alone: what stands in a file or an
  /// environment would do it again, unasked.
  public var newState: Bool

  /// Options.
  public init(
    listen: String? = nil, name: String? = nil, log: String? = nil, passphraseFile: String? = nil,
    passphraseCommand: String? = nil, newState: Bool = false
  ) {
    self.newState = newState
    self.listen = listen
    self.name = name
    self.log = log
    self.passphraseFile = passphraseFile
    self.passphraseCommand = passphraseCommand
  }
}

/// The node's settings: command line over environment (`PAWL_LISTEN`, `PAWL_NAME`, `PAWL_LOG`,
/// `PAWL_PASSPHRASE_FILE`, `PAWL_PASSPHRASE_COMMAND`) over `config.yaml`.
///
/// Every value is checked, and an unusable one is an error that says where it stands: a node that silently listens elsewhere
/// than it was told is worse than none.
struct Settings: Hashable, Sendable {
  private enum Key: String, CaseIterable {
    case listen, name, log
    case passphraseFile = "passphrase-file"
    case passphraseCommand = "passphrase-command"

    var option: String { "--\(rawValue)" }
    var variable: String { "PAWL_\(rawValue.uppercased().replacing("-", with: "_"))" }
  }

  /// Where a value stands; what comes first counts.
  private enum Level: Int { case option, variable, file }

  private struct Value {
    let text: String
    let level: Level
    /// For people.
    let place: String
  }

  /// Bytes in a name, and what it may be made of: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
  private static let maximumNameBytes = 64
  private static let levels: [String: Logger.Level] = ["error": .error, "warning": .warning, "info": .info, "debug": .debug]

  let listen: HostPort?
  let name: String
  let level: Logger.Level
  /// Where the passphrase is to be had, if that was said.
  let passphrase: PassphraseSource?
  /// What was found and means nothing, a line each.
  let warnings: [String]

  /// Reads and checks everything. Throws a ``Failure`` with code `usage`.
  static func read(
    _ options: DaemonOptions, environment: [String: String], file path: String
  ) async throws(Failure) -> Settings {
    let given: [Key: String?] = [
      .listen: options.listen, .name: options.name, .log: options.log, .passphraseFile: options.passphraseFile,
      .passphraseCommand: options.passphraseCommand,
    ]
    let line = InMemoryProvider(
      values: given.reduce(into: [:]) { values, option in
        if let value = option.value {
          values[AbsoluteConfigKey([option.key.rawValue])] = ConfigValue(.string(value), isSecret: false)
        }
      })
    let variables = EnvironmentVariablesProvider(environmentVariables: environment.filter { !$0.value.isEmpty })
    let file = try await Self.file(path)
    let reader = ConfigReader(providers: [line, variables.prefixKeys(with: "pawl"), file])
    func value(_ key: Key) throws(Failure) -> Value? {
      let level: Level =
        given[key] != .some(.none) ? .option : environment[key.variable].map { !$0.isEmpty } == true ? .variable : .file
      let place =
        switch level {
        case .option: key.option
        case .variable: key.variable
        case .file: "\(key.rawValue) in \(path)"
        }
      let name = ConfigKey(stringLiteral: key.rawValue)
      if let text = reader.string(forKey: name) { return Value(text: text, level: level, place: place) }
      // The reader takes a value of another type for a missing one.
      guard reader.stringArray(forKey: name) == nil else { throw Failure(.usage, "\(place) must be one value, not a list") }
      return nil
    }
    return Settings(
      listen: try value(.listen).map(checkedListen), name: try value(.name).map(checkedName) ?? hostName,
      level: try value(.log).map(checkedLevel) ?? .info,
      passphrase: try passphrase(
        file: try value(.passphraseFile), command: try value(.passphraseCommand), home: environment["HOME"]),
      warnings: unknownKeys(path))
  }

  /// The one that stands first: an option of either kind comes before a variable of the other.
  private static func passphrase(file: Value?, command: Value?, home: String?) throws(Failure) -> PassphraseSource? {
    if let file, let command, file.level == command.level {
      throw Failure(.usage, "there is \(file.place) and there is \(command.place)", hint: "give one of them")
    }
    for value in [file, command].compactMap({ $0 }) where value.text.isEmpty || value.text.utf8.contains(0) {
      throw Failure(.usage, "\(value.place) is empty or holds a NUL")
    }
    if let file, command.map({ file.level.rawValue < $0.level.rawValue }) ?? true {
      let path = try HomePath.expanded(file.text, home: home)
      return PassphraseSource(.file(SocketLocation.absolute(path)), place: file.place)
    }
    return command.map { PassphraseSource(.command($0.text), place: $0.place) }
  }

  private static func file(_ path: String) async throws(Failure) -> any ConfigProvider {
    if let fault = SmallFile.fault(path) {
      throw Failure(
        .usage, "\(path) cannot be used: \(fault)", hint: "mend it or move it away; it is YAML with lines like name: studio")
    }
    // A file of nothing but remarks is no mapping to the YAML reader, and no mistake to its owner.
    if let text = SmallFile.text(path), text.split(separator: "\n").allSatisfy({ $0.isEmpty || $0.hasPrefix("#") }) {
      return InMemoryProvider(values: [:])
    }
    do {
      return try await FileProvider<YAMLSnapshot>(filePath: FilePath(path), allowMissing: true)
    } catch {
      let fault = yamlFault("\(error)")
      throw Failure(
        .usage, "\(path) cannot be used: \(fault)", hint: "mend it or move it away; it is YAML with lines like name: studio")
    }
  }

  /// What the YAML reader says, `2:1: error: parser: …` with an excerpt, in words for people.
  private static func yamlFault(_ message: String) -> String {
    let place = message.prefix { $0 != " " }.split(separator: ":").compactMap { Int($0) }
    if place.count == 2 { return "it is not YAML at line \(place[0]), column \(place[1])" }
    return message.contains("not a mapping") ? "it has no lines of a key and its value" : "it cannot be read as YAML"
  }

  private static func checkedListen(_ value: Value) throws(Failure) -> HostPort {
    guard let listen = HostPort(value.text) else {
      throw Failure(.usage, "\(value.place) is not HOST:PORT: \(value.text)", hint: "for example [::]:7411 or 192.168.1.5:7411")
    }
    return listen
  }

  private static func checkedName(_ value: Value) throws(Failure) -> String {
    guard isName(value.text) else {
      throw Failure(
        .usage, "\(value.place) is not a name: \(value.text)",
        hint: "letters, digits, '.', '_' and '-', at most \(maximumNameBytes), the first a letter or digit")
    }
    return value.text
  }

  private static func checkedLevel(_ value: Value) throws(Failure) -> Logger.Level {
    guard let level = levels[value.text] else {
      throw Failure(.usage, "\(value.place) is not a log level: \(value.text)", hint: "error, warning, info or debug")
    }
    return level
  }

  private static func isName(_ text: String) -> Bool {
    let allowed = text.utf8.allSatisfy { isLetterOrDigit($0) || "._-".utf8.contains($0) }
    return allowed && text.utf8.count <= maximumNameBytes && text.utf8.first.map(isLetterOrDigit) == true
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
      || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  /// The host's name up to the first dot, as far as it makes a name.
  private static var hostName: String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return "node" }
    let host = buffer.prefix { $0 != 0 && $0 != CChar(UInt8(ascii: ".")) }.map { UInt8(bitPattern: $0) }
    let usable = host.filter { isLetterOrDigit($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
      .drop { !isLetterOrDigit($0) }.prefix(maximumNameBytes)
    return usable.isEmpty ? "node" : String(decoding: usable, as: UTF8.self)
  }

  /// Top-level keys of the file that mean nothing here: probably misspelt.
  private static func unknownKeys(_ path: String) -> [String] {
    guard let text = SmallFile.text(path) else { return [] }
    let keys = text.split(separator: "\n").compactMap { line -> Substring? in
      guard let colon = line.firstIndex(of: ":"), let first = line.utf8.first, isLetterOrDigit(first) else { return nil }
      return line[..<colon]
    }
    return keys.filter { Key(rawValue: String($0)) == nil }.map { "\(path) has a key that means nothing: \($0)" }
  }
}

/// Reads a small file whole.
private enum SmallFile {
  /// A configuration has a few hundred bytes.
  private static let maximumBytes = 64 * 1024

  /// Why the file cannot be read, for people; nil: it can, or there is none.
  static func fault(_ path: String) -> String? {
    var status = stat()
    // Looked at before it is opened: opening a device may do things.
    guard stat(path, &status) == 0 else {
      switch errno {
      case ENOENT: return nil
      case ENOTDIR: return "a part of its path is a file"
      case EACCES: return "permission denied"
      default: return String(cString: strerror(errno))
      }
    }
    guard status.st_mode & S_IFMT != S_IFDIR else { return "it is a folder" }
    guard status.st_mode & S_IFMT == S_IFREG else { return "it is a pipe, a socket or a device, not a file" }
    guard access(path, R_OK) == 0 else { return "permission denied" }
    guard status.st_size <= maximumBytes else { return "it is longer than 64 KiB" }
    return text(path) == nil ? "it is not UTF-8 text" : nil
  }

  /// The file's text, as far as it is UTF-8 and not too long; nil if it cannot be read. A pipe that took its place is not waited for.
  static func text(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    var bytes = [UInt8](repeating: 0, count: maximumBytes)
    let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
    return String(validating: bytes.prefix(max(0, count)), as: UTF8.self)
  }
}
