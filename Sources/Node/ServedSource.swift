internal import Artifact
internal import EventLoop
internal import Primitives
internal import Store
internal import Transfer

/// One artifact that is being served: its manifest, and its files where they lie.
final class ServedSource: Sendable {
  let manifest: Manifest
  let served: ServedArtifact
  /// The object of kind 1.
  private let object: [UInt8]
  private let digest: Digest
  private let folder: SourceFolder
  private let database: Database

  init(_ artifact: PublishedArtifact, files: [PublishedFile], database: Database) throws {
    let signed = try SignedManifest(bytes: artifact.manifest, signature: artifact.signature)
    manifest = try Manifest(decoding: artifact.manifest.span)
    object = signed.encoded
    digest = artifact.digest
    served = ServedArtifact(digest: artifact.digest, manifest: manifest, objectBytes: object.count)
    folder = try SourceFolder(root: artifact.root, files: files)
    self.database = database
  }

  /// What a job of kind 1 or 2 carries; nil for chunks, which the worker reads.
  func piece(for job: SealJob) async throws -> [UInt8]? {
    let whole: [UInt8]
    switch job.kind {
    case .chunks: return nil
    case .manifest: whole = object
    case .leafList:
      guard let leaves = try await database.leafList(digest, file: job.file) else {
        throw StoreError(.sourceMissing, detail: "The leaf list is not there.")
      }
      whole = leaves
    }
    let start = Int(job.offset)
    guard start + job.plaintextBytes <= whole.count else {
      throw StoreError(.sourceChanged, detail: "The list is shorter than it should be.")
    }
    return Array(whole[start..<start + job.plaintextBytes])
  }

  /// Reads and seals one frame, on a worker thread.
  func fill(_ frame: Frame, for job: SealJob, piece: [UInt8]?) throws {
    let room = UnsafeMutableRawBufferPointer(rebasing: frame.body[..<job.plaintextBytes])
    if let piece {
      room.copyBytes(from: piece)
    } else {
      try folder.read(file: job.file, at: job.offset, into: room)
    }
    frame.count = try job.seal(
      UnsafeRawBufferPointer(room), into: UnsafeMutableRawBufferPointer(rebasing: frame.bytes[..<job.frameBytes]))
  }
}
