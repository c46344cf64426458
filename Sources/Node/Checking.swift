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
    let all = try await context.database.published().filter { isWanted($0.name, $0.version) }
    // An older version whose files were changed for a newer one is no damage; it is looked at when it is named.
    let published = all.filter { artifact in
      wanted?.version != nil || !all.contains { $0.name == artifact.name && $0.version > artifact.version }
    }
    guard reference == nil || !holdings.isEmpty || !published.isEmpty else {
      throw NodeError(
        .notFound, "nothing called \(reference ?? "") was pulled to or shared from here", hint: "`pawl ls` lists what is shared"
      )
    }
    var sum: UInt64 = 0
    for holding in holdings { sum += try await context.database.holdingFiles(holding.id).reduce(0) { $0 + $1.sizeBytes } }
    if readData { for artifact in published { sum += try await sizeBytes(of: artifact) } }
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
    for artifact in published {
      let before = done
      entries += try await check(artifact, readData: readData) { progress(before + $0, total) }
      if readData { done += try await sizeBytes(of: artifact) }
    }
    return entries
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
    _ artifact: PublishedArtifact, readData: Bool, progress: @escaping @Sendable (UInt64) -> Void
  ) async throws -> [CheckEntry] {
    let manifest = try Manifest(decoding: artifact.manifest.span)
    let files = try await context.database.publishedFiles(artifact.digest)
    let states = try await context.threads.folders.run {
      let folder = try? SourceFolder(root: artifact.root, files: files)
      return files.map { file -> CheckEntry.State in
        if Self.size(of: SourceFolder.path(of: file.source, root: artifact.root)) == nil { return .missing }
        return folder?.isCurrent(file: file.index) == true ? .unread : .changed
      }
    }
    var entries: [CheckEntry] = []
    var done: UInt64 = 0
    for ((file, claim), found) in zip(zip(files, manifest.files), states) {
      let path = SourceFolder.path(of: file.source, root: artifact.root)
      var (state, hash) = (found, String?.none)
      if readData, state == .unread {
        do {
          let before = done
          let computed = try await context.digest(ofFile: path, expectedBytes: claim.sizeBytes) { progress(before + $0) }
          hash = computed.hex
          state = computed == claim.sha256 ? .verified : .changed
        } catch is StoreError { state = .unreadable }
      }
      done += claim.sizeBytes
      entries.append(
        CheckEntry(
          name: artifact.name, version: UInt64(artifact.version), publisher: nil, path: path, sizeBytes: claim.sizeBytes,
          sha256: state == .verified ? hash : nil, state: state))
    }
    return entries
  }

  private func sizeBytes(of artifact: PublishedArtifact) async throws -> UInt64 {
    try await context.database.publishedFiles(artifact.digest).reduce(0) { $0 + $1.identity.sizeBytes }
  }

  /// Bytes of a regular file; nil if there is none.
  private static func size(of path: String) -> UInt64? {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    guard attributes?[.type] as? FileAttributeType == .typeRegular else { return nil }
    return (attributes?[.size] as? NSNumber)?.uint64Value
  }
}
