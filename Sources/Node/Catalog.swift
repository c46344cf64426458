internal import Artifact
internal import EventLoop
internal import Primitives
internal import Session
internal import Store
internal import Transfer

/// What is shared, here and by peers.
extension Node {
  /// Our own artifacts, or those that a peer shares with us. By name, newest version first.
  public func list(peer alias: String?) async throws -> [ArtifactEntry] {
    let entries = try await alias == nil ? ownEntries() : remoteEntries(of: alias ?? "")
    return entries.sorted { ($0.name, $1.version) < ($1.name, $0.version) }
  }

  private func ownEntries() async throws -> [ArtifactEntry] {
    var entries: [ArtifactEntry] = []
    for artifact in try await context.database.published() {
      let entry = try await entry(of: artifact)
      entries.append(
        ArtifactEntry(
          name: artifact.name, version: UInt64(artifact.version), digest: artifact.digest.hex, files: entry.files,
          bytes: entry.sizeBytes, created: entry.created, note: entry.note, audience: try await audience(of: artifact.name)))
    }
    return entries
  }

  private func remoteEntries(of alias: String) async throws -> [ArtifactEntry] {
    try await peer(alias: alias).listing().map { entry in
      ArtifactEntry(
        name: entry.name.text, version: UInt64(entry.version), digest: entry.digest.hex, files: entry.files,
        bytes: entry.sizeBytes, created: entry.created, note: entry.note, audience: nil)
    }
  }

  /// Aliases that may pull a name, or `all`.
  func audience(of name: String) async throws -> [String] {
    let audience = try await context.database.audience(name)
    if audience.isAll { return ["all"] }
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
        isOwn: publisher == id, audience: nil)
    }
    guard let artifact = try await context.database.published(name: parsed.name.text, version: parsed.version) else {
      throw await nothingShared(parsed)
    }
    let manifest = try await context.threads.files.run { try Manifest(decoding: artifact.manifest.span) }
    return ManifestReport(
      manifest: manifest, digest: artifact.digest,
      publisherAlias: ownName, isOwn: true, audience: try await audience(of: artifact.name))
  }
}
