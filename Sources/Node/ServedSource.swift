internal import Artifact
internal import EventLoop
internal import Primitives
internal import Store
internal import Transfer

/// One artifact that is being served: its manifest, and its files where they lie.
final class ServedSource: Sendable {
  let manifest: Manifest
  let served: ServedArtifact
  /// The object of kind 1, in its two parts: put together, tens of megabytes would be there twice.
  private let signed: SignedManifest
  private let digest: Digest
  private let folder: SourceFolder
  private let database: Database
  /// Leaf lists of files that were touched since they were shared: their chunks are checked before they are sealed.
  private let touched = Locked<[Int: LeafList]>([:])
  /// Lists kept at once; a list has up to 2 MiB, and files are served one after the other.
  private static let touchedLists = 2

  init(_ artifact: PublishedArtifact, files: [PublishedFile], database: Database) throws {
    signed = try SignedManifest(bytes: artifact.manifest, signature: artifact.signature)
    manifest = try Manifest(decoding: artifact.manifest.span)
    digest = artifact.digest
    served = ServedArtifact(digest: artifact.digest, manifest: manifest, objectBytes: signed.encodedBytes)
    folder = try SourceFolder(root: artifact.root, files: files)
    self.database = database
  }

  /// What a job of kind 1 or 2 carries; nil for chunks, which the worker reads.
  func piece(for job: SealJob) async throws -> [UInt8]? {
    let start = Int(job.offset)
    let range = start..<start + job.plaintextBytes
    let tooShort = StoreError(.sourceChanged, detail: "The list is shorter than it should be.")
    switch job.kind {
    case .chunks: return nil
    case .manifest:
      guard range.upperBound <= signed.encodedBytes else { throw tooShort }
      return signed.encoded(range)
    case .leafList:
      guard let leaves = try await database.leafList(digest, file: job.file) else {
        throw StoreError(.sourceMissing, detail: "The leaf list is not there.")
      }
      guard range.upperBound <= leaves.count else { throw tooShort }
      return Array(leaves[range])
    }
  }

  /// What a chunk of a touched file must hash to. The chunks that follow it find the list at hand.
  func leaf(for job: SealJob, on pool: WorkerPool) async throws -> Digest {
    let known = touched.withLock { $0[job.file] }
    let list: LeafList
    if let known {
      list = known
    } else {
      let bytes = try await database.leafList(digest, file: job.file) ?? []
      let (layout, root) = (manifest.layout(of: job.file), manifest.files[job.file].root)
      list = try await pool.run { try LeafList(verifying: bytes.span, layout: layout, root: root) }
      touched.withLock { lists in
        if lists.count >= Self.touchedLists { lists = [:] }
        lists[job.file] = list
      }
    }
    guard job.chunk < list.leaves.count else { throw StoreError(.badRecord, detail: "the leaf list is too short") }
    return list.leaves[job.chunk]
  }

  /// Reads and seals one frame, on a worker thread. Throws `sourceTouched` before anything is sealed if the chunk's `leaf` is
  /// needed to judge it.
  func fill(_ frame: Frame, for job: SealJob, piece: [UInt8]?, leaf: Digest? = nil) throws {
    let room = UnsafeMutableRawBufferPointer(rebasing: frame.body[..<job.plaintextBytes])
    if let piece {
      room.copyBytes(from: piece)
    } else {
      let leaf = leaf ?? touched.withLock { $0[job.file]?.leaves[job.chunk] }
      try folder.read(file: job.file, at: job.offset, into: room, leaf: leaf)
    }
    frame.count = try job.seal(
      UnsafeRawBufferPointer(room), into: UnsafeMutableRawBufferPointer(rebasing: frame.bytes[..<job.frameBytes]))
  }
}
