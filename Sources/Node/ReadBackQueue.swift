internal import EventLoop
internal import Foundation
internal import Logging
internal import Primitives
internal import Store

/// Reads delivered files back from disk, once each: only a hash computed here is ever shown as verified.
actor ReadBackQueue {
  /// A file whose bytes are not what its publisher claimed.
  struct Wrong: Sendable {
    let path: String
    /// Where it was moved; nil if it could not be.
    let quarantine: String?
  }

  /// Files of one trip to a worker, and their bytes: enough that neither trip nor commit is felt.
  static let batchFiles = 256
  static let batchBytes: UInt64 = 64 << 20
  /// What a file that was set aside is called: hidden, and never mistaken for the real one.
  static let quarantinePrefix = ".pawl-quarantined-"

  nonisolated let context: NodeContext
  nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

  private var waiting: [Int64] = []
  private var isWorking = false
  private let stopped = Flag()

  init(context: NodeContext) { self.context = context }

  /// Takes up what an earlier run of the node left.
  func resume() async {
    for file in (try? await context.database.pendingReadBacks()) ?? [] where !waiting.contains(file.holding) {
      enqueue(file.holding)
    }
  }

  /// Reads a delivery back some time soon.
  func enqueue(_ holding: Int64) {
    waiting.append(holding)
    guard !isWorking else { return }
    isWorking = true
    startTask { await self.work() }
  }

  private func work() async {
    while !waiting.isEmpty, !stopped.isSet {
      let holding = waiting.removeFirst()
      do { _ = try await run(holding) { _ in } } catch {
        context.logger.error("a delivery was not read back", metadata: ["error": "\(error)"])
      }
    }
    isWorking = false
  }

  /// Reads a delivery back now. Returns what is wrong with it.
  func run(_ holding: Int64, progress: @escaping @Sendable (UInt64) -> Void) async throws -> [Wrong] {
    var wrong: [Wrong] = []
    var done: UInt64 = 0
    let pending = try await context.database.holdingFiles(holding).filter { $0.state == .pending }
    var start = 0
    while start < pending.count, !stopped.isSet {
      try Task.checkCancellation()
      let batch = Self.batch(pending[start...])
      guard let computed = try await hash(batch) else { break }
      let states = try await context.database.setReadBacks(holding: holding, computed)
      for file in batch where states[file.index] == .mismatch { wrong.append(await quarantine(file)) }
      start += batch.count
      done += batch.reduce(0) { $0 + $1.sizeBytes }
      progress(done)
    }
    return wrong
  }

  /// Small files share a trip to a worker and a commit; a large one has its own.
  private static func batch(_ files: ArraySlice<HoldingFile>) -> [HoldingFile] {
    var batch: [HoldingFile] = []
    var bytes: UInt64 = 0
    for file in files.prefix(batchFiles) {
      guard batch.isEmpty || bytes + file.sizeBytes <= batchBytes else { break }
      batch.append(file)
      bytes += file.sizeBytes
    }
    return batch
  }

  /// nil: told to stop. A file that cannot be read has no hash.
  private func hash(_ files: [HoldingFile]) async throws -> [(file: Int, computed: Digest?)]? {
    let stopped = stopped
    return try await context.threads.hashing.run {
      var results: [(file: Int, computed: Digest?)] = []
      for file in files {
        let digest = try? ReadBack.hash(file.path, expectedBytes: file.sizeBytes, fromDisk: true) { stopped.isSet }
        if stopped.isSet { return nil }
        results.append((file.index, digest))
      }
      return results
    }
  }

  private func quarantine(_ file: HoldingFile) async -> Wrong {
    context.logger.error(
      "not what its publisher claimed", metadata: ["file": "\(file.path)", "claimed": "\(file.expected.hex)"])
    let source = URL(fileURLWithPath: file.path)
    let target = source.deletingLastPathComponent().appendingPathComponent(Self.quarantinePrefix + source.lastPathComponent)
    let isMoved = (try? await context.threads.files.run { try FileManager.default.moveItem(at: source, to: target) }) != nil
    return Wrong(path: file.path, quarantine: isMoved ? target.path : nil)
  }

  /// Ends the file being read; what is left is taken up at the next start.
  func stop() {
    stopped.set()
    waiting = []
  }
}

/// Set once, from any thread.
final class Flag: Sendable {
  private let state = Locked(false)
  var isSet: Bool { state.withLock { $0 } }
  func set() { state.withLock { $0 = true } }
}
