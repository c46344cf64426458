import EventLoop
import Glibc
import Testing

@Suite(.timeLimit(.minutes(5)))
struct PipeTests {
  @Test func bytesArriveInBothDirections() async throws {
    try await withFolder { folder in
      try await withLoop { loop in
        let listener = try await PipeListener.bind(path: folder + "/s", on: loop)
        let client = try await PipeStream.connect(path: folder + "/s", on: loop)
        let server = try await listener.accept()
        try await client.write(pattern(500))
        #expect(try await server.read(exactly: 500) == pattern(500))
        try await server.write([1])
        try await server.shutdownWrite()
        #expect(try await readAll(client) == [1])
        try await client.write([2])
        #expect(try await server.read() == [2])
      }
    }
  }

  @Test func aPairIsConnected() async throws {
    try await withLoop { loop in
      let (one, other) = try await PipeStream.pair(on: loop)
      let sending = Task {
        try await one.write(pattern(1 << 20))
        await one.close()
      }
      #expect(try await readAll(other) == pattern(1 << 20))
      try await sending.value
    }
  }

  @Test func onlyTheOwnerMayConnect() async throws {
    try await withFolder { folder in
      try await withLoop { loop in
        let listener = try await PipeListener.bind(path: folder + "/s", on: loop)
        var info = stat()
        #expect(lstat(listener.path, &info) == 0)
        #expect(info.st_mode & 0o777 == 0o600)
        await listener.close()
        #expect(lstat(listener.path, &info) != 0)
      }
    }
  }

  @Test func aSocketLeftOverFromACrashIsReplaced() async throws {
    try await withFolder { folder in
      try await withLoop { loop in
        let path = folder + "/s"
        // What a killed process leaves: bound, and nobody there any more.
        let dead = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: address) { pointer in
          pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(dead, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
          }
        }
        #expect(bound == 0)
        close(dead)
        await #expect(throws: LoopError(.refused, "")) { try await PipeStream.connect(path: path, on: loop) }
        let listener = try await PipeListener.bind(path: path, on: loop)
        _ = try await PipeStream.connect(path: path, on: loop)
        _ = try await listener.accept()
      }
    }
  }

  @Test func aLiveSocketIsNotTakenOver() async throws {
    try await withFolder { folder in
      try await withLoop { loop in
        let path = folder + "/s"
        let listener = try await PipeListener.bind(path: path, on: loop)
        await #expect(throws: LoopError(.addressInUse, "")) { try await PipeListener.bind(path: path, on: loop) }
        let client = try await PipeStream.connect(path: path, on: loop)
        try await client.write([5])
        // The probe of the one who was refused may wait in front.
        var received: [UInt8]?
        while received == nil { received = try await listener.accept().read() }
        #expect(received == [5])
      }
    }
  }

  @Test func onlyOneOfManyGetsAStaleSocket() async throws {
    try await withFolder { folder in
      try await withLoop { loop in
        let path = folder + "/s"
        let results = await withTaskGroup(of: PipeListener?.self) { group in
          for _ in 0..<10 { group.addTask { try? await PipeListener.bind(path: path, on: loop) } }
          return await group.reduce(into: [PipeListener]()) { all, one in if let one { all.append(one) } }
        }
        #expect(results.count == 1)
      }
    }
  }

  @Test func aFileThatIsNoSocketIsLeftAlone() async throws {
    try await withFolder { folder in
      try await withLoop { loop in
        let path = folder + "/file"
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        await #expect(throws: LoopError(.notASocket, "")) { try await PipeListener.bind(path: path, on: loop) }
        var info = stat()
        #expect(lstat(path, &info) == 0)
      }
    }
  }

  @Test func aPathThatIsTooLongIsAClearError() async throws {
    try await withFolder { folder in
      try await withLoop { loop in
        let long = folder + "/" + String(repeating: "x", count: 107 - folder.utf8.count)
        #expect(long.utf8.count == 108)
        await #expect(throws: LoopError(.pathTooLong, "")) { try await PipeListener.bind(path: long, on: loop) }
        await #expect(throws: LoopError(.pathTooLong, "")) { try await PipeStream.connect(path: long, on: loop) }
        let longest = String(long.dropLast())
        let listener = try await PipeListener.bind(path: longest, on: loop)
        _ = try await PipeStream.connect(path: longest, on: loop)
        await listener.close()
      }
    }
  }

  @Test func aMissingFolderOrFileIsNotFound() async throws {
    try await withFolder { folder in
      try await withLoop { loop in
        await #expect(throws: LoopError(.notFound, "")) { try await PipeListener.bind(path: folder + "/a/s", on: loop) }
        await #expect(throws: LoopError(.notFound, "")) { try await PipeStream.connect(path: folder + "/s", on: loop) }
        await #expect(throws: LoopError(.notFound, "")) { try await PipeStream.connect(path: "", on: loop) }
      }
    }
  }

  @Test func aListenerDoesNotRemoveTheSocketOfItsSuccessor() async throws {
    try await withFolder { folder in
      try await withLoop { loop in
        let path = folder + "/s"
        let old = try await PipeListener.bind(path: path, on: loop)
        unlink(path)
        let new = try await PipeListener.bind(path: path, on: loop)
        await old.close()
        _ = try await PipeStream.connect(path: path, on: loop)
        _ = try await new.accept()
      }
    }
  }

  @Test func aFullQueueIsWaitedFor() async throws {
    try await withFolder { folder in
      try await withLoop { loop in
        let path = folder + "/s"
        let listener = try await PipeListener.bind(path: path, backlog: 0, on: loop)
        let first = try await PipeStream.connect(path: path, on: loop)
        await #expect(throws: TimeoutError.self) {
          while true { _ = try await PipeStream.connect(path: path, on: loop, deadline: .after(.milliseconds(20))) }
        }
        let second = try await started(on: loop) { try await PipeStream.connect(path: path, on: loop) }
        let accepting = Task { while true { _ = try await listener.accept() } }
        _ = try await second.value
        await listener.close()
        await #expect(throws: LoopError(.closed, "")) { try await accepting.value }
        await first.close()
      }
    }
  }
}
