internal import Artifact
internal import Primitives
internal import Session
internal import Store

/// The next version of an artifact, built, encoded and signed, and not published yet. Making one takes a while: on a worker.
struct ShareDraft: Sendable {
  /// The version that it would be.
  let version: ArtifactVersion
  /// When it was made, Unix seconds.
  let created: UInt64
  /// Files and note are those of the latest version: nothing was encoded or signed.
  let isUnchanged: Bool
  /// Its note: that of the latest version where nothing changed.
  let note: String
  /// The manifest, byte for byte.
  let bytes: [UInt8]
  /// Our signature of it.
  let signature: [UInt8]
  /// Its digest.
  let digest: Digest
  /// Where the files lie.
  let files: [PublishedFile]

  init(
    name: ArtifactName, note: String?, chunkBytes: Int, tree: ScannedTree, hashed: [HashedFile], latest: PublishedArtifact?,
    past: RememberedVersion?, publisher: NodeID, context: NodeContext
  ) throws {
    let previous = try past == nil ? latest.map { try Manifest(decoding: $0.manifest.span) } : nil
    var builder = ManifestBuilder(name: name, chunkBytes: chunkBytes, isFolder: tree.isFolder)
    for file in hashed {
      builder.add(
        ManifestFile(
          path: file.file.path, sizeBytes: file.file.identity.sizeBytes,
          mode: file.file.isExecutable ? .executable : .regular, facts: file.facts))
    }
    for folder in tree.emptyFolders { builder.add(emptyFolder: folder) }
    let manifest = try builder.build(
      version: (past?.version ?? previous?.version ?? 0) + 1, previous: past?.digest ?? latest?.digest,
      publisher: publisher.digest, created: context.now,
      note: note ?? "")
    version = manifest.version
    self.note = note ?? previous?.note ?? ""
    created = manifest.created
    files = hashed.enumerated().map { index, file in file.published(index: index) }
    isUnchanged = previous.map { $0.hasSameContents(as: manifest) && (note == nil || note == $0.note) } == true
    bytes = isUnchanged ? [] : try manifest.encoded()
    signature = isUnchanged ? [] : try context.identity.sign(kind: .manifest, body: bytes, crypto: context.crypto)
    digest = SHA256Hash.hash(bytes)
  }
}
