import EventLoop
import Testing

@Suite(.timeLimit(.minutes(5)))
struct TCPTests {
  @Test(arguments: ["127.0.0.1", "::1"])
  func bytesArriveInBothDirections(host: String) async throws {
    try await withLoop { loop in
      let (client, server) = try await connectedPair(on: loop, host: host)
      try await client.write(pattern(1000))
      #expect(try await server.read(exactly: 1000) == pattern(1000))
      try await server.write(pattern(70_000, seed: 3))
      #expect(try await client.read(exactly: 70_000) == pattern(70_000, seed: 3))
      #expect(client.remoteAddress.host == host)
      #expect(server.remoteAddress.host == host)
      #expect(await client.localAddress == server.remoteAddress)
    }
  }

  @Test func aDualStackListenerTakesIPv4AndShowsItAsIPv4() async throws {
    try await withLoop { loop in
      let listener = try await TCPListener.bind(host: "::", port: 0, on: loop)
      let port = listener.localAddress.port
      #expect(port != 0)
      for host in ["127.0.0.1", "::1"] {
        let client = try await TCPStream.connect(host: host, port: port, on: loop)
        let server = try await listener.accept()
        #expect(server.remoteAddress.host == host)
        await client.close()
        await server.close()
      }
    }
  }

  @Test func aHostNameIsLookedUp() async throws {
    try await withLoop { loop in
      let listener = try await TCPListener.bind(host: "localhost", port: 0, on: loop)
      let client = try await TCPStream.connect(host: "localhost", port: listener.localAddress.port, on: loop)
      #expect(client.remoteAddress.isLoopback)
    }
  }

