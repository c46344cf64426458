/// Lets the first of many like events through and counts the rest, so that nobody fills a disk by repeating itself.
///
/// A value over a clock that is handed in. What was counted is reported by ``due(at:)``, also when nothing more happens.
struct LogThrottle<Key: Hashable & Sendable>: Sendable {
  /// What was held back of one kind.
  struct Repeats: Equatable, Sendable {
    /// nil: of kinds for which there was no room.
    let key: Key?
    let count: Int
    /// Since when they were counted.
    let seconds: Int
  }

  private struct Window {
    let since: Duration
    var count = 0
  }

  /// How long like events are counted before they are reported.
  private let window: Duration
  /// How many kinds are told apart.
  private let capacity: Int
  private var windows: [Key: Window] = [:]
  private var others = Window(since: .zero)

  init(window: Duration = .seconds(60), capacity: Int = 4_096) {
    self.window = window
    self.capacity = capacity
  }

  /// Whether this event is to be told now. If not, it was counted.
  mutating func admit(_ key: Key, at now: Duration) -> Bool {
    if let open = windows[key], open.count > 0 || now < open.since + window {
      windows[key]?.count += 1
      return false
    }
    guard windows[key] != nil || windows.count < capacity else {
      if others.count == 0 { others = Window(since: now) }
      others.count += 1
      return false
    }
    windows[key] = Window(since: now)
    return true
  }

  /// What was counted for a whole window or longer. A kind that goes on is counted on; one that has stopped is forgotten.
  mutating func due(at now: Duration) -> [Repeats] { take(at: now, after: window) }

  /// Everything that was counted: for the end.
  mutating func drain(at now: Duration) -> [Repeats] { take(at: now, after: .zero) }

  private mutating func take(at now: Duration, after age: Duration) -> [Repeats] {
    var repeats: [Repeats] = []
    func isOver(_ window: Window) -> Bool { now >= window.since + age }
    func seconds(_ window: Window) -> Int { Int((now - window.since) / .seconds(1)) }
    for (key, open) in windows where isOver(open) {
      if open.count > 0 { repeats.append(Repeats(key: key, count: open.count, seconds: seconds(open))) }
      windows[key] = open.count > 0 ? Window(since: now) : nil
    }
    if others.count > 0, isOver(others) {
      repeats.append(Repeats(key: nil, count: others.count, seconds: seconds(others)))
      others = Window(since: now)
    }
    return repeats
  }
}
