internal import FoundationEssentials
internal import Glibc

/// A command that runs under `/bin/sh -c`, whose standard output we read. Standard input and standard error stay ours: it may ask the user.
struct ShellCommand {
  /// How often to look whether it has ended while something it left behind still holds its output.
  private static let pollMilliseconds: Int32 = 50

  /// What it prints.
  let output: LineInput
  private let descriptor: Int32
  private let child: pid_t

  /// Starts it; nil if there is no shell, or no descriptor left.
  init?(_ command: String) {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { return nil }
    _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    posix_spawn_file_actions_addclose(&actions, ends[1])
    // We ignore SIGPIPE, and a pipeline of the command's must not.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    var defaults = sigset_t()
    sigemptyset(&defaults)
    sigaddset(&defaults, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
    var words: [UnsafeMutablePointer<CChar>?] = ["sh", "-c", command].map { (word: String) in strdup(word) }
    words.append(nil)
    var variables: [UnsafeMutablePointer<CChar>?] = ProcessInfo.processInfo.environment.map { strdup("\($0.key)=\($0.value)") }
    variables.append(nil)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
      for text in words + variables { free(text) }
    }
    var child: pid_t = 0
    let result = posix_spawn(&child, "/bin/sh", &actions, &attributes, &words, &variables)
    close(ends[1])
    guard result == 0 else {
      close(ends[0])
      return nil
    }
    self.child = child
    descriptor = ends[0]
    output = LineInput(ends[0])
  }

  /// Waits until it has ended; what it still prints is thrown away. Nil: it ended well; else how, for people.
  func end() -> String? {
    defer { close(descriptor) }
    var status: Int32 = 0
    var isOpen = true
    while waitpid(child, &status, isOpen ? WNOHANG : 0) != child {
      var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      if isOpen, poll(&ready, 1, Self.pollMilliseconds) > 0 { isOpen = output.skip() }
    }
    guard status != 0 else { return nil }
    return status & 0x7F == 0 ? "ended with exit code \(status >> 8 & 0xFF)" : "was ended by signal \(status & 0x7F)"
  }
}
