internal import Artifact
internal import EventLoop
internal import Primitives
internal import Session
internal import Store
internal import Transfer

/// What is shared, here and by peers.
extension Node {
  /// Versions that are read from the store, and put into a result, at once.
  private static let slice = 256

  /// Our own artifacts, or those that a peer shares with us. By name, newest version first.
  public func list(peer alias: String?) async throws -> [ArtifactEntry] {
    if let alias { try await remoteEntries(of: alias) } else { try await ownEntries() }
  }

  private func ownEntries() async throws -> [ArtifactEntry] {
    // Workers that are busy for long, or a disk that hangs, do not keep the listing back: what was known before is shown.
    try? await withTimeout(SourceLook.patience, on: context.loop) { try await self.lookAtSources() }
    var listing = NewestFirst()
    var aliases: [NodeID: String] = [:]
    var position = VersionPosition.start
    while true {
      let slice = try await context.database.offered(after: position, limit: Self.slice)
      for (version, audience) in slice {
        for id in audience.peers where aliases[id] == nil { aliases[id] = await alias(of: id) }
        listing.add(
          ArtifactEntry(
            name: version.name, version: UInt64(version.version), digest: version.digest.hex, files: version.files,
            bytes: version.sizeBytes, created: version.created, note: version.note,
            audience: audience.isAll ? [Self.everyone] : audience.peers.compactMap { aliases[$0] }.sorted(),
            state: version.state))
      }
      guard let last = slice.last, slice.count == Self.slice else { return listing.all }
      position = last.version.position
    }
  }

  private func remoteEntries(of alias: String) async throws -> [ArtifactEntry] {
    var listing = NewestFirst()
    try await peer(alias: alias).listing { page in
      for entry in page {
        listing.add(
          ArtifactEntry(
            name: entry.name.text, version: UInt64(entry.version), digest: entry.digest.hex, files: entry.files,
            bytes: entry.sizeBytes, created: entry.created, note: entry.note, audience: nil, state: nil))
      }
    }
    return listing.all
  }

  /// Aliases that may pull a version, or `all`.
  func audience(of name: String, version: ArtifactVersion) async throws -> [String] {
    let audience = try await context.database.audience(name, version: version)
    if audience.isAll { return [Self.everyone] }
    var aliases: [String] = []
    for id in audience.peers { aliases.append(await alias(of: id)) }
    return aliases.sorted()
  }

  /// The verified manifest of `[PEER/]NAME[@vN]`.
  public func show(_ reference: String) async throws -> ManifestReport {
    let parsed = try read(reference: reference)
    if let alias = parsed.peer {
      let peer = try await peer(alias: alias)
      let (manifest, digest) = try await queriedManifest(parsed, at: peer)
      let publisher = NodeID(manifest.publisher)
      return ManifestReport(
        manifest: manifest, digest: digest, publisherAlias: await self.alias(of: publisher),
        isOwn: publisher == id, audience: nil, state: nil)
    }
    guard let artifact = try await context.database.published(name: parsed.name.text, version: parsed.version) else {
      throw await nothingShared(parsed)
    }
    let manifest = try await context.threads.files.run { try Manifest(decoding: artifact.manifest.span) }
    defer { context.threads.heap.jobEnds(files: manifest.files.count) }
    return ManifestReport(
      manifest: manifest, digest: artifact.digest, publisherAlias: ownName, isOwn: true,
      audience: try await audience(of: artifact.name, version: artifact.version), state: try await sourceState(of: artifact))
  }

  /// Whether the files of a version of ours are still there, after a look at them where that does not take long.
  private func sourceState(of artifact: PublishedArtifact) async throws -> SourceState? {
    try? await withTimeout(SourceLook.patience, on: context.loop) { try await self.lookAtSources() }
    let before = VersionPosition(name: artifact.name, version: max(artifact.version, 1) - 1)
    return try await context.database.offered(after: before, limit: 1).first
      .flatMap { $0.0.digest == artifact.digest ? $0.0.state : nil }
  }
}

/// Turns a listing around, name by name: it comes with the lowest version of a name first, and people look for the newest.
private struct NewestFirst {
  private var done: [ArtifactEntry] = []
  /// The versions of the name that is coming in.
  private var versions: [ArtifactEntry] = []

  mutating func add(_ entry: ArtifactEntry) {
    if versions.last?.name != entry.name { finishName() }
    versions.append(entry)
  }

  /// The listing, when all of it has come.
  var all: [ArtifactEntry] {
    mutating get {
      finishName()
      return done
    }
  }

  private mutating func finishName() {
    done += versions.reversed()
    versions = []
  }
}
