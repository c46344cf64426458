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
    Task { await self.work() }
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
    for file in try await context.database.holdingFiles(holding) where file.state == .pending && !stopped.isSet {
      try Task.checkCancellation()
      let computed = try await hash(file)
      if stopped.isSet { break }
      let state = try await context.database.setReadBack(holding: holding, file: file.index, computed: computed)
      if state == .mismatch { wrong.append(await quarantine(file)) }
      done += file.sizeBytes
      progress(done)
    }
    return wrong
  }

  private func hash(_ file: HoldingFile) async throws -> Digest? {
    let stopped = stopped
    return try await context.threads.files.run {
      do {
        return try ReadBack.hash(file.path, expectedBytes: file.sizeBytes, fromDisk: true) { stopped.isSet }
      } catch is StoreError { return nil }
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
