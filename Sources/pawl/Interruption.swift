internal import Glibc
internal import Synchronization

/// Ctrl-C: the node is told, what it says of it is still printed, and the command exits with 130.
///
/// The first one ends the socket's writing side, so that an `invite` withdraws its ticket before the command is gone. The
/// second one, or two seconds without an answer, ends the command at once.
enum Interruption {
  /// How long the node has to answer.
  private static let graceSeconds: UInt32 = 2
  private static let exitCode: Int32 = 130

  /// The socket, or -1. Atomic: the handler may run between any two instructions.
  private static let descriptor = Atomic<Int32>(-1)
  private static let count = Atomic<Int32>(0)

  /// Whether there was one.
  static var happened: Bool { count.load(ordering: .relaxed) > 0 }

  /// From now on Ctrl-C ends the request on this socket.
  static func watch(descriptor socket: Int32) {
    descriptor.store(socket, ordering: .relaxed)
    // Only calls that POSIX allows in a handler.
    signal(SIGINT) { _ in
      let socket = Interruption.descriptor.load(ordering: .relaxed)
      guard Interruption.count.add(1, ordering: .relaxed).newValue == 1, socket >= 0 else { _exit(Interruption.exitCode) }
      shutdown(socket, Int32(SHUT_WR))
      alarm(Interruption.graceSeconds)
    }
    signal(SIGALRM) { _ in _exit(Interruption.exitCode) }
  }

  /// The request is over.
  static func unwatch() { descriptor.store(-1, ordering: .relaxed) }
}
