internal import Glibc

/// How often something is done in a second.
enum Rate {
  /// Steps between two looks at the clock.
  private static let batch = 20

  /// In a second of this process's CPU time: what else runs on the machine hardly shows.
  static func perCPUSecond(_ seconds: Double, _ step: () throws -> Void) rethrows -> Double {
    for _ in 0..<batch { try step() }
    let start = now(CLOCK_PROCESS_CPUTIME_ID)
    var count = 0.0
    while true {
      for _ in 0..<batch { try step() }
      count += Double(batch)
      let spent = now(CLOCK_PROCESS_CPUTIME_ID) - start
      if spent >= seconds { return count / spent }
    }
  }

  /// Seconds on one of the system's clocks.
  static func now(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
