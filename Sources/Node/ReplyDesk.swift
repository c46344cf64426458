internal import Transfer

/// Requests to a peer that wait for their answers, by request number.
struct ReplyDesk {
  /// Requests to one peer that may wait at once: each is a user's command.
  static let maximumWaiting = 64

  private var waiting: [RequestNumber: CheckedContinuation<ControlMessage, any Error>] = [:]
  /// Begins anywhere: an answer to a request of an earlier run, resent from the outbox, must not pass for one to ours. Far
  /// below 2^53, where a JSON integer ends.
  private var last = RequestNumber.random(in: 1...1 << 48)

  /// Whether another request would be one too many.
  var isFull: Bool { waiting.count >= Self.maximumWaiting }

  /// A number for the next request.
  mutating func number() -> RequestNumber {
    last += 1
    return last
  }

  /// Keeps the continuation until the answer comes.
  mutating func wait(for number: RequestNumber, _ continuation: CheckedContinuation<ControlMessage, any Error>) {
    waiting[number] = continuation
  }

  /// Ends one wait. An answer that nobody waits for is dropped.
  mutating func resolve(_ number: RequestNumber, with result: Result<ControlMessage, any Error>) {
    waiting.removeValue(forKey: number)?.resume(with: result)
  }

  /// Ends all waits.
  mutating func failAll(_ error: any Error) {
    let all = waiting
    waiting = [:]
    for continuation in all.values { continuation.resume(throwing: error) }
  }
}
