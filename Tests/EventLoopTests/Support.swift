internal import EventLoop
internal import FoundationEssentials
internal import Testing

/// A loop of the test's own. Stopping it traps if a handle outlived it, so every test is a leak test.
@discardableResult
func withLoop<Result: Sendable>(_ body: @Sendable (EventLoop) async throws -> Result) async throws -> Result {
  let loop = EventLoop(name: "test.loop")
  do {
    let result = try await body(loop)
    await loop.stop()
    return result
  } catch {
    await loop.stop()
    throw error
  }
}

/// Both ends of one TCP connection.
func connectedPair(on loop: EventLoop, host: String = "127.0.0.1") async throws -> (TCPStream, TCPStream) {
  let listener = try await TCPListener.bind(host: host, port: 0, on: loop)
  async let accepted = listener.accept()
  let client = try await TCPStream.connect(to: listener.localAddress, on: loop)
  let server = try await accepted
  await listener.close()
  return (client, server)
}

/// Starts `operation` and lets it run until it waits: everything before its first wait happens on this loop.
func started<Value: Sendable>(
  on loop: EventLoop, _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Task<Value, any Error> {
  let begun = AsyncStream.makeStream(of: Void.self)
  let task = Task {
    begun.continuation.yield()
    return try await operation()
  }
  for await _ in begun.stream { break }
  for _ in 0..<4 { try await loop.run {} }
  return task
}

/// Bytes that differ from place to place, so that a shift or a swap shows.
func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(count)
  var start = seed % tile.count
  while bytes.count < count {
    bytes += tile[start..<min(tile.count, start + count - bytes.count)]
    start = 0
  }
  return bytes
}

/// A prime number of bytes: no buffer's size is a multiple of it.
private let tile: [UInt8] = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ ($0 >> 8)) }

/// Everything up to the end.
func readAll(_ stream: some ByteStream) async throws -> [UInt8] {
  var all: [UInt8] = []
  while let bytes = try await stream.read() { all += bytes }
  return all
}

/// A folder that is gone after the test; short, for the sake of socket paths.
@discardableResult
func withFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
  let path = "/tmp/pawl-\(UInt64.random(in: 0 ... .max))"
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try await body(path)
}

/// A lock that closures can share.
final class Shared<Value: Sendable>: Sendable {
  private let value: Locked<Value>
  init(_ value: Value) { self.value = Locked(value) }
  func change(_ body: (inout Value) -> Void) { value.withLock { body(&$0) } }
  var current: Value { value.withLock { $0 } }
}