  @Test func anAddressInUseSaysSo() async throws {
    try await withLoop { loop in
      let first = try await TCPListener.bind(host: "127.0.0.1", port: 0, on: loop)
      await #expect(throws: LoopError(.addressInUse, "")) {
        try await TCPListener.bind(host: "127.0.0.1", port: first.localAddress.port, on: loop)
      }
    }
  }

  @Test func aPortIsFreeAgainOnceItsListenerIsClosed() async throws {
    try await withLoop { loop in
      let first = try await TCPListener.bind(host: "127.0.0.1", port: 0, on: loop)
      let client = try await TCPStream.connect(to: first.localAddress, on: loop)
      let server = try await first.accept()
      await first.close()
      await server.close()  // ours goes first, so the port is left in TIME_WAIT
      await client.close()
      _ = try await TCPListener.bind(host: "127.0.0.1", port: first.localAddress.port, on: loop)
    }
  }

  @Test func aForeignAddressCannotBeListenedOn() async throws {
    try await withLoop { loop in
      await #expect(throws: LoopError(.addressNotAvailable, "")) {
        try await TCPListener.bind(host: "192.0.2.1", port: 0, on: loop)
      }
    }
  }

  @Test func aPortWithoutListenerRefuses() async throws {
    try await withLoop { loop in
      let listener = try await TCPListener.bind(host: "127.0.0.1", port: 0, on: loop)
      let address = listener.localAddress
      await listener.close()
      await #expect(throws: LoopError(.refused, "")) { try await TCPStream.connect(to: address, on: loop) }
      await #expect(throws: LoopError(.refused, "")) {
        try await TCPStream.connect(host: "127.0.0.1", port: address.port, on: loop)
      }
    }
  }

  @Test func aHalfClosedStreamStillReceives() async throws {
    try await withLoop { loop in
      let (client, server) = try await connectedPair(on: loop)
      try await client.write(pattern(300_000))
      try await client.shutdownWrite()
      try await client.shutdownWrite()
      #expect(try await readAll(server) == pattern(300_000))
      #expect(try await server.read() == nil)
      try await server.write([9, 8, 7])
      #expect(try await client.read(exactly: 3) == [9, 8, 7])
      await #expect(throws: LoopError(.reset, "")) { try await client.write([1]) }
      await server.close()
      #expect(try await client.read() == nil)
    }
  }

  @Test func tenThousandSmallMessagesArriveWholeAndInOrder() async throws {
    try await withLoop { loop in
      let (client, server) = try await connectedPair(on: loop)
      let sender = Task {
        for number in 0..<10_000 {
          let body = pattern(number % 97, seed: number)
          try await client.write([UInt8(number >> 8), UInt8(number & 0xFF), UInt8(body.count)] + body)
        }
        try await client.shutdownWrite()
      }
      var next = 0
      while let header = try await server.read(exactly: 3) {
        #expect(Int(header[0]) << 8 | Int(header[1]) == next)
        #expect(try await server.read(exactly: Int(header[2])) == pattern(next % 97, seed: next))
        next += 1
      }
      #expect(next == 10_000)
      try await sender.value
    }
  }

  @Test func concurrentWritersNeverMixTheirBytes() async throws {
    try await withLoop { loop in
      let (client, server) = try await connectedPair(on: loop)
      let size = 300_000
      let writers = Task {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for writer in 0..<8 {
            group.addTask {
              for _ in 0..<6 { try await client.write([UInt8](repeating: UInt8(writer), count: size)) }
            }
          }
          try await group.waitForAll()
        }
        try await client.shutdownWrite()
      }
      var counts = [Int](repeating: 0, count: 8)
      while let message = try await server.read(exactly: size) {
        let writer = Int(message[0])
        #expect(message == [UInt8](repeating: message[0], count: size))
        counts[writer] += 1
      }
      #expect(counts == [Int](repeating: 6, count: 8))
      try await writers.value
    }
  }

  @Test func aStreamThatEndsInsideAnExactReadIsTruncated() async throws {
    try await withLoop { loop in
      let (client, server) = try await connectedPair(on: loop)
      try await client.write([1, 2, 3])
      await client.close()
      await #expect(throws: LoopError(.truncated, "")) { try await server.read(exactly: 4) }
      #expect(try await server.read() == [1, 2, 3])
      #expect(try await server.read(exactly: 4) == nil)
    }
  }

  @Test func closingIsDoneOnceHoweverOftenItIsAskedFor() async throws {
    try await withLoop { loop in
      let (client, server) = try await connectedPair(on: loop)
      let reading = try await started(on: loop) { try await client.read() }
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<10 { group.addTask { await client.close() } }
      }
      await client.close()
      await #expect(throws: LoopError(.closed, "")) { try await reading.value }
      await #expect(throws: LoopError(.closed, "")) { try await client.write([1]) }
      await #expect(throws: LoopError(.closed, "")) { try await client.shutdownWrite() }
      #expect(await client.localAddress == nil)
      #expect(try await server.read() == nil)
    }
  }

  @Test func closingFailsTheWriterThatWaits() async throws {
    try await withLoop { loop in
      let (client, server) = try await connectedPair(on: loop)
      let writing = try await started(on: loop) { while true { try await client.write(pattern(1 << 20)) } }
      await client.close()
      await #expect(throws: LoopError(.closed, "")) { try await writing.value }
      await server.close()
    }
  }

  @Test func aStreamThatNobodyHoldsIsClosed() async throws {
    try await withLoop { loop in
      var pair: (TCPStream, TCPStream)? = try await connectedPair(on: loop)
      let server = try #require(pair?.1)
      pair = nil
      #expect(try await server.read() == nil)
    }
  }

  @Test func aResetIsAnErrorAndNotAnEnd() async throws {
    try await withLoop { loop in
      let (client, server) = try await connectedPair(on: loop)
      try await server.write(pattern(1000))  // never read: closing over it makes the kernel send a reset
      _ = try await client.read(exactly: 1)
      try await server.write(pattern(1 << 18))
      await client.close()
      await #expect(throws: LoopError(.reset, "")) { while try await server.read() != nil {} }
    }
  }

  @Test func severalTasksCanAcceptAtOnce() async throws {
    try await withLoop { loop in
      let listener = try await TCPListener.bind(host: "127.0.0.1", port: 0, on: loop)
      try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
        for _ in 0..<20 { group.addTask { try await listener.accept().read() } }
        var clients: [TCPStream] = []
        for number in 0..<20 {
          let client = try await TCPStream.connect(to: listener.localAddress, on: loop)
          try await client.write([UInt8(number)])
          clients.append(client)
        }
        var seen: [UInt8] = []
        for try await bytes in group { seen += bytes ?? [] }
        #expect(seen.sorted() == Array(0..<20))
      }
    }
  }

  @Test func closingAListenerWakesWhoAccepts() async throws {
    try await withLoop { loop in
      let listener = try await TCPListener.bind(host: "127.0.0.1", port: 0, on: loop)
      let accepting = try await started(on: loop) { try await listener.accept() }
      await listener.close()
      await listener.close()
      await #expect(throws: LoopError(.closed, "")) { try await accepting.value }
      await #expect(throws: LoopError(.closed, "")) { try await listener.accept() }
    }
  }
}
