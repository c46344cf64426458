internal import Glibc

/// Where the node's control socket is. The node's own places (`Locations` of the store) follow the same rules.
public enum SocketLocation {
  /// Bytes a socket path may have: `sun_path` is 108 with its terminator.
  public static let maximumPathBytes = 107

  /// `$PAWL_HOME/control.sock`; else `$XDG_RUNTIME_DIR/pawl/control.sock`; else `$XDG_STATE_HOME/pawl/control.sock`, where
  /// `XDG_STATE_HOME` is `~/.local/state` if it is not set.
  ///
  /// Empty counts as unset, and so does a relative XDG path (the XDG specification says to ignore it); a relative
  /// `PAWL_HOME` is taken from the working directory. Throws a ``Failure`` with code `usage` if no variable says where, or
  /// if the path is longer than a socket's may be.
  public static func resolve(environment: [String: String]) throws(Failure) -> String {
    let path = try folder(environment) + "/control.sock"
    guard path.utf8.count <= maximumPathBytes else {
      throw Failure(
        .usage, "the control socket's path has \(path.utf8.count) bytes, and at most \(maximumPathBytes) fit: \(path)",
        hint: "set PAWL_HOME or XDG_RUNTIME_DIR to a shorter folder")
    }
    return path
  }

  private static func folder(_ environment: [String: String]) throws(Failure) -> String {
    if let home = environment["PAWL_HOME"], !home.isEmpty {
      return absolute(try HomePath.expanded(home, home: environment["HOME"]))
    }
    func place(_ variable: String) -> String? {
      environment[variable].flatMap { $0.hasPrefix("/") ? trimmed($0) : nil }
    }
    if let runtime = place("XDG_RUNTIME_DIR") ?? place("XDG_STATE_HOME") { return runtime + "/pawl" }
    guard let home = place("HOME") else {
      throw Failure(.usage, "nothing says where the node keeps its things", hint: "set HOME or PAWL_HOME")
    }
    return home + "/.local/state/pawl"
  }

  /// The path from the root: a relative one is taken from the working directory.
  public static func absolute(_ path: String) -> String {
    if path.hasPrefix("/") { return trimmed(path) }
    guard let working = getcwd(nil, 0) else { return trimmed(path) }
    defer { free(working) }
    return trimmed(String(cString: working) + "/" + path)
  }

  private static func trimmed(_ path: String) -> String {
    var path = path
    while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }
}
