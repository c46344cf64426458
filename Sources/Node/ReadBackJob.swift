internal import EventLoop
internal import Primitives
internal import Store

/// One delivery that is being read back, and the commands that wait for it. Touched by its queue alone.
final class ReadBackJob {
  let holding: Int64
  let outcome = Promise<ReadBackQueue.Outcome>()
  var found = ReadBackQueue.Outcome()
  /// A worker is at it.
  var isTaken = false
  /// What is left; nil before that was looked up.
  var files: ArraySlice<HoldingFile>?
  /// The first of these, as far as it is read.
  private(set) var current: FileReadBack?
  /// Bytes read so far.
  private(set) var bytes: UInt64 = 0
  /// Times in a row that the machine had no descriptor or memory.
  var busy = 0
  /// What is not committed yet.
  var results: [(file: HoldingFile, result: Result<Digest, StoreError>)] = []

  private var uncommittedBytes: UInt64 = 0
  private var lastCommit = MonotonicClock.now
  private var listeners: [Int: @Sendable (UInt64) -> Void] = [:]
  private var lastListener = 0

  init(_ holding: Int64) { self.holding = holding }

  var isWaitedFor: Bool { !listeners.isEmpty }

  var isCommitDue: Bool {
    results.count >= ReadBackQueue.commitFiles || uncommittedBytes >= ReadBackQueue.commitBytes
      || MonotonicClock.now - lastCommit >= ReadBackQueue.commitTime
  }

  func join(_ listener: @escaping @Sendable (UInt64) -> Void) -> Int {
    lastListener += 1
    listeners[lastListener] = listener
    return lastListener
  }

  func leave(_ listener: Int) { listeners[listener] = nil }

  func report() { for listener in listeners.values { listener(bytes) } }

  func take(_ slice: ReadBackSlice) {
    files?.removeFirst(slice.results.count)
    current = slice.current
    bytes += slice.bytes
    uncommittedBytes += slice.bytes
    results += slice.results
    if !slice.results.isEmpty { busy = 0 }
  }

  func takeResults() -> [(file: HoldingFile, result: Result<Digest, StoreError>)] {
    defer {
      results = []
      uncommittedBytes = 0
      lastCommit = MonotonicClock.now
    }
    return results
  }
}

/// What one trip to a worker has read: many small files, or a part of a large one.
struct ReadBackSlice: Sendable {
  /// Files that are done with, in their order.
  private(set) var results: [(file: HoldingFile, result: Result<Digest, StoreError>)] = []
  /// The file after these, as far as it is read; nil: not begun.
  private(set) var current: FileReadBack?
  /// Bytes read.
  private(set) var bytes: UInt64 = 0
  /// The next file found no descriptor or memory: it may be tried again.
  private(set) var isBusy = false

  /// Reads on, until a slice's bytes or time are used up.
  static func read(
    _ files: ArraySlice<HoldingFile>, _ current: FileReadBack?, shouldStop: () -> Bool
  ) -> ReadBackSlice {
    let end = Deadline.after(FileReadBack.sliceTime)
    var slice = ReadBackSlice()
    slice.current = current
    for file in files {
      do {
        var reading = try slice.current ?? FileReadBack(file.path, expectedBytes: file.sizeBytes)
        let before = reading.offset
        let left = max(1, FileReadBack.sliceBytes - Int(slice.bytes))
        let digest = try reading.step(bytes: left, time: end.remaining ?? .zero, shouldStop: shouldStop)
        slice.bytes += reading.offset - before
        guard let digest else {
          slice.current = reading
          return slice
        }
        slice.results.append((file, .success(digest)))
      } catch let error as StoreError where error.code == .busy {
        slice.isBusy = true
        slice.current = nil
        return slice
      } catch let error as StoreError {
        slice.results.append((file, .failure(error)))
      } catch {
        return slice
      }
      slice.current = nil
      if end.isPast || slice.bytes >= UInt64(FileReadBack.sliceBytes) || shouldStop() { break }
    }
    return slice
  }
}

extension Result where Success == Digest, Failure == StoreError {
  /// What the store records of it.
  var found: ReadBackResult {
    switch self {
    case .success(let digest): .hash(digest)
    case .failure(let error): ReadBackResult(error)
    }
  }
}

extension NodeContext {
  /// The SHA-256 of a file, read in slices: a cancellation, or the node's end, is honored between them.
  ///
  /// - Parameter progress: bytes read so far.
  func digest(
    ofFile path: String, expectedBytes: UInt64, progress: @escaping @Sendable (UInt64) -> Void
  ) async throws -> Digest {
    var file = try await threads.files.run { try FileReadBack(path, expectedBytes: expectedBytes) }
    while true {
      try Task.checkCancellation()
      let (next, digest) = try await threads.files.run { [file] in
        var file = file
        let digest = try file.step()
        return (file, digest)
      }
      file = next
      progress(file.offset)
      if let digest { return digest }
    }
  }
}
