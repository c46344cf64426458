internal import API
internal import Glibc

/// Paths as the user gave them. The node has another working directory, so it gets absolute ones.
enum PathArgument {
  /// The path from the root, as ``absolute(_:)`` gives it. An empty one is no path, least of all the current folder: that is
  /// what a variable that was never set becomes. Throws a ``Failure`` that calls it `name`.
  static func absolute(_ path: String, naming name: String) throws -> String {
    guard !path.isEmpty else {
      throw Failure(.usage, "\(name) is empty", hint: "write . for the current folder")
    }
    return try absolute(path)
  }

  /// The path from the root, without `.` and doubled slashes. A path with `..` is resolved through the file system, where it
  /// exists: behind a symbolic link `..` is not what it looks like. Other symbolic links stay, for the sake of their names.
  /// A `~` in front is the home folder. Throws a ``Failure`` where that is not known.
  static func absolute(_ path: String) throws(Failure) -> String {
    let absolute = SocketLocation.absolute(try HomePath.expanded(path, home: Environment.value("HOME")))
    let parts = absolute.split(separator: "/").filter { $0 != "." }
    if parts.contains(".."), let real = realpath(absolute, nil) {
      defer { free(real) }
      return String(cString: real)
    }
    return "/" + parts.joined(separator: "/")
  }
}
