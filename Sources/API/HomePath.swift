/// Paths that begin with `~`, where no shell has expanded it: in quotes, behind a `=`, in a variable or a file.
public enum HomePath {
  /// The path with `~` replaced by the home folder.
  ///
  /// Throws a ``Failure`` with code `usage` for the home of another user, which only a shell knows, and where nothing says which
  /// folder is home: a folder called `~` is never meant.
  public static func expanded(_ path: String, home: String?) throws(Failure) -> String {
    guard path.hasPrefix("~") else { return path }
    guard path == "~" || path.hasPrefix("~/") else {
      throw Failure(
        .usage, "“\(path)” begins with a ~ that the shell has not expanded",
        hint: "write the whole path; for a file of that very name: ./\(path)")
    }
    guard let home, home.hasPrefix("/") else {
      throw Failure(
        .usage, "“\(path)” is beneath the home folder, and HOME does not say where that is", hint: "write the whole path")
    }
    return home + path.dropFirst()
  }
}
