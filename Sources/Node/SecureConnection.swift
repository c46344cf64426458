internal import EventLoop
internal import Noise
internal import Wire

/// A byte stream behind a finished Noise handshake: each message one Noise transport message with a `u16` length.
actor SecureConnection: Connection {
  /// Queued bytes above which `send` waits: some twenty of the largest messages.
  static let highWaterBytes = 1 << 20
  /// How long `close` lets queued bytes go out.
  static let flushTime = Duration.seconds(1)

  nonisolated let loop: EventLoop
  nonisolated let remoteName: String
  nonisolated let ends: ConnectionEnds?
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let stream: any ByteStream
  private var transport: NoiseTransport
  private var decoder: FrameDecoder
  private var queued: [UInt8] = []
  private var isWriting = false
  private var failure: (any Error)?
  private var waiters: [CheckedContinuation<Void, Never>] = []

  init(
    stream: any ByteStream, transport: consuming NoiseTransport, decoder: FrameDecoder, remoteName: String,
    ends: ConnectionEnds?, loop: EventLoop
  ) {
    self.stream = stream
    self.transport = transport
    self.decoder = decoder
    self.remoteName = remoteName
    self.ends = ends
    self.loop = loop
  }

  func send(_ message: [UInt8]) async throws {
    try enqueue(message)
    while queued.count > Self.highWaterBytes, failure == nil {
      await withCheckedContinuation { waiters.append($0) }
    }
    if let failure { throw failure }
  }

  private func enqueue(_ message: [UInt8]) throws {
    if let failure { throw failure }
    let sealed = try transport.encrypt(message)
    var frame = ByteWriter(capacity: sealed.count + 2)
    frame.u16(UInt16(sealed.count))
    frame.append(sealed)
    queued += frame.bytes
    if !isWriting {
      isWriting = true
      startTask { await self.writeQueued() }
    }
  }

  private func writeQueued() async {
    while !queued.isEmpty, failure == nil {
      let batch = queued
      queued = []
      do { try await stream.write(batch) } catch { failure = error }
      wakeWaiters()
    }
    isWriting = false
    wakeWaiters()
  }

  private func wakeWaiters() {
    let woken = waiters
    waiters = []
    for waiter in woken { waiter.resume() }
  }

  func receive(within silence: Duration) async throws -> [UInt8]? {
    while true {
      if let sealed = try decoder.next() { return try transport.decrypt(sealed) }
      guard let bytes = try await stream.read(deadline: .after(silence)) else {
        guard decoder.pendingCount == 0 else { throw WireError.truncated }
        return nil
      }
      decoder.append(bytes)
    }
  }

  func close(saying last: [UInt8]?) async {
    if let last { try? enqueue(last) }
    await flush()
    failure = failure ?? LinkEnded()
    wakeWaiters()
    await stream.close()
  }
}

extension SecureConnection {
  /// Waits until what is queued has gone out, or long enough; in a canceled task too.
  private func flush() async {
    let deadline = Deadline.after(Self.flushTime)
    let timer = startTask {
      if (try? await loop.sleep(until: deadline)) != nil { self.wakeWaiters() }
    }
    while isWriting, failure == nil, !deadline.isPast { await withCheckedContinuation { waiters.append($0) } }
    timer.cancel()
  }
}

/// The link was closed by this side.
struct LinkEnded: Error {}
