internal import EventLoop
internal import Logging
internal import Primitives
internal import Session
internal import Store
internal import Transfer

/// What every part of a node works with: one loop, one identity, one state, a few threads.
struct NodeContext: Sendable {
  /// Wall-clock Unix seconds. A parameter, so that a simulator can own the time.
  typealias Clock = @Sendable () -> UInt64

  let loop: EventLoop
  let identity: Identity
  /// What the state's secrets are sealed under.
  let key: StateKey
  let database: Database
  let crypto: SessionCrypto
  let clock: Clock
  let threads: NodeThreads
  let network: any NetworkView
  let logger: Logger
  /// For lines that others cause, who must not be able to fill the log.
  let peerLog: PeerLog
  /// What may be open at once.
  let descriptors: DescriptorBudget
  /// Who may dial now.
  let dials: DialGate
  let numbers: SafetyNumbers

  /// Wall-clock Unix seconds.
  var now: UInt64 { clock() }
}

/// The threads that keep disk and bulk arithmetic off the loop, and the buffers that bound what is in flight between them.
struct NodeThreads: Sendable {
  /// Reading and sealing chunks for others: one keeps ahead of any receiver.
  let seal = WorkerPool(threads: 1, name: "pawl.seal")
  /// Opening, hashing and writing chunks that arrive: two, since the receiver does the most work.
  let open = WorkerPool(threads: 2, name: "pawl.open")
  /// Walking folders, hashing what is shared, reading back what was delivered.
  let files = WorkerPool(threads: 2, name: "pawl.files")

  func stop() async {
    await seal.stop()
    await open.stop()
    await files.stop()
  }
}

/// The frames of one peer or one pull, a pool for each chunk size in use. Nobody shares them with others, so a peer that reads or
/// sends slowly holds up only itself.
final class FrameShelf: Sendable {
  private let frames: Int
  private let pools = Locked<[Int: FramePool]>([:])

  /// A shelf whose pools have so many frames.
  init(frames: Int) { self.frames = frames }

  /// The pool whose frames take a sealed chunk of `chunkBytes` and its header.
  func pool(chunkBytes: Int) -> FramePool {
    pools.withLock { [frames] pools in
      if let pool = pools[chunkBytes] { return pool }
      // Large chunks are rare, and three of them are in flight at least: in the socket, at a worker, waiting.
      let count = chunkBytes > TransferLimits.pieceBytes ? 3 : frames
      let pool = FramePool(
        frames: count, headerBytes: SegmentHeader.byteCount, bodyBytes: chunkBytes + BulkCipher.tagBytes)
      pools[chunkBytes] = pool
      return pool
    }
  }
}
