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
    var total: UInt64 = 0
    for holding in holdings { total += try await context.database.holdingFiles(holding.id).reduce(0) { $0 + $1.sizeBytes } }
    var entries: [CheckEntry] = []
    var done: UInt64 = 0
    for holding in holdings {
      let publisher = holding.publisher == id ? nil : await alias(of: holding.publisher)
      for file in try await context.database.holdingFiles(holding.id) {
        entries.append(try await check(file, of: holding, publisher: publisher, readData: readData))
        done += file.sizeBytes
        if readData { progress(done, total) }
      }
    }
    for artifact in published { entries += try await check(artifact, readData: readData) }
    return entries
  }

  private func check(
    _ file: HoldingFile, of holding: Holding, publisher: String?, readData: Bool
  ) async throws -> CheckEntry {
    let path = file.path, size = file.sizeBytes
    let found = try await context.threads.files.run { Self.size(of: path) }
    var computed = file.state == .verified ? file.computed : nil
    var state: CheckEntry.State
    switch (found, file.state) {
    case (nil, .mismatch): state = .mismatch
    case (nil, _): state = .missing
    case (let found?, _) where found != size: state = .changed
    case (_, .verified): state = .verified
    case (_, .mismatch): state = .mismatch
    case (_, .pending): state = .pending
    case (_, .missing): state = .unread
    }
    if readData, found == size {
      do {
        let hash = try await context.threads.hashing.run { try ReadBack.hash(path, expectedBytes: size) }
        computed = hash
        state = hash == file.expected ? .verified : (file.computed == file.expected ? .changed : .mismatch)
        _ = try await context.database.setReadBack(holding: holding.id, file: file.index, computed: hash)
      } catch is StoreError { state = .unreadable }
    }
    return CheckEntry(
      name: holding.name, version: UInt64(holding.version), publisher: publisher, path: path, sizeBytes: size,
      sha256: state == .verified ? computed?.hex : nil, state: state)
  }

  private func check(_ artifact: PublishedArtifact, readData: Bool) async throws -> [CheckEntry] {
    let manifest = try Manifest(decoding: artifact.manifest.span)
    let files = try await context.database.publishedFiles(artifact.digest)
    let pool = readData ? context.threads.hashing : context.threads.folders
    return try await pool.run {
      let folder = try? SourceFolder(root: artifact.root, files: files)
      return zip(files, manifest.files).map { file, claim in
        let path = "\(artifact.root)/\(file.source)"
        var state: CheckEntry.State = folder?.isCurrent(file: file.index) == true ? .unread : .changed
        if Self.size(of: path) == nil { state = .missing }
        var hash: String?
        if readData, state == .unread {
          let computed = try? ReadBack.hash(path, expectedBytes: claim.sizeBytes)
          hash = computed?.hex
          state = computed == nil ? .unreadable : computed == claim.sha256 ? .verified : .changed
        }
        return CheckEntry(
          name: artifact.name, version: UInt64(artifact.version), publisher: nil, path: path, sizeBytes: claim.sizeBytes,
          sha256: state == .verified ? hash : nil, state: state)
      }
    }
  }

  /// Bytes of a regular file; nil if there is none.
  private static func size(of path: String) -> UInt64? {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    guard attributes?[.type] as? FileAttributeType == .typeRegular else { return nil }
    return (attributes?[.size] as? NSNumber)?.uint64Value
  }
}
