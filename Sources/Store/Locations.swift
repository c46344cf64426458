internal import Glibc

/// Where a node keeps its things: beneath `PAWL_HOME`, or in the XDG folders.
public struct Locations: Hashable, Sendable {
  /// Bytes a socket path may have: `sun_path` is 108 with its terminator.
  static let socketPathBytes = 107

  /// `PAWL_HOME`, if that is what placed everything.
  public var home: String?
  /// The folder of the configuration file.
  public var config: String
  /// The folder of the identity file and the key file.
  public var identity: String
  /// The folder of the database and the lock.
  public var state: String
  /// The control socket.
  public var socket: String

  /// The configuration file; it need not exist.
  public var configFile: String { config + "/config.yaml" }
  /// The identity's file.
  public var identityFile: String { identity + "/identity" }
  /// The file of the key that all stored secrets are sealed under.
  public var keyFile: String { identity + "/key" }
  /// The lock that the running node holds.
  public var lockFile: String { state + "/lock" }
  /// The database.
  public var databaseFile: String { state + "/pawl.db" }

  /// Everything beneath one folder.
  public init(home: String) {
    let home = Self.absolute(home)
    self.home = home
    config = home
    identity = home + "/identity"
    state = home + "/state"
    socket = home + "/control.sock"
  }

  private init(config: String, data: String, state: String, runtime: String?) {
    self.config = config + "/pawl"
    identity = data + "/pawl/identity"
    self.state = state + "/pawl"
    socket = (runtime ?? state) + "/pawl/control.sock"
  }

  /// Reads `PAWL_HOME`, else the XDG variables with their defaults below `HOME`. Empty counts as unset, and so does a relative
  /// XDG path (the XDG specification says to ignore it); a relative `PAWL_HOME` is taken from the working directory.
  ///
  /// Throws `noHome`, and `socketPathTooLong` where no socket could be made.
  public static func resolve(environment: [String: String]) throws(StoreError) -> Locations {
    let places: Locations
    if let home = environment["PAWL_HOME"], !home.isEmpty {
      places = Locations(home: try expanded(home, environment))
    } else {
      func folder(_ variable: String) -> String? {
        environment[variable].flatMap { $0.hasPrefix("/") ? trimmed($0) : nil }
      }
      let home = folder("HOME")
      func place(_ variable: String, _ below: String) throws(StoreError) -> String {
        if let given = folder(variable) { return given }
        guard let home else { throw StoreError(.noHome, detail: "neither PAWL_HOME nor HOME says where to keep things") }
        return home + below
      }
      places = Locations(
        config: try place("XDG_CONFIG_HOME", "/.config"), data: try place("XDG_DATA_HOME", "/.local/share"),
        state: try place("XDG_STATE_HOME", "/.local/state"), runtime: folder("XDG_RUNTIME_DIR"))
    }
    guard places.socket.utf8.count <= socketPathBytes else {
      throw StoreError(
        .socketPathTooLong, places.socket,
        detail: "the control socket's path has \(places.socket.utf8.count) bytes, and at most \(socketPathBytes) fit")
    }
    return places
  }

  /// A `~` that no shell has expanded: in a service's file, or in quotes.
  private static func expanded(_ path: String, _ environment: [String: String]) throws(StoreError) -> String {
    guard path.hasPrefix("~") else { return path }
    guard path == "~" || path.hasPrefix("~/"), let home = environment["HOME"], home.hasPrefix("/") else {
      throw StoreError(.noHome, path, detail: "PAWL_HOME begins with a ~ that nothing has expanded")
    }
    return home + path.dropFirst()
  }

  private static func absolute(_ path: String) -> String {
    if path.hasPrefix("/") { return trimmed(path) }
    guard let working = getcwd(nil, 0) else { return trimmed(path) }
    defer { free(working) }
    return trimmed(String(cString: working) + "/" + path)
  }

  private static func trimmed(_ path: String) -> String {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }
}
