import EventLoop
import Testing

/// Backpressure, cancellation and deadlines.
@Suite(.timeLimit(.minutes(5)))
struct WaitingTests {
  /// More than any kernel buffers for one connection here.
  private static let tooMuch = 32 << 20

  @Test func aWriterWaitsWhileNobodyReadsAndNothingIsLost() async throws {
    try await withLoop { loop in
      let (client, server) = try await connectedPair(on: loop)
      let block = pattern(1 << 20)
      var written = 0
      do {
        while written < Self.tooMuch {
          try await client.write(block, deadline: .after(.milliseconds(100)))
          written += block.count
        }
        Issue.record("32 MiB went out though nobody read")
      } catch is TimeoutError {
        // The block that timed out still goes out whole.
        written += block.count
      }
      let sent = written
      let closing = Task { try await client.shutdownWrite() }
      var received = 0
      while let bytes = try await server.read(exactly: block.count) {
        #expect(bytes == block)
        received += bytes.count
      }
      #expect(received == sent)
      try await closing.value
    }
  }

  @Test func bothDirectionsFlowAtOnceThroughFullBuffers() async throws {
    try await withLoop { loop in
      let (client, server) = try await connectedPair(on: loop)
      let size = 16 << 20
      @Sendable func exchange(_ stream: TCPStream) async throws -> Int {
        async let received = readAll(stream).count
        for _ in 0..<16 { try await stream.write(pattern(size / 16)) }
        try await stream.shutdownWrite()
        return try await received
      }
      async let one = exchange(client)
      async let other = exchange(server)
      #expect(try await [one, other] == [size, size])
    }
  }

  @Test func aCancelledReaderLeavesTheStreamUsable() async throws {
    try await withLoop { loop in
      let (client, server) = try await connectedPair(on: loop)
      for _ in 0..<10 {
        let reading = try await started(on: loop) { try await server.read() }
        reading.cancel()
        await #expect(throws: CancellationError.self) { try await reading.value }
      }
      try await client.write([1, 2, 3])
      #expect(try await server.read() == [1, 2, 3])
    }
  }

  @Test func aCancelledExactReadLosesNoByte() async throws {
    try await withLoop { loop in
      let (client, server) = try await connectedPair(on: loop)
      try await client.write([1, 2, 3])
      await #expect(throws: TimeoutError.self) { try await server.read(exactly: 5, deadline: .after(.milliseconds(20))) }
      let reading = try await started(on: loop) { try await server.read(exactly: 5) }
      reading.cancel()
      await #expect(throws: CancellationError.self) { try await reading.value }
      try await client.write([4, 5])
      #expect(try await server.read(exactly: 5) == [1, 2, 3, 4, 5])
    }
  }

  @Test func aReadWithoutAnswerTimesOut() async throws {
    try await withLoop { loop in
      let (client, server) = try await connectedPair(on: loop)
      await #expect(throws: TimeoutError.self) { try await server.read(deadline: .after(.milliseconds(5))) }
      await #expect(throws: TimeoutError.self) { try await server.read(deadline: .after(.zero)) }
      try await client.write([1])
      #expect(try await server.read(deadline: .after(.seconds(60))) == [1])
    }
  }

  @Test func aCancelledWriterIsFreedAndItsBytesStayWhole() async throws {
    try await withLoop { loop in
      let (client, server) = try await connectedPair(on: loop)
      let block = pattern(Self.tooMuch)
      let writing = Task { try await client.write(block) }
      let begin = try #require(try await server.read(exactly: 1000))
      writing.cancel()
      await #expect(throws: CancellationError.self) { try await writing.value }
      let after = Task {
        try await client.write([1, 2, 3])
        try await client.shutdownWrite()
      }
      let all = try await begin + readAll(server)
      #expect(all.count == block.count + 3 && all == block + [1, 2, 3])
      try await after.value
    }
  }

  @Test func aCancelledAcceptLeavesTheListenerUsable() async throws {
    try await withLoop { loop in
      let listener = try await TCPListener.bind(host: "127.0.0.1", port: 0, on: loop)
      let first = try await started(on: loop) { try await listener.accept() }
      let second = try await started(on: loop) { try await listener.accept() }
      first.cancel()
      await #expect(throws: CancellationError.self) { try await first.value }
      let client = try await TCPStream.connect(to: listener.localAddress, on: loop)
      let server = try await second.value
      #expect(await client.localAddress == server.remoteAddress)
    }
  }

  /// A listener whose queue is full: the kernel drops what else would connect.
  private func fullListener(on loop: EventLoop) async throws -> (TCPListener, [TCPStream]) {
    let listener = try await TCPListener.bind(host: "127.0.0.1", port: 0, backlog: 0, on: loop)
    var clients: [TCPStream] = []
    do {
      while clients.count < 16 {
        let deadline = Deadline.after(.milliseconds(200))
        clients.append(try await TCPStream.connect(to: listener.localAddress, on: loop, deadline: deadline))
      }
      Issue.record("a queue for one took sixteen")
    } catch is TimeoutError {
      // Full.
    }
    return (listener, clients)
  }

  @Test func aConnectWithoutAnswerTimesOutAndCanBeCancelled() async throws {
    try await withLoop { loop in
      let (listener, clients) = try await fullListener(on: loop)
      let address = listener.localAddress
      let connecting = try await started(on: loop) { try await TCPStream.connect(to: address, on: loop) }
      connecting.cancel()
      await #expect(throws: CancellationError.self) { try await connecting.value }
      #expect(!clients.isEmpty)
    }
  }

  @Test func stoppingEndsAConnectWithoutAnswer() async throws {
    let loop = EventLoop()
    let (listener, clients) = try await fullListener(on: loop)
    let address = listener.localAddress
    let connecting = try await started(on: loop) { try await TCPStream.connect(to: address, on: loop) }
    await loop.stop()
    await #expect(throws: LoopError(.closed, "")) { try await connecting.value }
    #expect(!clients.isEmpty)
  }

  @Test func aNameThatDoesNotExistIsUnresolvable() async throws {
    try await withLoop { loop in
      for name in ["", "no such name", "a\0b", "nothing.invalid"] {
        await #expect(throws: LoopError(.unresolvable, "")) {
          try await Resolver.resolve(host: name, port: 1, on: loop)
        }
      }
    }
  }

  @Test func aNumericAddressIsNotLookedUp() async throws {
    try await withLoop { loop in
      let address = try #require(SocketAddress(ip: "2001:db8::1", port: 9))
      #expect(try await Resolver.resolve(host: "2001:db8::1", port: 9, on: loop) == [address])
    }
  }
}
