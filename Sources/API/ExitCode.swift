/// What the command's exit code says. Scripts decide by these; a number never changes its meaning.
public enum ExitCode: Int32, Sendable, CaseIterable {
  /// Done.
  case done = 0
  /// Something failed that has no code of its own.
  case error = 1
  /// The command line or the request makes no sense.
  case usage = 2
  /// Some of it was done.
  case partial = 3
  /// No node is running.
  case noNode = 10
  /// No such peer, artifact, version or file, or none that we may see.
  case notFound = 11
  /// Not paired, or not allowed.
  case notAllowed = 12
  /// Bytes, a signature or a claim did not verify.
  case integrity = 13
  /// The peer could not be reached.
  case unreachable = 14
  /// No space or over a limit.
  case noSpace = 15
  /// Something different is there already; it was left alone.
  case conflict = 16
  /// A time limit passed.
  case timedOut = 17
  /// Interrupted.
  case interrupted = 130
}
