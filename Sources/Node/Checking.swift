internal import Artifact
internal import EventLoop
internal import Foundation
internal import Primitives
internal import Session
internal import Store

extension Node {
  /// Looks at what was delivered here and at what is shared from here. Without `readData` only at sizes and at what the last
  /// read-back found; with it every byte is read.
  ///
  /// - Parameters:
  ///   - reference: `NAME[@vN]`; nil: everything.
  ///   - progress: bytes read so far, bytes in all.
  public func check(
    _ reference: String?, readData: Bool, progress: @escaping @Sendable (UInt64, UInt64) -> Void
  ) async throws -> [CheckEntry] {
    let wanted = try reference.map { try read(reference: $0) }
    let isWanted = { (name: String, version: ArtifactVersion) in
      wanted.map { $0.name.text == name && ($0.version == nil || $0.version == version) } ?? true
    }
    let holdings = try await context.database.holdings().filter { isWanted($0.name, $0.version) }
    // Every version that peers are offered, older ones too: of one that cannot be served the user is to hear here, not from them.
    let published = try await offered(wanted)
    guard reference == nil || !holdings.isEmpty || !published.isEmpty else {
      throw NodeError(
        .notFound, "nothing called \(reference ?? "") was pulled to or shared from here", hint: "`pawl ls` lists what is shared"
      )
    }
    var sum: UInt64 = 0
    for holding in holdings { sum += try await context.database.holdingFiles(holding.id).reduce(0) { $0 + $1.sizeBytes } }
    if readData { sum += published.reduce(0) { $0 + $1.sizeBytes } }
    let total = sum
    var entries: [CheckEntry] = []
    var done: UInt64 = 0
    for holding in holdings {
      let publisher = holding.publisher == id ? nil : await alias(of: holding.publisher)
      var files = try await context.database.holdingFiles(holding.id)
      var readHere: Set<Int> = []
      if readData {
        // What was never judged is the queue's: it sets aside what is wrong, and goes on if this command is given up.
        readHere = Set(files.lazy.filter { !$0.state.isToBeRead }.map(\.index))
        if readHere.count < files.count {
          let before = done
          _ = try await readBacks.outcome(of: holding.id) { progress(min(total, before + $0), total) }
          files = try await context.database.holdingFiles(holding.id)
          done += files.filter { !readHere.contains($0.index) }.reduce(0) { $0 + $1.sizeBytes }
        }
      }
      for file in files {
        let (before, isRead) = (done, readHere.contains(file.index))
        entries.append(
          try await check(file, of: holding, publisher: publisher, readData: isRead) { progress(before + $0, total) })
        if isRead { done += file.sizeBytes }
      }
    }
    for version in published {
      let before = done
      entries += try await check(version, readData: readData) { progress(before + $0, total) }
      if readData { done += version.sizeBytes }
    }
    return entries
  }

  /// The versions that a reference names; nil: all.
  private func offered(_ wanted: ArtifactReference?) async throws -> [OfferedVersion] {
    if let wanted { return try await context.database.offered(name: wanted.name.text, version: wanted.version) }
    var all: [OfferedVersion] = []
    while true {
      let slice = try await context.database.offered(after: all.last?.position ?? .start, limit: 256)
      guard !slice.isEmpty else { return all }
      all += slice.map(\.version)
    }
  }

  private func check(
    _ file: HoldingFile, of holding: Holding, publisher: String?, readData: Bool,
    progress: @escaping @Sendable (UInt64) -> Void
  ) async throws -> CheckEntry {
    let path = file.path, size = file.sizeBytes
    let found = try await context.threads.files.run { Self.size(of: path) }
    var computed = file.state == .verified ? file.computed : nil
    var state: CheckEntry.State
    switch (found, file.state) {
    case (nil, .mismatch), (nil, .condemned): state = .mismatch
    case (nil, _): state = .missing
    case (let found?, _) where found != size: state = .changed
    case (_, .verified): state = .verified
    case (_, .mismatch), (_, .condemned): state = .mismatch
    case (_, .pending): state = .pending
    case (_, .changed): state = .changed
    case (_, .unreadable): state = .unreadable
    case (_, .missing): state = .unread
    }
    if readData, found == size {
      let result: ReadBackResult
      do {
        let hash = try await context.digest(ofFile: path, expectedBytes: size, progress: progress)
        computed = hash
        state = hash == file.expected ? .verified : (file.computed == file.expected ? .changed : .mismatch)
        result = .hash(hash)
      } catch let error as StoreError {
        state = .unreadable
        result = ReadBackResult(error)
      }
      // A file that is away or locked for the moment is still what it was when it was read.
      if result != .unreadable { _ = try await context.database.setReadBack(holding: holding.id, file: file.index, result) }
    }
    return CheckEntry(
      name: holding.name, version: UInt64(holding.version), publisher: publisher, path: path, sizeBytes: size,
      sha256: state == .verified ? computed?.hex : nil, state: state)
  }

  private func check(
    _ version: OfferedVersion, readData: Bool, progress: @escaping @Sendable (UInt64) -> Void
  ) async throws -> [CheckEntry] {
    let files = try await context.database.publishedFiles(version.digest)
    let artifact = readData ? try await context.database.published(digest: version.digest) : nil
    let (claims, states) = try await context.threads.folders.run {
      let claims = try artifact.map { try Manifest(decoding: $0.manifest.span).files.map(\.sha256) }
      let folder = try? SourceFolder(root: version.root, files: files)
      let states = files.map { file -> CheckEntry.State in
        if Self.size(of: SourceFolder.path(of: file.source, root: version.root)) == nil { return .missing }
        return folder?.isCurrent(file: file.index) == true ? .unread : .changed
      }
      return (claims, states)
    }
    var entries: [CheckEntry] = []
    var done: UInt64 = 0
    // Nil where a file cannot be looked at, which says nothing of it.
    var found: SourceState? = .current
    for (file, looked) in zip(files, states) {
      let path = SourceFolder.path(of: file.source, root: version.root), size = file.identity.sizeBytes
      var (state, hash) = (looked, String?.none)
      var isDamaged = false
      if let claims, claims.indices.contains(file.index), state == .unread {
        do {
          let before = done
          let computed = try await context.digest(ofFile: path, expectedBytes: size) { progress(before + $0) }
          hash = computed.hex
          state = computed == claims[file.index] ? .verified : .changed
        } catch is StoreError { state = .unreadable }
        isDamaged = state == .changed
      }
      done += size
      found = Self.worse(found, state, isDamaged: isDamaged)
      entries.append(
        CheckEntry(
          name: version.name, version: UInt64(version.version), publisher: nil, path: path, sizeBytes: size,
          sha256: state == .verified ? hash : nil, state: state))
    }
    // Sizes and times say nothing against what was read before.
    if let found, found != version.state, readData || found > .current || version.state > .damaged {
      try await context.database.setSourceState(version.digest, found)
    }
    return entries
  }

  /// What is known of a version once one more of its files was looked at.
  private static func worse(_ known: SourceState?, _ file: CheckEntry.State, isDamaged: Bool) -> SourceState? {
    switch file {
    case .missing: .gone
    case .changed, .mismatch: max(known ?? .current, isDamaged ? .damaged : .changed)
    case .unreadable, .pending: known == .current ? nil : known
    case .verified, .unread: known
    }
  }

  /// Bytes of a regular file; nil if there is none.
  private static func size(of path: String) -> UInt64? {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    guard attributes?[.type] as? FileAttributeType == .typeRegular else { return nil }
    return (attributes?[.size] as? NSNumber)?.uint64Value
  }
}
