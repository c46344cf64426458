import EventLoop

/// A TCP proxy in front of a node that lets so many bytes of data connections come from the node and then holds the rest back,
/// closing nothing. Links pass: a second command can still ask.
actor Gate {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
  /// Where it listens.
  nonisolated let address: String

  private let host: String
  private let port: UInt16
  private let listener: TCPListener
  private var left: Int
  private var held: [CheckedContinuation<Void, Never>] = []
  private var streams: [TCPStream] = []
  private var isClosed = false

  /// A gate before the node at `target`, `HOST:PORT`, that lets `bytes` through.
  init(before target: String, letting bytes: Int, on loop: EventLoop) async throws {
    let parts = target.split(separator: ":")
    host = String(parts[0])
    port = UInt16(parts[1]) ?? 0
    left = bytes
    self.loop = loop
    listener = try await TCPListener.bind(host: "127.0.0.1", port: 0, on: loop)
    address = "127.0.0.1:\(listener.localAddress.port)"
    Task { await self.serve() }
  }

  /// Lets everything through from now on.
  func open() {
    left = .max
    let waiting = held
    held = []
    for waiter in waiting { waiter.resume() }
  }

  func close() async {
    isClosed = true
    open()
    await listener.close()
    for stream in streams { await stream.close() }
  }

  private func serve() async {
    while let near = try? await listener.accept() {
      Task { await self.connect(near) }
    }
  }

  private func connect(_ near: TCPStream) async {
    guard !isClosed, let far = try? await TCPStream.connect(host: host, port: port, on: loop) else { return await near.close() }
    streams += [near, far]
    // The first byte says what it is (PROTOCOL.md §4): 3, a data connection.
    guard let first = try? await near.read(), (try? await far.write(first)) != nil else {
      await near.close()
      return await far.close()
    }
    let isData = first.first == 3
    Task { await self.pass(from: far, to: near, isCounted: isData) }
    await pass(from: near, to: far, isCounted: false)
  }

  private func pass(from: TCPStream, to: TCPStream, isCounted: Bool) async {
    while let bytes = try? await from.read() {
      if isCounted {
        while left < bytes.count { await withCheckedContinuation { held.append($0) } }
        if left < .max { left -= bytes.count }
      }
      guard (try? await to.write(bytes)) != nil else { break }
    }
    await from.close()
    await to.close()
  }
}
