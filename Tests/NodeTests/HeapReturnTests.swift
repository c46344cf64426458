import EventLoop
import Testing

@testable import Node

@Suite struct HeapReturnTests {
  /// What is due later, and how often the heap was given back.
  private final class Record: Sendable {
    let due = Locked<[@Sendable () -> Void]>([])
    let times = Locked(0)

    func heap() -> HeapReturn {
      HeapReturn(
        later: { _, body in self.due.withLock { $0.append(body) } }, giveBack: { self.times.withLock { $0 += 1 } })
    }

    /// Ends the timers that run; returns how many there were.
    func timePasses() -> Int {
      let due = due.withLock { due in
        defer { due = [] }
        return due
      }
      for body in due { body() }
      return due.count
    }
  }

  @Test func onlyALargeJobArmsTheTimerAndOnlyOnce() {
    let record = Record()
    let heap = record.heap()
    heap.jobEnds(files: 9_999)
    #expect(record.timePasses() == 0)
    heap.jobEnds(files: 10_000)
    #expect(record.timePasses() == 1)
    #expect(record.timePasses() == 0, "nothing runs where nothing happens")
    #expect(record.times.withLock { $0 } == 1)
  }

  @Test func aJobThatEndsWhileTheTimerRunsIsFollowedByOneMore() {
    let record = Record()
    let heap = record.heap()
    for _ in 0..<5 { heap.jobEnds(files: 100_000) }
    #expect(record.timePasses() == 1)
    #expect(record.timePasses() == 1)
    #expect(record.timePasses() == 0)
    #expect(record.times.withLock { $0 } == 2)
    heap.jobEnds(files: 100_000)
    #expect(record.timePasses() == 1)
  }
}
