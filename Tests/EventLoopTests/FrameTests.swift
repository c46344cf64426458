import EventLoop
import Testing

@Suite(.timeLimit(.minutes(5)))
struct FrameTests {
  private struct Unwanted: Error {}

  /// As on the wire: u32 length of the rest, then enough to fill the header.
  private static let headerCount = 32

  private func encoded(_ body: [UInt8]) -> [UInt8] {
    let length = UInt32(Self.headerCount - 4 + body.count)
    let prefix = (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) }
    return prefix + pattern(Self.headerCount - 4, seed: body.count) + body
  }

  private static func bodyLength(_ header: Span<UInt8>) throws -> Int {
    var length = 0
    for index in 0..<4 { length = length << 8 | Int(header[index]) }
    guard length >= Self.headerCount - 4 else { throw Unwanted() }
    return length - (Self.headerCount - 4)
  }

  private func readFrame(_ stream: TCPStream, _ frame: Frame, deadline: Deadline = .never) async throws -> Bool {
    guard let header = try await stream.read(exactly: Self.headerCount, deadline: deadline) else { return false }
    let count = try Self.bodyLength(header.span)
    frame.bytes.copyBytes(from: header)
    try await stream.readBody(of: frame, headerCount: header.count, count: count, deadline: deadline)
    return true
  }

  private func fill(_ frame: Frame, _ bytes: [UInt8]) {
    frame.bytes.copyBytes(from: bytes)
    frame.count = bytes.count
  }

  private static let sizes = [0, 1, 15, 16, 4095, 4096, 4097, 65_535, 65_536, 1_000_003, (1 << 20) + 16]

  @Test func framesOfEverySizeArriveWhole() async throws {
    try await withLoop { loop in
      let pool = FramePool(frames: 4, headerBytes: Self.headerCount, bodyBytes: (1 << 20) + 16)
      let (client, server) = try await connectedPair(on: loop)
      let sending = Task {
        for round in 0..<3 {
          for size in Self.sizes {
            let frame = try await pool.take()
            fill(frame, encoded(pattern(size, seed: round)))
            try await client.write(frame: frame, from: 0, count: frame.count, deadline: .never)
          }
        }
        try await client.shutdownWrite()
      }
      for round in 0..<3 {
        for size in Self.sizes {
          let frame = try await pool.take()
          #expect(try await readFrame(server, frame))
          #expect(Array(frame.bytes[..<frame.count]) == encoded(pattern(size, seed: round)))
        }
      }
      let frame = try await pool.take()
      #expect(try await !readFrame(server, frame))
      try await sending.value
    }
  }

  @Test(arguments: [1, 3, 7, 31, 32, 33, 61])
  func aFrameInPiecesIsPutTogether(piece: Int) async throws {
    try await withLoop { loop in
      let pool = FramePool(frames: 1, headerBytes: Self.headerCount, bodyBytes: 4096)
      let (client, server) = try await connectedPair(on: loop)
      let frames = [0, 1, 30, 64, 100].map { encoded(pattern($0)) }
      let sending = Task {
        var rest = frames.flatMap { $0 }[...]
        while !rest.isEmpty {
          try await client.write(Array(rest.prefix(piece)))
          rest = rest.dropFirst(piece)
        }
        try await client.shutdownWrite()
      }
      for expected in frames {
        let frame = try await pool.take()
        #expect(try await readFrame(server, frame))
        #expect(Array(frame.bytes[..<frame.count]) == expected)
      }
      try await sending.value
    }
  }

  @Test func framesFollowAMessageThatWasReadAhead() async throws {
    try await withLoop { loop in
      let pool = FramePool(frames: 1, headerBytes: Self.headerCount, bodyBytes: 200_000)
      let (client, server) = try await connectedPair(on: loop)
      let frames = [100, 200_000, 5].map { encoded(pattern($0)) }
      let sending = Task { try await client.write([1, 2, 3] + frames.flatMap { $0 } + [4, 5]) }
      #expect(try await server.read(exactly: 3) == [1, 2, 3])
      for expected in frames {
        let frame = try await pool.take()
        #expect(try await readFrame(server, frame))
        #expect(Array(frame.bytes[..<frame.count]) == expected)
      }
      #expect(try await server.read(exactly: 2) == [4, 5])
      try await sending.value
    }
  }

  @Test func aPartOfAFrameCanBeSent() async throws {
    try await withLoop { loop in
      let pool = FramePool(frames: 1, headerBytes: Self.headerCount, bodyBytes: 1 << 20)
      let (client, server) = try await connectedPair(on: loop)
      let frame = try await pool.take()
      let bytes = pattern(frame.capacity)
      fill(frame, bytes)
      try await client.write(frame: frame, from: 17, count: 1000, deadline: .never)
      #expect(try await server.read(exactly: 1000) == Array(bytes[17..<1017]))
    }
  }

  @Test func aHeaderThatPromisesTooMuchIsRefused() async throws {
    try await withLoop { loop in
      let pool = FramePool(frames: 1, headerBytes: Self.headerCount, bodyBytes: 64)
      for promised in [65, 1 << 30, Int.max, -1] {
        let (client, server) = try await connectedPair(on: loop)
        try await client.write([UInt8](repeating: 0, count: 40))
        let frame = try await pool.take()
        await #expect(throws: LoopError(.frameTooLong, "")) {
          try await server.readBody(of: frame, headerCount: 32, count: promised, deadline: .never)
        }
      }
    }
  }

  @Test func aStreamThatEndsInsideAFrameIsTruncated() async throws {
    try await withLoop { loop in
      let pool = FramePool(frames: 1, headerBytes: Self.headerCount, bodyBytes: 64)
      for kept in [1, 31, 32, 95] {
        let (client, server) = try await connectedPair(on: loop)
        try await client.write(Array(encoded(pattern(64)).prefix(kept)))
        await client.close()
        let frame = try await pool.take()
        await #expect(throws: LoopError(.truncated, "")) { try await readFrame(server, frame) }
      }
    }
  }

  @Test func aFrameGivenUpInTheMiddleLeavesTheStreamUnusable() async throws {
    try await withLoop { loop in
      let pool = FramePool(frames: 1, headerBytes: Self.headerCount, bodyBytes: 64)
      let (client, server) = try await connectedPair(on: loop)
      // Nothing of it has come: nothing is lost.
      let frame = try await pool.take()
      await #expect(throws: TimeoutError.self) { try await readFrame(server, frame, deadline: .after(.milliseconds(5))) }
      try await client.write(Array(encoded(pattern(64)).prefix(40)))
      await #expect(throws: TimeoutError.self) { try await readFrame(server, frame, deadline: .after(.milliseconds(50))) }
      await #expect(throws: LoopError(.truncated, "")) { try await readFrame(server, frame) }
    }
  }

  @Test func aFrameStaysAliveUntilItIsSent() async throws {
    try await withLoop { loop in
      let pool = FramePool(frames: 1, headerBytes: 0, bodyBytes: 32 << 20)
      let (client, server) = try await connectedPair(on: loop)
      let bytes = pattern(32 << 20)
      let writing = Task {
        let frame = try await pool.take()
        fill(frame, bytes)
        try await client.write(frame: frame, from: 0, count: frame.count, deadline: .never)
      }
      let begin = try #require(try await server.read(exactly: 1 << 20))
      #expect(begin == Array(bytes.prefix(1 << 20)))
      writing.cancel()
      await #expect(throws: CancellationError.self) { try await writing.value }
      // The kernel has not got it all, so nobody else may have the memory.
      #expect(pool.tryTake() == nil)
      let again = Task { try await pool.take() }
      let closing = Task { try await client.shutdownWrite() }
      let rest = try await readAll(server)
      #expect(rest.count == bytes.count - begin.count && rest == Array(bytes.dropFirst(1 << 20)))
      try await closing.value
      #expect(try await again.value.capacity == 32 << 20)
    }
  }
}
