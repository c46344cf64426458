import EventLoop
import Glibc
import Testing

/// Lines that are written by a thread of their own.
@Suite(.timeLimit(.minutes(2))) struct LineWriterTests {
  private struct Pipe {
    let reading: CInt
    let writing: CInt

    init() throws {
      var ends: [CInt] = [0, 0]
      try #require(pipe(&ends) == 0)
      (reading, writing) = (ends[0], ends[1])
    }

    /// Reads until the text has come.
    func read(upTo text: String) -> String {
      read { String(decoding: $0.suffix(4_096), as: UTF8.self).contains(text) }
    }

    /// Reads until it is enough.
    func read(until isEnough: ([UInt8]) -> Bool) -> String {
      var all: [UInt8] = []
      var room = [UInt8](repeating: 0, count: 1 << 16)
      while !isEnough(all) {
        let count = Glibc.read(reading, &room, room.count)
        guard count > 0 else { break }
        all += room.prefix(count)
      }
      return String(decoding: all, as: UTF8.self)
    }
  }

  private func writer(_ descriptor: CInt) -> LineWriter {
    LineWriter(descriptor, name: "test.lines") { Array("\($0) dropped\n".utf8) }
  }

  @Test func linesComeOutInOrder() throws {
    let pipe = try Pipe()
    let writer = writer(pipe.writing)
    for number in 0..<1_000 { writer.put(Array("\(number)\n".utf8)) }
    writer.put(Array("end\n".utf8))
    #expect(pipe.read(upTo: "end\n") == (0..<1_000).map { "\($0)\n" }.joined() + "end\n")
    #expect(writer.flush(within: .seconds(10)))
    writer.close()
  }

  @Test func aReaderThatStopsHoldsUpNobodyAndLearnsHowManyLinesItMissed() throws {
    let pipe = try Pipe()
    let writer = writer(pipe.writing)
    let line = [UInt8](repeating: UInt8(ascii: "x"), count: 99) + [UInt8(ascii: "\n")]
    // A pipe takes 64 KiB and the queue 256 KiB; a call that waited would never return.
    for _ in 0..<10_000 { writer.put(line) }
    #expect(!writer.flush(within: .milliseconds(50)), "nobody reads: the end does not wait for long")
    func tally(_ text: String) -> (written: Int, dropped: Int) {
      let lines = text.split(separator: "\n")
      let reports = lines.compactMap { $0.hasSuffix(" dropped") ? Int($0.dropLast(8)) : nil }
      return (lines.count - reports.count, reports.reduce(0, +))
    }
    // The thread may have come by in the middle, and then there are two reports.
    let text = pipe.read { bytes in
      let (written, dropped) = tally(String(decoding: bytes, as: UTF8.self))
      return bytes.last == UInt8(ascii: "\n") && written + dropped >= 10_000
    }
    let (written, dropped) = tally(text)
    #expect(written + dropped == 10_000, "each line was written or counted")
    #expect(dropped > 2_000)
    // There is room again.
    writer.put(Array("later\n".utf8))
    #expect(pipe.read(upTo: "later\n") == "later\n")
    #expect(writer.flush(within: .seconds(10)))
    writer.close()
  }

  @Test func aReaderThatHasGoneHoldsUpNobodyEither() throws {
    ignoreSIGPIPE()
    let pipe = try Pipe()
    let writer = writer(pipe.writing)
    close(pipe.reading)
    for _ in 0..<10_000 { writer.put(Array("a line that nobody reads\n".utf8)) }
    #expect(writer.flush(within: .seconds(10)))
    writer.close()
  }

  @Test func aDescriptorThatDoesNotBlockIsWaitedFor() throws {
    let pipe = try Pipe()
    _ = fcntl(pipe.writing, F_SETFL, O_NONBLOCK)
    let writer = writer(pipe.writing)
    let line = [UInt8](repeating: UInt8(ascii: "y"), count: 99) + [UInt8(ascii: "\n")]
    for _ in 0..<1_500 { writer.put(line) }
    writer.put(Array("end\n".utf8))
    #expect(pipe.read(upTo: "end\n").utf8.count == 150_004)
    #expect(writer.flush(within: .seconds(10)))
    writer.close()
  }
}
