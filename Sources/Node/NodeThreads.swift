internal import EventLoop
internal import Primitives
internal import Transfer

/// The threads that keep disk and bulk arithmetic off the loop, and the frames that bound what is in flight between them.
///
/// Jobs that take long never share threads with short ones: a node that hashes for hours answers all the same.
struct NodeThreads: Sendable {
  /// Reading and sealing chunks for others: one keeps ahead of any receiver.
  let seal = WorkerPool(threads: 1, name: "pawl.seal")
  /// Opening, hashing and writing chunks that arrive: two, since the receiver does the most work.
  let open = WorkerPool(threads: 2, name: "pawl.open")
  /// Short jobs alone: looking at a file, opening folders, reading a manifest.
  let files = WorkerPool(threads: 2, name: "pawl.files")
  /// Reading whole files, in slices that alternate: hashing what is shared, reading back what was delivered.
  let hashing = WorkerPool(threads: 2, name: "pawl.hash")
  /// Walking folders, planning, placing, removing: many small steps, between which a job can be stopped.
  let folders = WorkerPool(threads: 2, name: "pawl.folders")

  /// What large jobs leave free.
  let heap: HeapReturn
  /// Frames of all pulls.
  let pullFrames: FrameBudget
  /// Frames of all peers that are served.
  let serveFrames: FrameBudget

  init(loop: EventLoop, frames: FrameLimits = FrameLimits()) {
    heap = HeapReturn(loop: loop, pool: files)
    pullFrames = frames.budget(shareBytes: frames.pullShareBytes, on: loop)
    serveFrames = frames.budget(shareBytes: frames.serveShareBytes, on: loop)
  }

  /// Tells long jobs that the node is about to stop, whoever waits for them.
  func raiseStop() { for pool in [hashing, folders] { pool.raiseStop() } }

  func stop() async {
    // All are told at once; then each is waited for.
    await withTaskGroup(of: Void.self) { group in
      for pool in [seal, open, files, hashing, folders] { group.addTask { await pool.stop() } }
    }
  }
}

/// How much memory the frames of a node may take.
///
/// Half is for pulls and half for serving, and neither lends to the other. Two nodes that pull from each other would else stand
/// still: each full of frames that the other does not read, because it has no frame left to read them into.
struct FrameLimits: Sendable {
  /// For all frames of the node together. Half of it holds one of the largest chunks.
  static let totalBytes = 32 << 20
  /// Of each direction.
  var bytes = totalBytes / 2
  /// Of one pull: two chunks at the workers, one in the socket, the rest so that neither waits.
  var pullShareBytes = 8 << 20
  /// Of one peer that is served: one chunk being written, one ready, one at the worker, and one for another connection.
  var serveShareBytes = 4 << 20

  func budget(shareBytes: Int, on loop: EventLoop) -> FrameBudget {
    FrameBudget(
      bytes: bytes, shareBytes: shareBytes, headerBytes: SegmentHeader.byteCount, overheadBytes: BulkCipher.tagBytes
    ) { [weak loop] time, body in loop?.callLater(time, body) }
  }
}
